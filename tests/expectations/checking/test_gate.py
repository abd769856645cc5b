"""A gate measures what is on disk, says it in words, and stops the run when it must."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from expectations.checking import suite
from expectations.event_measures import MEASURES
from expectations.events import gate_events
from expectations.interactions import gate_interactions
from infra.errors import GateError, SettingsError, StorageError
from infra.ledger.batches import accepted_batches, decide, read_batches
from infra.ledger.run_records import RunRecords
from infra.records.gates import BatchDecision, GateRecord
from infra.settings import load_settings
from infra.storage import Storage
from tests.expectations.lake import AS_OF, WRITTEN, event, events, put_batch

RUN = "run=test"
BATCH = "batch=shop-000000"
GOOD = events(10)


def put(shop: Storage, rows: list[dict[str, Any]], batch: str = BATCH, **facts: Any) -> None:
    put_batch(shop, batch, rows, **facts)


def gate(shop: Storage, run: str = RUN) -> GateRecord:
    return gate_events(shop, run, AS_OF)


def test_a_good_batch_is_accepted_and_recorded(shop: Storage) -> None:
    put(shop, GOOD)
    record = gate(shop)
    assert record.result == "passed"
    assert accepted_batches(read_batches(shop)) == (BATCH,)
    assert RunRecords(shop, RUN).load_gate("events") == record
    assert {check.name: check.value for check in record.checks}["users"] == 3
    assert all(check.says and check.why for check in record.checks)


def test_a_broken_rule_stops_the_batch(shop: Storage) -> None:
    put(shop, [*GOOD, event(10, item_id=None)])
    with pytest.raises(GateError, match="Decide on batch=shop-000000 with the DAG resolve_batch"):
        gate(shop)
    record = RunRecords(shop, RUN).load_gate("events")
    assert record is not None
    assert {check.name for check in record.checks if check.failed} == {
        "item_id_missing_share",
        "accepted_batches",
    }
    assert record.waiting == (BATCH,)
    assert accepted_batches(read_batches(shop)) == ()


def test_a_warning_is_shown_and_stops_nothing(shop: Storage) -> None:
    put(shop, [*GOOD, event(10, unit_price=-1.0)])
    assert gate(shop).result == "warned"
    assert accepted_batches(read_batches(shop)) == (BATCH,)


def test_a_retry_does_not_walk_past_a_stopped_batch(shop: Storage) -> None:
    put(shop, [*GOOD, event(0)])
    for _ in range(2):
        with pytest.raises(GateError, match="occur more than once"):
            gate(shop)


def test_an_empty_batch_is_stopped_though_its_shares_are_undefined(shop: Storage) -> None:
    put(shop, [], rows_read=1, clean=0)
    with pytest.raises(
        GateError, match="no new event came in batch=shop-000000: the books do not say"
    ):
        gate(shop)
    record = RunRecords(shop, RUN).load_gate("events")
    assert record is not None
    undefined = [check for check in record.checks if check.value is None]
    assert undefined
    assert not any(check.passed for check in undefined)


def test_no_batch_at_all_stops_the_run_and_the_record_says_so(shop: Storage) -> None:
    with pytest.raises(GateError, match="batches of events that are accepted in source=shop: 0"):
        gate(shop)
    record = RunRecords(shop, RUN).load_gate("events")
    assert record is not None
    assert (record.result, record.waiting) == ("stopped", ())


def test_an_unfinished_table_is_an_error(shop: Storage) -> None:
    with pytest.raises(StorageError, match="is not finished"):
        gate_interactions(shop, RUN)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("rows: {min: 1, severity: critical}", "key 'why' is missing"),
        ("rows: {min: 1, severity: fatal, why: x}", "key 'severity'"),
        ("rows: {severity: critical, why: x}", "needs min, max or both"),
        ("rows: {min: 2, max: 1, severity: critical, why: x}", "min is above max"),
        ("rows: {min: .nan, severity: critical, why: x}", "finite"),
        ("rows: {min: 1, serverity: critical, why: x}", "unknown key 'serverity'"),
        ("rowz: {min: 1, severity: critical, why: x}", "'rows' is unknown or missing"),
        ("", "holds no keys"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=fault):
        suite.load_limits(file, {"rows": MEASURES["rows"]})


def test_a_batch_of_nothing_new_is_accepted_as_it_is(shop: Storage) -> None:
    put(shop, GOOD)
    gate(shop)
    put(shop, [event(0)], "batch=shop-000001", rows_read=7, duplicates=7)
    assert gate(shop, "run=second").result == "passed"
    assert len(accepted_batches(read_batches(shop))) == 2


def test_a_batch_of_declared_non_events_is_let_in_as_nothing_new_and_shown(shop: Storage) -> None:
    put(shop, GOOD)
    gate(shop)
    facts = {"duplicates": 2, "not_events": {"heartbeat": 5}}
    put(shop, [], "batch=shop-000001", rows_read=7, **facts)
    record = gate(shop, "run=second")
    assert [check.name for check in record.checks if check.failed] == ["not_events_share"]
    assert (record.result, len(accepted_batches(read_batches(shop)))) == ("warned", 2)
    put(shop, [], "batch=shop-000002", rows_read=8, quarantined={"too_old": 1}, **facts)
    with pytest.raises(GateError, match="shop-000002: 5 of its 8 rows are ignored by"):
        gate(shop, "run=third")


def test_a_source_without_a_batch_is_not_taken_for_a_fresh_one(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATWALK_SOURCES", "app,shop")
    put(shop, GOOD)
    put(shop, GOOD, "batch=app-000000")
    decide(shop, "batch=app-000000", BatchDecision(decision="discarded", by="eva", why="a trial"))
    with pytest.raises(GateError, match=r"in source=app: not measured \(at most 36"):
        gate(Storage(load_settings()))
    shop.lake.store.delete_folder("events/batch=app-000000")
    monkeypatch.setenv("CATWALK_SOURCES", "app")
    with pytest.raises(GateError, match="source=app: not measured"):
        gate(Storage(load_settings()))


def test_a_rerun_of_the_gate_leaves_the_same_record(shop: Storage) -> None:
    put(shop, GOOD)
    first = gate(shop)
    again = gate(shop)
    assert again.checks == first.checks
    assert again.partitions == (BATCH,)


def test_a_decision_holds_only_for_the_batch_that_was_judged(shop: Storage) -> None:
    put(shop, GOOD)
    gate(shop)
    put(shop, [*GOOD, event(0)], written_at=WRITTEN + timedelta(minutes=1))  # ingested anew
    assert accepted_batches(read_batches(shop)) == ()
    with pytest.raises(GateError, match="occur more than once"):
        gate(shop, "run=second")


def test_a_batch_that_is_written_anew_while_it_is_judged_is_not_accepted(shop: Storage) -> None:
    put(shop, GOOD)
    write = shop.reports.write

    def after_another_ingest(key: str, content: bytes) -> None:
        if key.endswith("gates/events.json"):
            put(shop, [*GOOD, event(0)], written_at=WRITTEN + timedelta(minutes=1))
        write(key, content)

    shop.reports.write = after_another_ingest  # type: ignore[method-assign]
    gate(shop)
    assert accepted_batches(read_batches(shop)) == ()


@pytest.mark.parametrize("text", ['{"decision": "accept", "by": "anna"}', "{", '{"by": "anna"}'])
def test_a_decision_that_cannot_be_meant_is_refused(shop: Storage, text: str) -> None:
    put(shop, GOOD)
    shop.lake.store.write(f"decisions/events/{BATCH}.json", text.encode())
    with pytest.raises(StorageError, match="cannot be read"):
        accepted_batches(read_batches(shop))


def test_the_gate_never_overwrites_a_person_who_was_first_by_a_moment(shop: Storage) -> None:
    """It has looked, then the person decides, then it writes."""
    put(shop, GOOD)
    for word, by in (("discarded", "anna"), ("accepted", "gate")):
        facts = {"decision": word, "by": by, "run": RUN, "why": "tests of the shop"}
        decide(shop, BATCH, BatchDecision.model_validate(facts))
    assert accepted_batches(read_batches(shop)) == ()
    decided = read_batches(shop)[BATCH].decision
    assert decided is not None and decided.by == "anna"


def test_a_person_may_accept_a_stopped_batch(shop: Storage) -> None:
    put(shop, [*GOOD, event(0)])
    with pytest.raises(GateError):
        gate(shop)
    decide(shop, BATCH, BatchDecision(decision="accepted", by="anna", why="counted by hand"))
    assert gate(shop, "run=second").result == "passed"
    assert accepted_batches(read_batches(shop)) == (BATCH,)


def test_a_rule_that_great_expectations_drops_is_not_taken_as_passed(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It drops a rule that it cannot build, with a line in the log, and goes on."""
    from great_expectations.core.expectation_suite import ExpectationSuite
    from great_expectations.exceptions import InvalidExpectationConfigurationError

    build = ExpectationSuite._build_expectation

    def build_but_one(self: ExpectationSuite, expectation_configuration: Any) -> Any:
        if expectation_configuration["kwargs"]["column"] == "repeated_ids":
            raise InvalidExpectationConfigurationError("no such rule")
        return build(self, expectation_configuration)

    monkeypatch.setattr(ExpectationSuite, "_build_expectation", build_but_one)
    put(shop, GOOD)
    with pytest.raises(GateError, match="left repeated_ids unanswered"):
        gate(shop)
    assert accepted_batches(read_batches(shop)) == ()
