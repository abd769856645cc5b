"""What must stand on the record before anything goes live: each lack of it is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.errors import BundleError, InputError, PublishError, ReleaseError, StorageError
from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.places import bundle_key
from infra.records.release import ApprovalRecord, VerdictRecord
from infra.records.steps import GATES
from infra.storage import Storage
from models.bundle.build_bundle import build_bundle
from models.bundle.refit_winner import refit_winner
from models.evaluation.evaluate import evaluate
from models.publishing.evidence import read_evidence
from models.publishing.publish import publish
from models.publishing.publishable import refusals
from models.release.judge_release import judge_release
from tests.models.conftest import (
    AS_OF,
    RUN,
    WINNER,
    WRITTEN_AT,
    WriteRun,
    prepare_bundle,
    save_gate,
    save_serving,
    train_otherwise,
    write_lists,
)
from tests.models.interrupted import OTHER


def no_gate(shop: Storage) -> None:
    shop.reports.delete_folder(f"{RUN}/gates")


def no_data_gate(shop: Storage) -> None:
    Path(shop.reports.address, RUN, "gates/interactions.json").unlink()


def unreadable_gate(shop: Storage) -> None:
    shop.reports.write(f"{RUN}/gates/events.json", b"{")


def stopped_gate(shop: Storage) -> None:
    save_gate(shop, RUN, "stopped")


def stopped_events(shop: Storage) -> None:
    save_gate(shop, RUN, "stopped", "events")


def stopped_interactions(shop: Storage) -> None:
    save_gate(shop, RUN, "stopped", "interactions")


def failed_yet_passed(shop: Storage) -> None:
    record = RunRecords(shop, RUN).load_gate("interactions")
    assert record is not None
    failed = record.checks[0].model_copy(update={"passed": False})
    save_gate(shop, RUN, gate="interactions", checks=[failed])


def no_checks(shop: Storage) -> None:
    save_gate(shop, RUN, gate="interactions", checks=[], partitions=[])


def events_unseen(shop: Storage) -> None:
    save_gate(shop, RUN, gate="events", checks=[])


def never_served(shop: Storage) -> None:
    Path(shop.reports.address, RUN, "serving.json").unlink()


def other_bundle_served(shop: Storage) -> None:
    served = RunRecords(shop, RUN).load_serving()
    assert served is not None
    RunRecords(shop, RUN).save_serving(served.model_copy(update={"manifest_sha256": "0" * 64}))


def rejected(shop: Storage) -> None:
    save_verdict(shop, outcome="reject")


def half_rejected(shop: Storage) -> None:
    verdict = load_verdict(shop)
    failed = verdict.judgements[0].model_copy(update={"result": "missed", "outcome": "reject"})
    save_verdict(shop, judgements=(failed, *verdict.judgements[1:]))


def nothing_judged(shop: Storage) -> None:
    save_verdict(shop, judgements=())


def other_candidate(shop: Storage) -> None:
    save_verdict(shop, candidate="popularity")


def other_model(shop: Storage) -> None:
    save_verdict(shop, model_sha256="0" * 64)


def other_run(shop: Storage) -> None:
    save_verdict(shop, run=OTHER)
    Path(shop.reports.address, OTHER, "verdict.json").replace(
        Path(shop.reports.address, RUN, "verdict.json")
    )


def changed_bundle(shop: Storage) -> None:
    file = Path(shop.lake.address(bundle_key(RUN), "model/neighbours.npz"))
    file.write_bytes(file.read_bytes() + b"!")


def no_bundle(shop: Storage) -> None:
    shop.lake.store.delete_folder(bundle_key(RUN))


def lists_after_their_gate(shop: Storage) -> None:
    write_lists(shop, RUN, WINNER, written_at=AS_OF + timedelta(minutes=2))


def bundle_of_other_lists(shop: Storage) -> None:
    lists_after_their_gate(shop)
    save_gate(shop, RUN, at=AS_OF + timedelta(minutes=3))


def table_after_its_gate(shop: Storage, table: str) -> None:
    said = shop.lake.manifest(table, RUN)
    shop.lake.commit(table, RUN, {**said, "written_at": WRITTEN_AT + timedelta(minutes=2)})


def items_after_their_gate(shop: Storage) -> None:
    table_after_its_gate(shop, "items")


def interactions_after_their_gate(shop: Storage) -> None:
    table_after_its_gate(shop, "interactions")


def interactions_checked_after_the_verdict(shop: Storage) -> None:
    interactions_after_their_gate(shop)
    save_gate(shop, RUN, gate="interactions", at=datetime.now(UTC))


def judged_on_tables_of_before(shop: Storage) -> None:
    """Written and checked again, evaluated and all that follows; not trained."""
    interactions_checked_after_the_verdict(shop)
    with pytest.raises(InputError, match="were written again since .* learnt from them"):
        evaluate(shop, RUN)
    save_verdict(shop, at=datetime.now(UTC))


def evaluated_after_the_verdict(shop: Storage) -> None:
    evaluate(shop, RUN)


def refitted_on_tables_of_before(shop: Storage) -> None:
    table_after_its_gate(shop, "history")


def items_written_nobody_knows_when(shop: Storage) -> None:
    said = shop.lake.manifest("items", RUN)
    said.pop("written_at")
    shop.lake.commit("items", RUN, said)


def no_interactions(shop: Storage) -> None:
    shop.lake.begin("interactions", RUN)


def needs_a_person(shop: Storage) -> None:
    doubtful = load_verdict(shop).judgements[0].model_copy(update={"outcome": "review"})
    save_verdict(shop, outcome="review", judgements=(doubtful,))


def somebody_elses_approval(shop: Storage) -> None:
    needs_a_person(shop)
    approve(shop, manifest_sha256="0" * 64)


def rejected_by_a_person(shop: Storage) -> None:
    needs_a_person(shop)
    approve(shop, answer="rejected", why="too slow")


def nobody_answered_in_time(shop: Storage) -> None:
    needs_a_person(shop)
    approve(shop, answer="rejected", by=None, why="no answer in time")


def nobody_has_answered(shop: Storage) -> None:
    needs_a_person(shop)
    approve(shop, answer="waiting", by=None, at=None, why="")


def approved_before_it_was_judged(shop: Storage) -> None:
    needs_a_person(shop)
    approve(shop, asked_at=AS_OF)


def rejected_and_then_released_by_another_verdict(shop: Storage) -> None:
    """Judging again does not overrule a person."""
    needs_a_person(shop)
    judged = load_verdict(shop).judgements[0].model_copy(update={"outcome": "release"})
    approve(shop, answer="rejected", why="too slow")
    save_verdict(shop, outcome="release", judgements=(judged,))


REFUSALS = [
    (rejected_by_a_person, PublishError, "needs an approval: rejected: too slow"),
    (nobody_answered_in_time, PublishError, "needs an approval: rejected: no answer in time"),
    (nobody_has_answered, PublishError, "needs an approval: nobody has answered"),
    (approved_before_it_was_judged, PublishError, "judged again after the question"),
    (rejected_and_then_released_by_another_verdict, PublishError, "rejected: too slow"),
    (needs_a_person, PublishError, "needs an approval: nobody was asked"),
    (somebody_elses_approval, PublishError, "needs an approval: the bundle was built again"),
    (lists_after_their_gate, PublishError, "recommendations of .* written after their gate"),
    (items_after_their_gate, PublishError, "The items of .* written after their gate"),
    (interactions_after_their_gate, PublishError, "interactions of .* written after their gate"),
    (interactions_checked_after_the_verdict, PublishError, "again since it was evaluated"),
    (judged_on_tables_of_before, PublishError, "written again since it was evaluated"),
    (evaluated_after_the_verdict, PublishError, "was evaluated again after its verdict"),
    (refitted_on_tables_of_before, PublishError, "again since its winner was fitted on them"),
    (items_written_nobody_knows_when, PublishError, "items of .* do not say when"),
    (no_interactions, StorageError, "interactions/.* is not finished"),
    (bundle_of_other_lists, PublishError, "other lists than its gate saw"),
    (no_gate, PublishError, "are not checked"),
    (no_data_gate, PublishError, "The interactions of .* are not checked"),
    (unreadable_gate, StorageError, "cannot be read"),
    (stopped_gate, PublishError, "stopped by their gate"),
    (stopped_events, PublishError, "The events of .* were stopped by their gate"),
    (stopped_interactions, PublishError, "The interactions of .* were stopped by their gate"),
    (failed_yet_passed, PublishError, "The interactions of .* were stopped by their gate"),
    (no_checks, PublishError, "The interactions of .* are not checked"),
    (events_unseen, PublishError, "The events of .* are not checked"),
    (never_served, PublishError, "never seen to answer"),
    (other_bundle_served, PublishError, "never seen to answer"),
    (rejected, ReleaseError, "is reject"),
    (half_rejected, ReleaseError, "missed"),
    (nothing_judged, ReleaseError, "no threshold"),
    (other_candidate, ReleaseError, "not refitted since it was judged"),
    (other_model, ReleaseError, "not refitted since it was judged"),
    (other_run, ReleaseError, "no release verdict"),
    (changed_bundle, BundleError, "was changed"),
    (no_bundle, StorageError, "does not exist"),
]


@pytest.mark.parametrize(("harm", "error", "said"), REFUSALS)
def test_refusals(
    shop: Storage,
    write_run: WriteRun,
    harm: Callable[[Storage], None],
    error: type[Exception],
    said: str,
) -> None:
    prepare_bundle(shop, write_run())
    harm(shop)
    with pytest.raises(error, match=said):
        publish(shop, RUN)
    assert live(shop) is None and shop.published.list("") == []


def test_a_run_without_new_events(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    save_gate(shop, RUN, gate="events", checks=[], partitions=[])
    assert publish(shop, RUN) == live(shop)


def test_a_bundle_built_before_a_second_verdict(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    train_otherwise(shop, RUN, WINNER)
    evaluate(shop, RUN)
    judge_release(shop, RUN)
    write_lists(shop, RUN, WINNER)
    with pytest.raises(ReleaseError, match="not refitted since it was judged"):
        publish(shop, RUN)
    refit_winner(shop, RUN)
    with pytest.raises(PublishError, match="the model that was judged"):
        publish(shop, RUN)
    write_lists(shop, RUN, WINNER)
    build_bundle(shop, RUN)
    with pytest.raises(PublishError, match="never seen to answer"):
        publish(shop, RUN)
    save_serving(shop, RUN)
    assert live(shop) is None and publish(shop, RUN) == live(shop)


def test_an_approved_review_is_published(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    needs_a_person(shop)
    approve(shop)
    assert publish(shop, RUN) == live(shop)


def load_verdict(shop: Storage) -> VerdictRecord:
    verdict = RunRecords(shop, RUN).load_verdict()
    assert verdict is not None
    return verdict


def save_verdict(shop: Storage, **change: Any) -> None:
    changed = load_verdict(shop).model_copy(update=change)
    RunRecords(shop, changed.run).save_verdict(changed)


def approve(shop: Storage, **change: Any) -> None:
    """Write the record of an approval, as its task does."""
    served = RunRecords(shop, RUN).load_serving()
    assert served is not None
    record = ApprovalRecord(
        run=RUN,
        candidate=WINNER,
        manifest_sha256=served.manifest_sha256,
        asked=("pm",),
        asked_at=datetime.now(UTC),
        answer="approved",
        by="pm",
        at=datetime.now(UTC),
        why="slow, but better",
    )
    RunRecords(shop, RUN).save_approval(record.model_copy(update=change))


def test_all_refusals_are_one_error(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    no_gate(shop)
    never_served(shop)
    with pytest.raises(PublishError) as caught:
        publish(shop, RUN)
    for said in GATES:
        assert f"The {said} of {RUN} are not checked. Run gate_{said} first." in str(caught.value)
    assert "was never seen to answer" in str(caught.value)
    assert caught.value.cure == "Run check_serving first."


def test_each_record_is_read_once(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    reads: Counter[str] = Counter()
    for store in (shop.reports, shop.lake.store, shop.published):
        count_reads(store, reads)
    with shop.scratch() as scratch:
        evidence = read_evidence(shop, RUN, scratch)
    assert refusals(evidence) == []
    assert len(reads) > 10 and set(reads.values()) == {1}, reads


def count_reads(store: Any, reads: Counter[str]) -> None:
    read = store.read

    def counted(key: str) -> bytes:
        reads[key] += 1
        return bytes(read(key))

    store.read = counted
