"""A gate measures what is on disk, says it in words, and stops the run when it must."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations import gate, measures, suite
from expectations.profile import measure
from infra.errors import GateError, SettingsError, StorageError
from infra.records import BatchDecision
from infra.run_records import RunRecords
from infra.storage import Storage

RUN = "run=test"
BATCH = "batch=shop-000000"
WHEN = datetime(2026, 11, 20, tzinfo=UTC)


def event(number: int, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "event_id": f"e{number}",
        "event_time": WHEN,
        "event_type": "view",
        "user_key": f"u{number % 3}",
        "item_id": f"i{number % 5}",
        "unit_price": 1.0,
    }
    return {**row, **changes}


def put(
    shop: Storage, rows: list[dict[str, Any]], batch: str = BATCH, quarantined: int = 0
) -> None:
    folder = Path(shop.lake.begin("events", batch))
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "part.parquet")
    read = len(rows) + quarantined
    facts = {"rows_read": read, "quarantined": {"too_old": quarantined} if quarantined else {}}
    shop.lake.commit("events", batch, {**facts, "written_at": datetime.now(UTC)})


GOOD = [event(number) for number in range(10)]


def test_a_good_batch_is_accepted_and_recorded(shop: Storage) -> None:
    put(shop, GOOD)
    record = gate.gate_events(shop, RUN)
    assert record.verdict == "passed"
    assert shop.accepted_batches() == (BATCH,)
    assert RunRecords(shop, RUN).load_gate("events") == record
    assert {check.name: check.value for check in record.checks}["users"] == 3
    assert all(check.says and check.why for check in record.checks)


@pytest.mark.parametrize(
    ("rows", "quarantined", "broken"),
    [
        ([*GOOD, event(0)], 0, "repeated_ids"),
        ([*GOOD, event(10, event_type="hover")], 0, "unknown_type_share"),
        ([*GOOD, event(10, user_key=None)], 0, "user_key_null_share"),
        ([*GOOD, event(10, item_id=None)], 0, "item_id_null_share"),
        (GOOD, 2, "quarantined_share"),
        ([event(0), event(5)], 0, "items"),
    ],
)
def test_a_broken_rule_stops_the_batch(
    shop: Storage, rows: list[dict[str, Any]], quarantined: int, broken: str
) -> None:
    put(shop, rows, quarantined=quarantined)
    with pytest.raises(GateError, match="The events gate stopped the run"):
        gate.gate_events(shop, RUN)
    record = RunRecords(shop, RUN).load_gate("events")
    assert record is not None
    assert {check.name for check in record.checks if not check.passed} == {broken}
    assert shop.accepted_batches() == ()


def test_the_last_quarantined_row_that_is_still_fine(shop: Storage) -> None:
    put(shop, [event(number) for number in range(9)], quarantined=1)
    assert gate.gate_events(shop, RUN).verdict == "passed"


def test_a_warning_is_shown_and_stops_nothing(shop: Storage) -> None:
    put(shop, [*GOOD, event(10, unit_price=-1.0)])
    assert gate.gate_events(shop, RUN).verdict == "warned"
    assert shop.accepted_batches() == (BATCH,)


def test_a_retry_does_not_walk_past_a_stopped_batch(shop: Storage) -> None:
    put(shop, [*GOOD, event(0)])
    for _ in range(2):
        with pytest.raises(GateError, match="stand more than once"):
            gate.gate_events(shop, RUN)


def test_an_empty_batch_is_stopped_though_its_shares_are_undefined(shop: Storage) -> None:
    put(shop, GOOD)
    table = pa.Table.from_pylist(GOOD).slice(0, 0)
    pq.write_table(table, Path(shop.lake.address("events", BATCH)) / "part.parquet")
    with pytest.raises(GateError, match="events in the batch: 0"):
        gate.gate_events(shop, RUN)
    record = RunRecords(shop, RUN).load_gate("events")
    assert record is not None
    undefined = [check for check in record.checks if check.value is None]
    assert undefined
    assert not any(check.passed for check in undefined)


def test_no_batch_at_all_is_an_error(shop: Storage) -> None:
    with pytest.raises(GateError, match="No batch of events is accepted"):
        gate.gate_events(shop, RUN)


def test_an_unfinished_table_is_an_error(shop: Storage) -> None:
    with pytest.raises(StorageError, match="is not finished"):
        gate.gate_interactions(shop, RUN)


@pytest.mark.parametrize("name", ["events", "interactions", "recommendations"])
def test_every_measure_has_a_limit_with_a_reason(name: str) -> None:
    measured = getattr(measures, name.upper())
    limits = suite.load_limits(Path(gate.__file__).with_name(f"{name}.yaml"), measured)
    assert set(limits) == set(measured)


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
        suite.load_limits(file, {"rows": measures.EVENTS["rows"]})


def test_a_measure_is_taken_from_the_table(shop: Storage) -> None:
    put(shop, GOOD)
    one = {"rows": measures.EVENTS["rows"]}
    assert measure(shop, one, {"events": BATCH}, {"rows_read": 10})["rows"].tolist() == [10]


def test_a_batch_of_nothing_new_is_accepted_as_it_is(shop: Storage) -> None:
    put(shop, GOOD)
    gate.gate_events(shop, RUN)
    put(shop, [event(0)], "batch=shop-000001")
    facts = {"rows_read": 7, "duplicates": 7, "quarantined": {}, "written_at": datetime.now(UTC)}
    shop.lake.commit("events", "batch=shop-000001", facts)
    assert gate.gate_events(shop, "run=second").verdict == "passed"
    assert len(shop.accepted_batches()) == 2


def test_a_rerun_of_the_gate_leaves_the_same_record(shop: Storage) -> None:
    put(shop, GOOD)
    first = gate.gate_events(shop, RUN)
    again = gate.gate_events(shop, RUN)
    assert again.checks == first.checks
    assert again.partitions == (BATCH,)


def test_a_decision_holds_only_for_the_batch_that_was_judged(shop: Storage) -> None:
    put(shop, GOOD)
    gate.gate_events(shop, RUN)
    put(shop, [*GOOD, event(0)])  # ingested anew, otherwise
    assert shop.accepted_batches() == ()
    with pytest.raises(GateError, match="stand more than once"):
        gate.gate_events(shop, "run=second")


@pytest.mark.parametrize("text", ['{"decision": "accept", "by": "anna"}', "{", '{"by": "anna"}'])
def test_a_decision_that_cannot_be_meant_is_refused(shop: Storage, text: str) -> None:
    put(shop, GOOD)
    shop.lake.store.write(f"decisions/events/{BATCH}.json", text.encode())
    with pytest.raises(StorageError, match="cannot be read"):
        shop.accepted_batches()


def test_a_person_may_accept_a_stopped_batch(shop: Storage) -> None:
    put(shop, [*GOOD, event(0)])
    with pytest.raises(GateError):
        gate.gate_events(shop, RUN)
    shop.decide(BATCH, BatchDecision(decision="accepted", by="anna", why="counted by hand"))
    assert gate.gate_events(shop, "run=second").verdict == "passed"
    assert shop.accepted_batches() == (BATCH,)
