"""The newest release is held against the days before it, by complete days of all lists."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.ledger.live_pointer import point
from infra.ledger.marts import show
from infra.mart_schemas import KPI_DAILY
from infra.records.marts import MartsRecord, build_of, partition_of
from infra.storage import Storage
from models.publishing.watch_release import watch_release
from tests.infra.ledger.test_ab_tests import NOON
from tests.models.release.test_ab_tested import pointer

MONEY = pa.map_(pa.string(), pa.float64())
SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        ("version", pa.string()),
        ("arm", pa.string()),
        *((name, pa.int64()) for name in ("requests", "impressions", "clicks", "orders")),
        ("gross_revenue", MONEY),
    ]
)
LIVE = NOON.date()


def kpis(day: date, version: str, **change: Any) -> dict[str, Any]:
    """Return what lists of a day brought; a day of the week differs from the next."""
    size = 1_000 * (1 + day.weekday()) + day.day
    row = {"day": day, "version": version, "arm": None, "requests": size, "impressions": 9 * size}
    row |= {"clicks": size // 2 + day.day % 3, "orders": size // 20 + day.day % 2}
    return {**row, "gross_revenue": [("EUR", size / 2 + day.day), ("SEK", 1e-3)], **change}


def land(shop: Storage, rows: list[dict[str, Any]], final: date | None) -> None:
    """Show a build of the marts with these rows of `kpi_daily`."""
    files, root = shop.lake.store.arrow_files()
    days = sorted({row["day"] for row in rows})
    for day in days:
        folder = f"{root}/{KPI_DAILY.name}/{partition_of(1, day.isoformat())}"
        files.create_dir(folder, recursive=True)
        own = pa.Table.from_pylist([row for row in rows if row["day"] == day], schema=SCHEMA)
        pq.write_table(own, f"{folder}/part-0.parquet", filesystem=files)
    shop.lake.commit(KPI_DAILY.name, build_of(1), {"of": []})
    partitions = {KPI_DAILY.name: {day.isoformat(): 1 for day in days}}
    show(shop, MartsRecord(
        number=1, at=NOON, run="run=marts", known_until=NOON, events={}, served={},
        final_until={KPI_DAILY.name: final}, partitions=partitions,
    ))  # fmt: skip


def days(first: int, last: int) -> list[date]:
    return [LIVE + timedelta(days=offset) for offset in range(first, last + 1)]


def world(after: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return four weeks of v1, a day of both, and a week of v9 with other versions beside it."""
    rows = [kpis(day, "v1") for day in days(-30, 0)] + [kpis(LIVE, "v9", clicks=9)]
    for day in days(1, 7):
        own = kpis(day, "v9")
        changed = {name: int(own[name] * share) for name, share in (after or {}).items()}
        rows.append({**own, **changed})
        rows.append(kpis(day, "v8", arm="treatment", clicks=0, orders=0))
        rows.append(kpis(day, "v0", clicks=0, orders=0))  # a server that is behind
    return rows


@pytest.fixture(autouse=True)
def released(shop: Storage) -> None:
    """Let v9 be live since noon of the day."""
    point(shop, pointer(0, "content", number=1))


def test_what_fell_is_named_and_what_stayed_is_not(shop: Storage) -> None:
    land(shop, world({"clicks": 0.7}), LIVE + timedelta(days=7))
    watch = watch_release(shop)
    assert watch is not None
    assert (watch.version, watch.number, watch.last_day) == ("v9", 1, LIVE + timedelta(days=7))
    assert [change.kpi for change in watch.changes] == ["ctr", "orders", "revenue"]
    assert [change.kpi for change in watch.fallen] == ["ctr"]
    ctr = watch.changes[0]
    assert ctr.relative == pytest.approx(-0.3, abs=0.01), "neither the test nor the day of both"
    assert (ctr.days, ctr.days_before) == (7, 28)
    revenue = watch.changes[2]
    assert revenue.relative == pytest.approx(0, abs=0.01), "of the main currency"
    assert not revenue.fell


def test_customers_of_a_test_before_the_release_count(shop: Storage) -> None:
    """Visitors who are not logged in click less, and were no part of the test."""
    rows = world()
    for row in [row for row in rows if row["day"] <= LIVE]:
        halves = {name: row[name] // 2 for name in ("requests", "impressions", "clicks", "orders")}
        money = [("EUR", row["gross_revenue"][0][1] / 2)]
        rows.append({**row, **halves, "arm": "control", "gross_revenue": money})
        row |= {**halves, "clicks": halves["clicks"] // 3, "gross_revenue": money}
    for row in [row for row in rows if row["day"] > LIVE]:
        row["clicks"] = row["clicks"] * 2 // 3
    land(shop, rows, LIVE + timedelta(days=7))
    watch = watch_release(shop)
    assert watch is not None
    assert watch.changes[0].relative == pytest.approx(0, abs=0.01)
    assert all(change.relative == pytest.approx(0, abs=0.01) for change in watch.changes)


def test_days_that_are_not_complete_do_not_count(shop: Storage) -> None:
    land(shop, world({"clicks": 0.7}), LIVE + timedelta(days=3))
    watch = watch_release(shop)
    assert watch is not None and watch.changes[0].days == 3


def test_nothing_is_watched_without_numbers_or_after_a_roll_back(shop: Storage) -> None:
    assert watch_release(shop) is None, "no marts yet"
    land(shop, world(), LIVE - timedelta(days=1))
    early = watch_release(shop)
    assert early is not None and (early.last_day, early.changes) == (None, ())
    point(shop, pointer(1, "content", number=2, action="roll_back"))
    assert watch_release(shop) is None
