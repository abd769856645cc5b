"""Whatever dies at any moment: afterwards exactly one complete version is live."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from infra.errors import BundleError, InputError, PublishError, ReleaseError, StorageError
from infra.live_pointer import live
from infra.records import VerdictRecord
from infra.release_records import ApprovalRecord, PublishRecord
from infra.run_records import RunRecords
from infra.storage import Storage
from infra.stores.object_store import MANIFEST
from models.build_bundle import build_bundle
from models.bundle import bundle_key, manifest_sha256, open_bundle
from models.evaluate import evaluate
from models.publish import publish, version_key
from models.refit import refit
from models.release import decide
from models.train import train
from tests.models.conftest import (
    AS_OF,
    RUN,
    WINNER,
    WRITTEN_AT,
    WriteRun,
    prepare_bundle,
    save_gate,
    save_serving,
    write_lists,
)

OTHER = "run=other"


class KilledError(Exception):
    """The process died here."""


class MortalStore:
    """A store, or a client, that dies before or after one of its operations."""

    def __init__(self, inner: Any, die: Callable[[str], object]) -> None:
        self._inner, self._die = inner, die

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **more: Any) -> Any:
            self._die(f"before {name}")
            answer = found(*arguments, **more)
            self._die(f"after {name}")
            return answer

        return call


def dying(shop: Storage, moment: int) -> Storage:
    """Return the same shop, whose storage ends everything at the given moment."""
    passed = itertools.count()

    def die(where: str) -> None:
        if next(passed) == moment:
            raise KilledError(where)

    return mortal(shop, die)


def mortal(shop: Storage, die: Callable[[str], object]) -> Storage:
    """Return the same shop, whose storage tells before and after whatever it does."""
    storage = Storage(shop.settings)
    storage.lake.store = MortalStore(storage.lake.store, die)  # type: ignore[assignment]
    storage.published = MortalStore(storage.published, die)  # type: ignore[assignment]
    storage.reports = MortalStore(storage.reports, die)  # type: ignore[assignment]
    return storage


def once_at(shop: Storage, moment: int, step: Callable[[], object]) -> Storage:
    """Return the same shop, where something else happens once, beside what is published."""
    passed, late = itertools.count(), Storage(shop.settings)
    first = MortalStore(late.published, lambda _: next(passed) == moment and step())
    late.published = first  # type: ignore[assignment]
    return late


def is_whole(shop: Storage, record: PublishRecord) -> bool:
    with shop.scratch() as scratch:
        folder = shop.published.fetch_folder(version_key(record.version), scratch)
        open_bundle(folder)
        return manifest_sha256(folder) == record.manifest_sha256


def test_killed_before_anything_is_live(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    moment, alive = 0, False
    while not alive:
        for key in ("live", "claims", "versions"):
            shop.published.delete_folder(key)
        Path(shop.reports.address, RUN, "published.json").unlink(missing_ok=True)
        try:
            publish(RUN, dying(shop, moment))
            alive = True
        except KilledError:
            now = live(shop)
            assert now is None or is_whole(shop, now), "what is live is never half"
        record = publish(RUN, shop)
        assert live(shop) == record == RunRecords(shop, RUN).load_published()
        assert is_whole(shop, record)
        assert shop.published.list("live") == ["live/0000000001.json"]
        assert [path.name for path in Path(shop.published.address, "versions").iterdir()] == [
            record.version
        ]
        moment += 3  # tests of SIGKILL leave out none near the pointer
    assert moment > 60


def test_a_second_publishing_changes_nothing(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    record = publish(RUN, shop)
    assert publish(RUN, shop) == record
    verdict = load_verdict(shop)
    assert record.thresholds == verdict.thresholds, "who changed the rules, also on the pointer"
    assert record.thresholds.sha256 == verdict.thresholds_sha256


def test_half_a_version_is_completed(shop: Storage, write_run: WriteRun) -> None:
    version = prepare_bundle(shop, write_run())
    Path(shop.published.address, version_key(version)).mkdir(parents=True)
    Path(shop.published.address, version_key(version), "card.json").write_text("{}")
    assert is_whole(shop, publish(RUN, shop))


def test_a_copy_that_arrived_changed_never_goes_live(shop: Storage, write_run: WriteRun) -> None:
    version = prepare_bundle(shop, write_run())
    fill_folder = shop.published.fill_folder

    def with_a_flipped_bit(source: Path, key: str) -> None:
        fill_folder(source, key)
        card = Path(shop.published.address, key, "card.json")
        card.write_bytes(card.read_bytes().replace(b"a", b"b", 1))

    shop.published.fill_folder = with_a_flipped_bit  # type: ignore[method-assign]
    with pytest.raises(PublishError, match=f"{version} differs"):
        publish(RUN, shop)
    assert live(shop) is None


def test_a_pointer_is_of_the_moment_it_moved(shop: Storage, write_run: WriteRun) -> None:
    """Copying may take minutes, in which the version before it is still live."""
    prepare_bundle(shop, write_run())
    copied: list[datetime] = []
    fill_folder = shop.published.fill_folder

    def noted(source: Path, key: str) -> None:
        fill_folder(source, key)
        copied.append(datetime.now(UTC))

    shop.published.fill_folder = noted  # type: ignore[method-assign]
    record = publish(RUN, shop)
    assert record.at > copied[0] and record == live(shop)


def two_prepared(shop: Storage, write_run: WriteRun) -> None:
    for run, hours in ((RUN, 0), (OTHER, 6)):
        prepare_bundle(shop, write_run(run=run, as_of=AS_OF + timedelta(hours=hours)))


def meanwhile(shop: Storage, step: Callable[[], object]) -> Storage:
    """Return the same shop, where something else happens right before its pointer is created."""
    late = Storage(shop.settings)
    create = late.published.create

    def after_it(key: str, content: bytes) -> None:
        if key.startswith("live/"):
            step()
        create(key, content)

    late.published.create = after_it  # type: ignore[method-assign]
    return late


def one_of_two_is_first(shop: Storage) -> None:
    """Let two runs create their pointers at the same moment."""
    together = threading.Barrier(2)
    answers: list[PublishRecord | PublishError] = []

    def go(run: str) -> None:
        try:
            answers.append(publish(run, meanwhile(shop, lambda: together.wait(timeout=20))))
        except PublishError as error:
            answers.append(error)

    threads = [threading.Thread(target=go, args=(run,)) for run in (RUN, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [answer for answer in answers if isinstance(answer, PublishRecord)]
    lost = [answer for answer in answers if isinstance(answer, PublishError)]
    assert len(won) == len(lost) == 1 and "first with pointer 1" in str(lost[0])
    assert live(shop) == won[0] and is_whole(shop, won[0])


def test_two_publishers_at_once(shop: Storage, write_run: WriteRun) -> None:
    two_prepared(shop, write_run)
    one_of_two_is_first(shop)


def test_the_same_run_published_twice_at_once(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    late = meanwhile(shop, partial(publish, RUN, shop))
    assert publish(RUN, late) == live(shop)


@pytest.mark.parametrize("harm", ["gone", "no manifest", "changed", "link", "extra"])
def test_a_live_copy_that_was_harmed_is_restored(
    shop: Storage, write_run: WriteRun, harm: str
) -> None:
    version = prepare_bundle(shop, write_run())
    record = publish(RUN, shop)
    folder = Path(shop.published.address, version_key(version))
    if harm == "gone":
        shop.published.delete_folder(version_key(version))
    if harm == "no manifest":
        (folder / MANIFEST).unlink()
    if harm == "changed":
        (folder / "card.json").write_text("{}")
    if harm == "link":
        shutil.move(folder / "model", shop.published.address)
        (folder / "model").symlink_to(Path(shop.published.address, "model"))
    if harm == "extra":
        (folder / "model/.x").write_text("x")
    assert publish(RUN, shop) == record == live(shop)
    assert is_whole(shop, record)


def test_the_other_publisher_of_the_same_run_finishes_after_the_check(
    shop: Storage, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And this one dies at its first change of what is live by then."""
    prepare_bundle(shop, write_run())
    late = Storage(shop.settings)
    fill_folder = late.published.fill_folder

    def after_the_other(source: Path, key: str) -> None:
        record = publish(RUN, shop)
        assert live(shop) == record
        for name in ("replace", "unlink", "rename"):
            monkeypatch.setattr(Path, name, dying_after(getattr(Path, name), monkeypatch))
        fill_folder(source, key)

    late.published.fill_folder = after_the_other  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        publish(RUN, late)
    now = live(shop)
    assert now is not None and is_whole(shop, now)


