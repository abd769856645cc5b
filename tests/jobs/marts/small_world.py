"""A world small enough to count by hand: two persons, a third who does nothing, and a crawler.

| answer | when | where | who | items | what follows |
|---|---|---|---|---|---|
| r1 | 20th 10:00 | home, v1, control | anna | a b c | a and b seen (b twice), b clicked |
| r2 | 20th 11:00 | cart, v1 | anna | b d, of 3 | b seen, clicked, into the cart, 2 bought: 7 EUR |
| r3 | 20th 12:00 | home, v2, treatment | a visitor | a e | e seen, clicked, bought: 20.10 PLN |
| r4 | 20th 12:30 | home, v1, control | the crawler | a b | left out |
| - | | | | | an answer that never arrived |
| r6 | 21st 09:00 | home, v1, control | anna | a f | a clicked twice, bought: 5.25 EUR |
| r7 | 21st 12:00 | home, v2, treatment | another visitor | a b | nothing |

Anna buys d in the order of b without a click, has bought before the test, and sends a b back on the
22nd, when she clicks on the lost answer again. The visitor logs in as ben before he buys e, and
buys another when his click is too old. In the late batch: c of r1, clicked and bought on the 20th,
and a sign of life a week later.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from infra.ledger.ab_tests import add_ab_record
from infra.ledger.batches import decide
from infra.records.ab_tests import AbTest
from infra.records.gates import BatchDecision
from infra.schemas import EVENTS
from infra.storage import Storage
from jobs import ingest_served
from tests.infra.ledger.test_ab_tests import ab_test
from tests.jobs.marts.served_files import land_served, line

RUN = "run=world"
MOST_A_DAY = 8
CONTROL, TREATMENT = (
    {"test": "content-first", "phase": 1, "arm": arm} for arm in ("control", "treatment")
)
ANNA = {"user_key": "anna", "visitor_key": "va"}
STRANGER, LOGGED_IN = {"visitor_key": "vb"}, {"user_key": "ben", "visitor_key": "vb"}
CRAWLER = {"user_key": "crawler"}


def at(day: int, time: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{day:02}T{time}+00:00")


def events(*rows: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return events of (when, type, item, who, more)."""
    return [
        {"event_time": when, "event_type": kind, "item_id": item, **who, **more}
        for when, kind, item, who, more in rows
    ]


def sale(quantity: int, price: float, currency: str, **order: str) -> dict[str, Any]:
    return {"quantity": quantity, "unit_price": price, "currency": currency, **order}


def of(request: str) -> dict[str, str]:
    return {"request_id": request}


FIRST = events(
    (at(1, "08:00"), "purchase", "z", ANNA, sale(1, 9.99, "EUR", order_id="o0")),
    (at(20, "10:00:05"), "impression", "a", ANNA, of("r1")),
    (at(20, "10:00:05"), "impression", "b", ANNA, of("r1")),
    (at(20, "10:00:06"), "impression", "b", ANNA, of("r1")),
    (at(20, "10:01"), "click", "b", ANNA, of("r1")),
    (at(20, "11:00:05"), "impression", "b", ANNA, of("r2")),
    (at(20, "11:01"), "click", "b", ANNA, of("r2")),
    (at(20, "11:05"), "cart", "b", ANNA, sale(2, 3.50, "EUR")),
    (at(20, "11:10"), "purchase", "b", ANNA, sale(2, 3.50, "EUR", order_id="o1")),
    (at(20, "11:10"), "purchase", "d", ANNA, sale(1, 10.0, "EUR", order_id="o1")),
    (at(20, "12:00:05"), "impression", "e", STRANGER, of("r3")),
    (at(20, "12:02"), "click", "e", STRANGER, of("r3")),
    *((at(20, f"12:3{n}"), "view", f"i{n}", CRAWLER, {}) for n in range(8)),
    (at(20, "12:40"), "click", "a", CRAWLER, of("r4")),
    (at(20, "12:41"), "purchase", "a", CRAWLER, sale(9, 99.0, "EUR", order_id="o9")),
    (at(21, "09:05"), "click", "a", ANNA, of("r6")),
    (at(21, "09:06"), "click", "a", ANNA, of("r6")),
    (at(21, "09:10"), "purchase", "a", ANNA, sale(1, 5.25, "EUR", order_id="o2")),
    (at(21, "12:01"), "purchase", "e", LOGGED_IN, sale(1, 20.10, "PLN", session_id="s2")),
    (at(21, "12:03"), "purchase", "e", LOGGED_IN, sale(1, 20.10, "PLN", session_id="s3")),
    (at(21, "13:00"), "click", "a", ANNA, of("an answer that never arrived")),
    (at(22, "09:00"), "click", "a", ANNA, of("an answer that never arrived")),
    (at(22, "10:00"), "return", "b", ANNA, sale(-1, 3.50, "EUR")),
)
LATE = events(
    (at(20, "10:20"), "click", "c", ANNA, of("r1")),
    (at(20, "10:30"), "purchase", "c", ANNA, sale(1, 1.0, "EUR", order_id="o1")),
    (at(28, "01:00"), "view", "q", {"user_key": "carl"}, {}),
)


