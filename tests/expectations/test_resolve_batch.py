"""A stopped batch waits for a person; what they decide holds, for the batch as it was judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from textwrap import dedent

import pytest

from expectations.events import gate_events
from expectations.resolve_batch import main, resolve_batch, waiting
from infra.errors import GateError, InputError
from infra.ledger.batches import (
    accepted_batches,
    decide,
    kept_batches,
    read_batches,
    stopped_batches,
)
from infra.ledger.run_records import RunRecords
from infra.records.gates import BatchDecision
from infra.report.page import write_report
from infra.storage import Storage
from tests.conftest import REPOSITORY
from tests.expectations.lake import AS_OF, WRITTEN, event, events, put_batch

BATCH, OTHER = "batch=shop-000000", "batch=shop-000001"
BROKEN = events(10, event(0))
WHY = "counted by hand"


@pytest.fixture
def stopped(shop: Storage) -> Storage:
    """Return a shop whose only batch was stopped by its gate."""
    put_batch(shop, BATCH, BROKEN)
    judge(shop)
    return shop


def judge(shop: Storage, run: str = "run=first") -> str:
    """Judge as a run does, and return the error that stops it, or nothing."""
    try:
        gate_events(shop, run, AS_OF)
    except GateError as error:
        return str(error)
    return ""


def test_who_decided_why_and_for_what_is_written_down(stopped: Storage) -> None:
    counts = resolve_batch(stopped, f" {BATCH} ", "accept", "anna", f" {WHY} ", "run=form")
    assert counts == {"batch": BATCH, "decision": "accepted", "by": "anna"}
    decision = read_batches(stopped)[BATCH].decision
    assert decision is not None
    assert (decision.by, decision.why, decision.run) == ("anna", WHY, "run=form")
    assert decision.written_at == WRITTEN
    assert decision.at is not None


def test_an_accepted_batch_is_used_and_not_judged_again(stopped: Storage) -> None:
    resolve_batch(stopped, BATCH, "accept", "anna", WHY)
    assert judge(stopped, "run=second") == ""
    assert accepted_batches(read_batches(stopped)) == (BATCH,)


def test_a_discarded_batch_stays_out_and_stops_nobody(stopped: Storage) -> None:
    put_batch(stopped, OTHER, events(10))
    assert "resolve_batch" in judge(stopped, "run=second")
    resolve_batch(stopped, BATCH, "discard", "anna", WHY)
    assert judge(stopped, "run=third") == ""
    assert accepted_batches(read_batches(stopped)) == (OTHER,)
    assert kept_batches(read_batches(stopped)) == (OTHER,)


def test_the_next_report_says_who_decided_and_why_and_later_ones_do_not(stopped: Storage) -> None:
    put_batch(stopped, OTHER, BROKEN)
    judge(stopped, "run=second")
    resolve_batch(stopped, BATCH, "accept", "anna", WHY)
    resolve_batch(stopped, OTHER, "discard", "ben", "delivered twice")
    told = {}
    for number, run in enumerate(("run=third", "run=fourth"), 2):
        put_batch(stopped, f"batch=shop-00000{number}", events(10))
        assert judge(stopped, run) == ""
        record = RunRecords(stopped, run).load_gate("events")
        assert record is not None
        told[run] = {batch: (one.by, one.why) for batch, one in record.decided.items()}
    assert told["run=third"] == {BATCH: ("anna", WHY), OTHER: ("ben", "delivered twice")}
    assert told["run=fourth"] == {}
    assert judge(stopped, "run=fourth") == "", "a rerun tells the same"
    write_report(stopped, "run=third")
    page = stopped.reports.read("run=third/index.html").decode()
    assert "was accepted by <b>anna</b>" in page and WHY in page


@pytest.mark.parametrize("form", ["", ', "at": "{:%Y-%m-%dT%H:%M:%S.%f}"'])
def test_a_decision_by_hand_without_a_zone_or_a_time_is_told_once_too(
    stopped: Storage, form: str
) -> None:
    at = form.format(datetime.now(UTC))
    by_hand = f'{{"decision": "accepted", "by": "ben"{at}}}'
    stopped.lake.store.write(f"decisions/events/{BATCH}.json", by_hand.encode())
    told = []
    for number, run in enumerate(("run=second", "run=third"), 1):
        put_batch(stopped, f"batch=shop-00000{number}", events(10))
        assert judge(stopped, run) == ""
        record = RunRecords(stopped, run).load_gate("events")
        assert record is not None
        told.append([(batch, one.by) for batch, one in record.decided.items()])
    assert told == [[(BATCH, "ben")], []]


def test_a_shop_whose_batches_were_all_discarded_is_stopped_and_its_page_says_why(
    stopped: Storage,
) -> None:
    resolve_batch(stopped, BATCH, "discard", "anna", WHY)
    assert "batches of events that are accepted in source=shop: 0" in judge(stopped, "run=second")
    write_report(stopped, "run=second")
    page = stopped.reports.read("run=second/index.html").decode()
    assert "Stopped at the gate “events”" in page
    assert "Without an accepted batch of a source there is nothing to learn from" in page


def test_a_decision_does_not_hold_for_a_batch_that_was_written_anew(stopped: Storage) -> None:
    resolve_batch(stopped, BATCH, "accept", "anna", WHY)
    put_batch(stopped, BATCH, BROKEN, written_at=WRITTEN + timedelta(minutes=1))
    with pytest.raises(InputError, match="was not checked yet as it is now"):
        resolve_batch(stopped, BATCH, "accept", "anna", WHY)
    assert "occur more than once" in judge(stopped, "run=second")


@pytest.mark.parametrize(
    ("batch", "word", "why", "fault"),
    [
        ("batch=shop-000009", "accept", WHY, "There is no batch 'batch=shop-000009'. These wait"),
        ("../secrets", "accept", WHY, "There is no batch"),
        (BATCH, "accept", "  ", "The reason is empty"),
        (BATCH, "accept", "x" * 1001, "The reason is too long"),
        (BATCH, "perhaps", WHY, "'perhaps' is no decision"),
        (OTHER, "accept", WHY, f"{OTHER} was not checked yet as it is now. These wait: {BATCH}"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    stopped: Storage, batch: str, word: str, why: str, fault: str
) -> None:
    put_batch(stopped, OTHER, events(10))
    with pytest.raises(InputError, match=fault):
        resolve_batch(stopped, batch, word, "anna", why)
    assert stopped_batches(read_batches(stopped)) == (BATCH,)


def test_a_batch_that_does_not_wait_cannot_be_decided_on(stopped: Storage) -> None:
    resolve_batch(stopped, BATCH, "discard", "anna", WHY)
    with pytest.raises(InputError, match="does not wait: anna has discarded it. No batch waits"):
        resolve_batch(stopped, BATCH, "accept", "ben", "I want it")
    assert accepted_batches(read_batches(stopped)) == ()


def test_the_same_decision_may_be_written_again_by_its_own_run(stopped: Storage) -> None:
    for _ in range(2):  # the task was killed after it wrote
        assert resolve_batch(stopped, BATCH, "accept", "anna", WHY, "run=form")["by"] == "anna"
    with pytest.raises(InputError, match="does not wait"):
        resolve_batch(stopped, BATCH, "discard", "anna", WHY, "run=form")


def test_a_gate_that_was_judging_meanwhile_does_not_overrule_a_person(
    stopped: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from expectations import events as gate

    write_record = gate.write_record

    def slowly(*args: object, **kwargs: object) -> object:
        resolve_batch(stopped, BATCH, "accept", "anna", WHY)
        return write_record(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(gate, "write_record", slowly)
    judge(stopped, "run=second")
    assert accepted_batches(read_batches(stopped)) == (BATCH,)


def test_the_list_says_what_waits_and_for_what(
    stopped: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    (one,) = waiting(stopped)
    assert (one.batch, [check.name for check in one.failed]) == (BATCH, ["repeated_ids"])
    assert main() == 0
    assert "batch=shop-000000  " in capsys.readouterr().out
    resolve_batch(stopped, BATCH, "discard", "anna", WHY)
    assert main() == 0
    assert "No batch waits for a decision." in capsys.readouterr().out


def test_the_page_for_data_engineers_shows_the_list_as_it_is_printed(
    shop: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = "batch=shop-000012"
    put_batch(shop, batch, BROKEN)
    judge(shop)
    decision = read_batches(shop)[batch].decision
    assert decision is not None
    at = datetime(2026, 11, 24, 6, tzinfo=UTC)
    shop.lake.store.write(
        f"decisions/events/{batch}.json",
        decision.model_copy(update={"at": at}).model_dump_json().encode(),
    )
    main()
    table = capsys.readouterr().out.partition("\n\n")[0]
    page = (REPOSITORY / "docs/how-to/resolve_a_batch.md").read_text()
    assert dedent(page.split("```")[1]).strip() == dedent(table).strip()


def test_a_stop_written_by_hand_can_be_decided_on_too(shop: Storage) -> None:
    put_batch(shop, BATCH, events(10))
    decide(shop, BATCH, BatchDecision(decision="stopped", by="ben", why="wait for the shop"))
    judge(shop, "run=second")
    record = RunRecords(shop, "run=second").load_gate("events")
    assert record is not None
    (counted,) = (one.value for one in record.checks if one.name == "accepted_batches")
    assert counted == 0, "it meets all rules, and nobody learns from it all the same"
    resolve_batch(shop, BATCH, "accept", "anna", WHY)
    assert accepted_batches(read_batches(shop)) == (BATCH,)
