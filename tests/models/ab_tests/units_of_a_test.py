"""Writes the units of a phase as the marts do, from a truth that is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from infra.ledger.ab_tests import TestState
from infra.ledger.marts import latest, show
from infra.mart_schemas import SERVED, TEST_UNITS
from infra.records.marts import MartsRecord, build_of, partition_of
from infra.storage import Storage
from tests.infra.ledger.test_ab_tests import NOON

Row = dict[str, Any]
COUNTS = ("requests", "impressions", "clicks", "orders", "units", "orders_before", "units_before")
MONEY = [f"{kind}_revenue{end}" for kind in ("gross", "returned") for end in ("", "_before")]
HEALTHY = {
    "known_until": "2026-12-20T00:00:00+00:00",
    "answers_by_version": {"control": {"v1": 10_000}, "treatment": {"v2": 10_000}},
}


def shoppers(
    arm: str, n: int, buy: float, since: datetime = NOON, seed: int = 1, **fixed: Any
) -> list[Row]:
    """Return units of an arm, first exposed over 13 days, of whom a share buys once."""
    rng = np.random.default_rng([seed, arm == "treatment"])
    bought, before = rng.random(n) < buy, rng.random(n) < 0.05
    clicks, prices = rng.binomial(10, 0.1, n), rng.exponential(40, (2, n))
    when = np.sort(rng.random(n)) * 13
    return [
        {
            "unit_key": f"{arm[0]}{unit:07d}",
            "arm": arm,
            "arms": 1,
            "first_exposed": since + timedelta(days=float(when[unit])),
            "is_mature": True,
            "requests": 2,
            "impressions": 10,
            "clicks": int(clicks[unit]),
            "orders": int(bought[unit]),
            "units": 2 * int(bought[unit]),
            "gross_revenue": float(bought[unit] * prices[0, unit]),
            "returned_revenue": 0.0,
            "orders_before": int(before[unit]),
            "units_before": int(before[unit]),
            "gross_revenue_before": float(before[unit] * prices[1, unit]),
            "returned_revenue_before": 0.0,
            **fixed,
        }
        for unit in range(n)
    ]


def land_units(shop: Storage, state: TestState, rows: list[Row], **facts: Any) -> None:
    """Write the units of the current phase of a test as a build of the marts, and show it."""
    before, name = latest(shop), f"{state.test.number}-{state.phase_number}"
    number = before.number + 1 if before else 1
    schema = pa.schema(
        [
            ("unit_key", pa.string()),
            ("arm", pa.string()),
            ("arms", pa.int32()),
            ("first_exposed", pa.timestamp("us", tz="UTC")),
            ("is_mature", pa.bool_()),
            *((column, pa.int64()) for column in COUNTS),
            *((column, pa.float64()) for column in MONEY),
        ]
    )
    files, root = shop.lake.store.arrow_files()
    folder = f"{root}/{TEST_UNITS.name}/{partition_of(number, name)}"
    files.create_dir(folder, recursive=True)
    table = pa.Table.from_pylist(rows, schema=schema)
    half = table.num_rows // 2  # two files, as Spark writes several
    for part, content in enumerate((table.slice(0, half), table.slice(half))):
        pq.write_table(content, f"{folder}/part-{part}.parquet", filesystem=files)
    own = {"control": state.test.control.version, "treatment": state.test.treatment.version}
    said = {**HEALTHY, "answers_by_version": {arm: {own[arm]: 10_000} for arm in own}, **facts}
    shop.lake.commit(TEST_UNITS.name, build_of(number), {"tests": {name: said}})
    shown = before.partitions.get(TEST_UNITS.name, {}) if before else {}
    show(shop, MartsRecord(
        number=number, at=NOON, run="run=marts", known_until=NOON, final_until={}, events={},
        served={}, partitions={TEST_UNITS.name: {**shown, name: number}},
    ))  # fmt: skip


def land_log(shop: Storage, day: str, answers: int, missing: int) -> None:
    """Write the books of a batch of the served log, of one worker that lost some answers."""
    span = {"process": "w1", "day": day, "first": 1, "last": answers + missing, "rows": answers}
    shop.lake.commit(SERVED.name, "batch=served_log-000001", {"processes": [span], "rows": answers})