def put_events(
    spark: SparkSession, shop: Storage, batch: str, rows: Iterable[dict[str, Any]]
) -> None:
    """Write an accepted batch as ingestion does."""
    rows = [{"event_id": f"{batch}-{number}", **row} for number, row in enumerate(rows)]
    tuples = [tuple(row.get(name) for name in EVENTS.columns) for row in rows]
    times = [row["event_time"] for row in rows]
    spark.createDataFrame(tuples, EVENTS.ddl).write.parquet(shop.lake.begin("events", batch))
    manifest = {
        "days": sorted({time.date().isoformat() for time in times}),
        "first_event": min(times),
        "last_event": max(times),
        "written_at": datetime(2026, 11, 29, tzinfo=UTC),
    }
    shop.lake.commit("events", batch, manifest)
    decide(shop, batch, BatchDecision(decision="accepted", by="gate", run=RUN))


def answers() -> list[bytes]:
    """Return the lines of the served log; the fifth is missing."""
    anna, market = ANNA, {"market": "PL"}
    facts = [
        ("r1", at(20, "10:00"), 1, "a b c", {**anna, **CONTROL, **market, "asked": 3}),
        ("r2", at(20, "11:00"), 2, "b d", {**anna, **market, "placement": "cart", "asked": 3}),
        ("r3", at(20, "12:00"), 3, "a e", {**STRANGER, **TREATMENT, **market, "version": "v2"}),
        ("r4", at(20, "12:30"), 4, "a b", {**CRAWLER, **CONTROL, **market}),
        ("r6", at(21, "09:00"), 6, "a f", {**anna, **CONTROL, **market, "asked": 2}),
        ("r7", at(21, "12:00"), 7, "a b", {"visitor_key": "vc", **TREATMENT, "version": "v2"}),
    ]
    return [
        line(request, when.isoformat(), number, items, **more)
        for request, when, number, items, more in facts
    ]


def begin(spark: SparkSession, shop: Storage) -> None:
    """Let everything happen but what comes late."""
    begun: AbTest = ab_test(at=at(20, "00:00"), unit="visitor", mature_days=7, days=7)
    add_ab_record(shop, lambda _: begun)
    put_events(spark, shop, "batch=shop-000000", FIRST)
    lines = answers()
    land_served(shop, *lines[:4])
    land_served(shop, lines[0], *lines[4:], name="20261121T120000-w1-000002")
    ingest_served.main(["--run", RUN])


def be_late(spark: SparkSession, shop: Storage) -> None:
    """Let the late batch arrive."""
    put_events(spark, shop, "batch=shop-000001", LATE)


NOW = at(28, "12:00") + timedelta(hours=1)
