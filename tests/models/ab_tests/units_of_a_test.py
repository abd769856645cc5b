"""Writes the units of a phase as the marts do, from a truth that is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from infra.ledger.ab_tests import TestState
from infra.schemas import TEST_UNITS
from infra.storage import Storage
from models.ab_tests.unit_totals import units_key
from tests.infra.ledger.test_ab_tests import NOON

Row = dict[str, Any]
COUNTS = ("requests", "impressions", "clicks", "orders", "units", "orders_before", "units_before")
MONEY = [f"{kind}_revenue{end}" for kind in ("gross", "returned") for end in ("", "_before")]
HEALTHY = {
    "answers": {"control": 10_000, "treatment": 10_000},
    "other_versions": {"control": 0, "treatment": 0},
    "missing": {"control": 3, "treatment": 4},
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
    """Write the units of the current phase of a test, and what the marts say of its health."""
    address = shop.lake.begin(TEST_UNITS.name, units_key(state))
    schema = pa.schema(
        [
            ("unit_key", pa.string()),
            ("arm", pa.string()),
            ("arms", pa.int32()),
            ("first_exposed", pa.timestamp("us", tz="UTC")),
            ("is_mature", pa.bool_()),
            *((name, pa.int64()) for name in COUNTS),
            *((name, pa.float64()) for name in MONEY),
        ]
    )
    files, root = shop.lake.store.arrow_files()
    folder = f"{root}/{TEST_UNITS.name}/{units_key(state)}"
    files.create_dir(folder, recursive=True)
    table = pa.Table.from_pylist(rows, schema=schema)
    half = table.num_rows // 2  # two files, as Spark writes several
    for number, part in enumerate((table.slice(0, half), table.slice(half))):
        pq.write_table(part, f"{folder}/part-{number}.parquet", filesystem=files)
    assert address.endswith(units_key(state))
    said = {"rows": len(rows), "written_at": "2026-12-20T00:00:00+00:00", **HEALTHY, **facts}
    shop.lake.commit(TEST_UNITS.name, units_key(state), said)
