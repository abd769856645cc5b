"""Marts as a build leaves them, written with Arrow: a folder a day, and the record that counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from infra.ledger.marts import latest, show
from infra.mart_schemas import CUSTOMERS_DAILY, KPI_DAILY
from infra.records.marts import MartsRecord, partition_of
from infra.storage import Storage
from infra.table import Table

SUNDAY = date(2026, 11, 22)
AT = datetime(2026, 11, 23, 6, tzinfo=UTC)
TYPES = {
    "DATE": pa.date32(),
    "STRING": pa.string(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "MAP<STRING,DOUBLE>": pa.map_(pa.string(), pa.float64()),
    "MAP<STRING,BIGINT>": pa.map_(pa.string(), pa.int64()),
}


def kpis(day: date = SUNDAY, **fields: Any) -> dict[str, Any]:
    """Return a row of `kpi_daily`: 1,000 answers with 200 clicks, 5,000 impressions, 95 EUR."""
    counts = {"requests": 1_000, "people": 400, "short_lists": 10, "items_shown": 10_000}
    counts |= {"impressions": 5_000, "clicks": 200, "carts": 30, "orders": 8, "units": 12}
    money = {"gross_revenue": {"EUR": 100.0}, "returned_revenue": {"EUR": 5.0}}
    sources = {"items_by_source": {"personal": 9_000, "bestseller": 1_000}}
    of = {"test": None, "phase": None, "arm": None, "market": None}
    named = {"day": day, "placement": "home", "version": "v1"}
    return {**named, **of, **counts, **money, **sources, **fields}


def customers(day: date = SUNDAY, **fields: Any) -> dict[str, Any]:
    counts = {"people": 900, "new_people": 100, "returning_people": 800, "buyers": 50}
    counts |= {"strangers": 300, "strangers_who_bought": 7, "crawlers": 2}
    again = {"days_to_next_visit": 4.25, "return_rate_7d": 0.55}
    return {"day": day, **counts, **again, **fields}


def build_by_hand(
    shop: Storage,
    kpi_rows: Iterable[Mapping[str, Any]],
    customer_rows: Iterable[Mapping[str, Any]] = (),
    final: date | None = SUNDAY,
) -> MartsRecord:
    """Write a whole build, and let it count."""
    before = latest(shop)
    number = before.number + 1 if before else 1
    partitions = {
        table.name: dict.fromkeys(_write(shop, table, rows, number), number)
        for table, rows in ((KPI_DAILY, kpi_rows), (CUSTOMERS_DAILY, customer_rows))
    }
    record = MartsRecord(
        number=number,
        at=AT,
        run="run=r",
        known_until=AT,
        final_until={
            KPI_DAILY.name: final,
            CUSTOMERS_DAILY.name: final and final - timedelta(days=1),
        },
        events={},
        served={},
        partitions=partitions,
    )
    show(shop, record)
    return record


def _write(
    shop: Storage, table: Table, rows: Iterable[Mapping[str, Any]], number: int
) -> dict[str, list[Mapping[str, Any]]]:
    days: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        days.setdefault(row["day"].isoformat(), []).append(row)
    schema = pa.schema([(name, TYPES[kind]) for name, kind in table.kinds.items()])
    files, root = shop.lake.store.arrow_files()
    for day, found in days.items():
        folder = f"{root}/{table.name}/{partition_of(number, day)}"
        files.create_dir(folder)
        parquet.write_table(
            pa.Table.from_pylist([dict(row) for row in found], schema),
            f"{folder}/part-0.parquet",
            filesystem=files,
        )
    return days
