"""The gate of the marts lets a build count, or keeps the one before."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.marts import MEASURES, gate_marts
from infra.errors import GateError, StorageError
from infra.ledger.marts import KEPT, built_by, latest, mart, save_built, show
from infra.ledger.run_records import RunRecords
from infra.mart_schemas import CUSTOMERS_DAILY, EXPOSURES, KPI_DAILY, SERVED, TEST_UNITS
from infra.places import MARTS as MARTS_FOLDER
from infra.records.marts import MartsRecord, build_of
from infra.storage import Storage
from infra.table import Table

RUN = "run=marts"
DAY = date(2026, 11, 24)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
_ARROW = {
    "DATE": pa.date32(),
    "STRING": pa.string(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "ARRAY<STRING>": pa.list_(pa.string()),
    "MAP<STRING,DOUBLE>": pa.map_(pa.string(), pa.float64()),
    "MAP<STRING,BIGINT>": pa.map_(pa.string(), pa.int64()),
}
ZEROS: dict[str, Any] = {
    **{"DATE": DAY, "STRING": "x", "TIMESTAMP": NOON, "INT": 1, "BIGINT": 1, "DOUBLE": 1.0},
    **{"BOOLEAN": False, "ARRAY<STRING>": [], "MAP<STRING,DOUBLE>": {}, "MAP<STRING,BIGINT>": {}},
}


def row(table: Table, **changes: Any) -> dict[str, Any]:
    plain = {name: ZEROS[kind] for name, kind in table.kinds.items()}
    return {**plain, **changes}


def exposed(item: str, **changes: Any) -> dict[str, Any]:
    return row(EXPOSURES, request_id="r", item_id=item, **changes)


GOOD: dict[Table, list[dict[str, Any]]] = {
    EXPOSURES: [exposed("a"), exposed("b")],
    KPI_DAILY: [row(KPI_DAILY, items_shown=2)],
    CUSTOMERS_DAILY: [row(CUSTOMERS_DAILY, people=3, new_people=1, returning_people=2)],
    TEST_UNITS: [row(TEST_UNITS, unit_key="u", arm="control")],
}


def put(shop: Storage, tables: dict[Table, list[dict[str, Any]]], number: int = 1) -> None:
    """Write a build of these tables, as the job would."""
    names = {table: "1-1" if table is TEST_UNITS else str(DAY) for table in tables}
    for table, rows in tables.items():
        kinds = pa.schema({name: _ARROW[kind] for name, kind in table.kinds.items()})
        folder = Path(shop.lake.begin(table.name, build_of(number))) / f"of={names[table]}"
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=kinds), folder / "part-0.parquet")
        shop.lake.commit(table.name, build_of(number), {"tests": {"1-1": {"units": 1}}})
    record = MartsRecord(
        **{"number": number, "at": NOON, "run": RUN, "known_until": NOON},
        final_until={},
        events={},
        served={},
        partitions={table.name: {name: number} for table, name in names.items()},
    )
    save_built(shop, record)


def put_log(shop: Storage, rows: int, last: int) -> None:
    span = {"process": "w1", "day": str(DAY), "first": 1, "last": last, "rows": rows}
    shop.lake.commit(SERVED.name, "batch=served_log-000001", {"processes": [span]})


def test_a_good_build_counts_from_then_on(shop: Storage) -> None:
    put(shop, GOOD)
    put_log(shop, rows=999, last=1_000)
    with pytest.raises(StorageError, match="does not have anything"):
        mart(shop, KPI_DAILY.name)
    record = gate_marts(shop, RUN)
    assert record.result == "passed"
    left_out = {check.name for check in record.checks if check.not_judged}
    assert left_out == {name for name in MEASURES if name.endswith(("sales", "person_days"))}
    assert mart(shop, KPI_DAILY.name, str(DAY)).count_rows() == 1
    assert gate_marts(shop, RUN).result == "passed", "safe to rerun"


@pytest.mark.parametrize(
    ("table", "rows", "rule"),
    [
        (EXPOSURES, [exposed("a"), exposed("a")], "repeated_exposures"),
        (EXPOSURES, [exposed("a"), exposed("b", quantity=-1)], "below_zero_exposures"),
        (EXPOSURES, [exposed("a"), exposed("b", source=None)], "incomplete_exposures"),
        (EXPOSURES, [exposed("a")], "items_apart"),
        (KPI_DAILY, [row(KPI_DAILY, items_shown=1)] * 2, "repeated_kpi_daily"),
        (CUSTOMERS_DAILY, [row(CUSTOMERS_DAILY, people=9)], "people_apart"),
        (TEST_UNITS, [row(TEST_UNITS, arm="other")], "units_in_no_arm"),
        (TEST_UNITS, [row(TEST_UNITS, arm="control")] * 2, "unknown_units"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_build_that_breaks_a_rule_does_not_count(
    shop: Storage, table: Table, rows: list[dict[str, Any]], rule: str
) -> None:
    put(shop, {**GOOD, table: rows})
    with pytest.raises(GateError, match="marts gate stopped"):
        gate_marts(shop, RUN)
    record = RunRecords(shop, RUN).load_gate("marts")
    assert record is not None
    assert rule in {check.name for check in record.checks if check.failed}
    assert latest(shop) is None


@pytest.mark.parametrize(
    ("rows", "told"),
    [(990, {"missing_share"}), (700, {"missing_share", "missing_share_of_a_day"})],
)
def test_gaps_of_the_log_are_told_and_stop_nothing(
    shop: Storage, rows: int, told: set[str]
) -> None:
    """Lost lines never come back, so a build that waited for them would wait for a week."""
    put(shop, GOOD)
    put_log(shop, rows, last=1_000)
    gate = gate_marts(shop, RUN)
    assert gate.result == "warned"
    assert {check.name for check in gate.checks if check.failed} == told
    assert latest(shop) is not None


def test_what_earlier_runs_left_does_not_pile_up(shop: Storage) -> None:
    for number in range(1, KEPT + 3):
        put(shop, GOOD, number)
        record = built_by(shop, RUN)
        save_built(shop, record.model_copy(update={"run": "run=stopped"}))
        show(shop, record)
    left = shop.lake.store.list(MARTS_FOLDER)
    assert len(left) == KEPT, "and nothing that waits for a gate"
    assert not [name for name in left if "/built/" in name]
    with pytest.raises(StorageError, match="run=stopped built no marts"):
        built_by(shop, "run=stopped")


def test_a_build_that_another_run_overtook_does_not_count(shop: Storage) -> None:
    put(shop, GOOD)
    gate_marts(shop, RUN)
    put(shop, {**GOOD, KPI_DAILY: [row(KPI_DAILY, items_shown=2, clicks=0)]})
    record = latest(shop)
    assert record is not None
    save_built(shop, record.model_copy(update={"known_until": datetime(2026, 11, 25, tzinfo=UTC)}))
    with pytest.raises(Exception, match="Another run was first with build 1"):
        gate_marts(shop, RUN)
