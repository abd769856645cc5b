"""Public logs are split, weighed and cut into visits as the tables of a run are."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import InputError
from models.benches.public_logs import dunnhumby, retailrocket

START = datetime(2026, 1, 1)
LINES = [
    ("a", "x", 0, 2),
    ("a", "x", 0, 2),
    ("a", "y", 60, 1),
    ("b", "x", 60, 0),
    ("b", "y", 70, 1),
]


def test_groceries_are_weighed_by_day_and_fade(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    folder.mkdir()
    names = ("household_id", "product_id", "day", "quantity")
    rows = [dict(zip(names, line, strict=True)) for line in LINES]
    for number, row in enumerate(rows):
        row["basket_id"] = str(number)
        row["transaction_timestamp"] = START + timedelta(days=row.pop("day"))
    pq.write_table(pa.Table.from_pylist(rows), folder / "lines.parquet")
    (tmp_path / "items").mkdir()
    products = [
        {
            "product_id": name,
            "product_type": "TEA",
            "manufacturer_id": "7",
            "product_category": "TEA" if name == "x" else None,
            "department": "GROCERY",
        }
        for name in "xy"
    ]
    pq.write_table(pa.Table.from_pylist(products), tmp_path / "items/items.parquet")
    shop = dunnhumby(tmp_path)
    tables = shop.tables
    assert tables.train.users.tolist() == ["a"] and tables.train.items.tolist() == ["x"]
    assert tables.train.weights.data.tolist() == pytest.approx([5 * 0.5 ** (56 / 60)])
    assert tables.holdout.items.tolist() == ["y", "y"] and tables.holdout.purchases.tolist() == [
        1,
        1,
    ]
    assert (len(shop.steps.item), len(shop.later.item)) == (2, 2)
    with pytest.raises(InputError, match="Give the folder"):
        dunnhumby(tmp_path / "absent")


def test_a_pause_ends_a_visit_of_a_log_without_sessions(tmp_path: Path) -> None:
    minute, day = 60_000, 86_400_000
    times = [0, minute, 40 * minute, 20 * day]
    words = ["view", "addtocart", "view", "transaction"]
    lines = [
        f"{time},v1,{word},i{place},"
        for place, (time, word) in enumerate(zip(times, words, strict=True))
    ]
    (tmp_path / "events").mkdir()
    content = "\n".join(["timestamp,visitorid,event,itemid,transactionid", *lines])
    (tmp_path / "events/log.csv").write_text(content, encoding="utf-8")
    shop = retailrocket(tmp_path)
    assert np.diff(shop.steps.starts).tolist() == [2, 1]
    faded = 0.5 ** (6 / 60)
    expected = [faded, 4 * faded, faded]
    assert shop.tables.train.weights.data.tolist() == pytest.approx(expected, rel=1e-3)
    assert shop.tables.holdout.successes.tolist() == [1]
