"""Parquet as pandas, Spark and others write it is read rightly, or named in one line."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import InputError
from infra.spark.submit import run_here
from infra.storage import Storage
from jobs import ingest_events
from jobs.landing.sources import FILE, load_sources
from tests.jobs.shop_files import RUN, ingest, rows

MOMENT = datetime(2026, 11, 20, 10, 0, 0, 123456, UTC)


@pytest.fixture
def parquet(shop: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Return a shop whose source delivers Parquet."""
    file = tmp_path / "sources.yaml"
    file.write_text(FILE.read_text().replace("*.jsonl*", "*.parquet").replace("jsonl", "parquet"))
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(file))
    return shop


def deliver(shop: Storage, name: str, columns: dict[str, Any], **options: Any) -> Path:
    fields = load_sources(("shop",))["shop"].events.fields
    good = {"event_type": "view", "event_id": name, "item_id": "i1", "user_id": "anna"}
    table = {field: pa.array([good.get(field)], pa.string()) for field in fields}
    table["event_time"] = pa.array([MOMENT], pa.timestamp("us", "UTC"))
    file = Path(shop.landing) / "events/shop" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({**table, **columns}), file, **options)
    return file


def test_the_types_of_other_programs_are_read_as_what_they_mean(
    spark: object, parquet: Storage
) -> None:
    nanoseconds = int(MOMENT.timestamp() * 1_000_000) * 1_000 + 789
    pandas = {
        "event_time": pa.array([nanoseconds], pa.timestamp("ns", "UTC")),
        "user_id": pa.array([5863.0]),
        "item_id": pa.array([Decimal("5863")], pa.decimal128(10, 0)),
        "session_id": pa.array([Decimal("7.00")], pa.decimal128(10, 2)),
        "quantity": pa.array([2.0]),
        "unit_price": pa.array([9.5]),
        "order_id": pa.array([12], pa.uint64()),
        "rating": pa.array([None], pa.null()),
        "request_id": pa.array([123456792.0], pa.float32()),  # of 123456789
    }
    deliver(parquet, "pandas.parquet", pandas)
    ingest(parquet)
    deliver(parquet, "int96.parquet", {}, use_deprecated_int96_timestamps=True)
    assert ingest(parquet, "run=second")["clean"] == 1
    found = {row["event_id"]: row for row in rows(parquet, "events")}
    assert {row["event_time"] for row in found.values()} == {MOMENT}
    row = found["pandas.parquet"]
    assert (row["item_id"], row["session_id"], row["order_id"]) == ("5863", "7", "12")
    assert (row["quantity"], row["unit_price"], row["rating"]) == (2, 9.5, None)
    assert row["request_id"] is None, "a rounded number is no id"


def test_columns_that_cannot_be_meant_are_one_line_that_names_file_and_column(
    spark: object, parquet: Storage
) -> None:
    time = {"market": pa.array([1], pa.time64("ns"))}
    two = {"User_ID": pa.array(["other"])}
    for columns, said in (
        (two, r"day\.parquet has both columns 'user_id' and 'User_ID'"),
        (time, r"day\.parquet has a column that cannot be read: .*'market' \(time64\[ns\]\)"),
    ):
        deliver(parquet, "day.parquet", columns)
        with pytest.raises(InputError, match=rf"^/\S+{said}") as error:
            run_here(ingest_events, ["--run", RUN])
        assert "\n" not in str(error.value)
    file = deliver(parquet, "day.parquet", {})
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"day\.parquet cannot be read: "):
        run_here(ingest_events, ["--run", RUN])
    assert parquet.lake.partitions("events") == []