def dying_after(step: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def call(*arguments: Any, **more: Any) -> None:
        step(*arguments, **more)
        monkeypatch.undo()
        raise KilledError(step.__name__)

    return call


def test_what_went_live_since_the_verdict_is_not_overrun(
    shop: Storage, write_run: WriteRun
) -> None:
    two_prepared(shop, write_run)
    publish(RUN, shop)
    with pytest.raises(PublishError, match=r"is live, but run=other was judged against nothing"):
        publish(OTHER, shop)


def test_pointers_grow_and_name_the_one_before(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    first = publish(RUN, shop)
    prepare_bundle(shop, write_run(run=OTHER, as_of=AS_OF + timedelta(hours=6)))
    second = publish(OTHER, shop)
    assert (second.number, second.previous) == (2, first.version)
    assert live(shop) == second
    with pytest.raises(PublishError, match="is live, but"):
        publish(RUN, shop)


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
        evaluate(RUN, shop)
    save_verdict(shop, at=datetime.now(UTC))


def evaluated_after_the_verdict(shop: Storage) -> None:
    evaluate(RUN, shop)


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
        publish(RUN, shop)
    assert live(shop) is None and shop.published.list("") == []


def test_a_run_without_new_events(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    save_gate(shop, RUN, gate="events", checks=[], partitions=[])
    assert publish(RUN, shop) == live(shop)


def test_a_bundle_built_before_a_second_verdict(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    train(WINNER, RUN, shop)
    evaluate(RUN, shop)
    decide(RUN, shop)
    write_lists(shop, RUN, WINNER)
    with pytest.raises(ReleaseError, match="not refitted since it was judged"):
        publish(RUN, shop)
    refit(RUN, shop)
    with pytest.raises(PublishError, match="the model that was judged"):
        publish(RUN, shop)
    write_lists(shop, RUN, WINNER)
    build_bundle(RUN, shop)
    with pytest.raises(PublishError, match="never seen to answer"):
        publish(RUN, shop)
    save_serving(shop, RUN)
    assert live(shop) is None and publish(RUN, shop) == live(shop)


def test_a_broken_pointer_is_never_overrun(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    shop.published.write("live/0000000001.json", b"{")
    with pytest.raises(PublishError, match="cannot be read"):
        publish(RUN, shop)


def test_a_pointer_under_another_number(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    publish(RUN, shop)
    shop.published.write("live/0000000002.json", shop.published.read("live/0000000001.json"))
    with pytest.raises(PublishError, match=r"0000000002\.json says it is number 1"):
        live(shop)


def test_other_objects_are_no_pointers(shop: Storage) -> None:
    shop.published.write("live/readme.json", b"{")
    assert live(shop) is None


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


def test_an_approved_review_is_published(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    needs_a_person(shop)
    approve(shop)
    assert publish(RUN, shop) == live(shop)
