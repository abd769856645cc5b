"""One build of the marts: what is new, what it touches, each table, and the record of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from infra.ledger.ab_tests import read_ab_tests
from infra.ledger.marts import last_two, latest, save_built
from infra.mart_schemas import (
    CUSTOMERS_DAILY,
    EXPOSURES,
    KPI_DAILY,
    MARTS,
    PERSON_DAYS,
    SALES,
)
from infra.records.marts import MartsRecord, build_of, partition_of
from infra.schemas import Table
from infra.spark.kept_rows import drop_kept
from infra.storage import Storage
from jobs.marts.batched import Batched, stamps
from jobs.marts.customers import customers_of
from jobs.marts.days import (
    RETURNED_WITHIN,
    SEEN_WITHIN,
    Days,
    around,
    days_to_build,
    known_until,
)
from jobs.marts.exposures import exposures_of
from jobs.marts.kpis import GROUP, kpis_of, returns_of
from jobs.marts.layout import Build
from jobs.marts.people import Crawlers, crawlers_of, person_days, without_crawlers
from jobs.marts.phases import build_units
from jobs.marts.sales import sales_of

# days after its own until a day is complete: clicked in 24 h, bought in 24 h after the click
_LAG = {table.name: 2 if table in (EXPOSURES, KPI_DAILY) else 0 for table in MARTS[:-1]}


def build_marts(
    spark: SparkSession, storage: Storage, run: str, as_of: datetime, *, every: bool = False
) -> MartsRecord:
    """Build what is new, or every day, and keep the record of it for the gate."""
    shown = latest(storage)
    number = 1 + (shown.number if shown else 0)
    _delete_old(storage, number)
    batched = Batched(spark, storage)
    before = None if every else to_build_on(shown, batched)
    days = days_to_build(batched.news(before))
    build = Build(spark, storage, before, number)
    until = known_until(as_of, batched.all, storage.settings.sources)
    try:
        build_days(build, batched, days)
        build_units(build, batched, read_ab_tests(storage), {*days.events, *days.exposures}, until)
    finally:
        drop_kept(spark)
    record = MartsRecord(
        number=number,
        at=datetime.now(UTC),
        run=run,
        known_until=until,
        final_until={table: _last_complete(until, lag) for table, lag in _LAG.items()},
        events=stamps(batched.accepted),
        served=stamps(batched.served),
        partitions=build.partitions,
    )
    save_built(storage, record)
    told = (f"{len(getattr(days, part))} days of {part}" for part in Days.__annotations__)
    print(f"marts, build {number}: {', '.join(told)}", flush=True)
    return record


def to_build_on(shown: MartsRecord | None, batched: Batched) -> MartsRecord | None:
    """Return the build that counts; None if it counts what is there no longer."""
    gone = batched.gone(shown) if shown else []
    if gone:
        print(f"marts: all days anew, as these are gone: {', '.join(gone)}", flush=True)
    return None if gone else shown


def build_days(build: Build, batched: Batched, days: Days) -> None:
    """Write what is made of days: first who came, then what was sold and shown, and its worth."""
    own = batched.events(days.events)
    people = person_days(own, build.storage.settings.most_events_per_day)
    build.write(PERSON_DAYS, people, _names(days.events), ("kind", "person_key"))
    near = around(days.exposures, 3, 3) | {*days.events, *days.kpis}
    crawlers = crawlers_of(build.read(PERSON_DAYS, near))
    sold = without_crawlers(own, crawlers, "event_time").transform(sales_of)
    order = ("event_time", "event_id", "event_type", "item_id", "order_key", "quantity", "revenue")
    build.write(SALES, sold, _names(days.events), order)
    _build_exposures(build, batched, days, crawlers)
    _build_kpis(build, batched, days, crawlers)
    seen = build.read(PERSON_DAYS, around(days.customers, SEEN_WITHIN, 0))
    build.write(CUSTOMERS_DAILY, customers_of(seen, days.customers), _names(days.customers), ())


def _build_exposures(build: Build, batched: Batched, days: Days, crawlers: Crawlers) -> None:
    answers = batched.answers(around(days.exposures, 2, 2))
    events = batched.events(around(days.exposures, 3, 3))
    made = exposures_of(
        without_crawlers(answers, crawlers, "served_at"),
        without_crawlers(events, crawlers, "event_time"),
        build.storage.settings.attribution_hours,
    )
    rows = made.filter(F.col("day").isin(*days.exposures))
    order = ("request_id", "position")
    build.write(EXPOSURES, rows, _names(days.exposures), order, spread="request_id")


def _build_kpis(build: Build, batched: Batched, days: Days, crawlers: Crawlers) -> None:
    answers = without_crawlers(batched.answers(days.kpis), crawlers, "served_at")
    bought = build.read(EXPOSURES, around(days.kpis, RETURNED_WITHIN, 0))
    returned = returns_of(build.read(SALES, days.kpis), bought)
    kpis = kpis_of(answers, build.read(EXPOSURES, days.kpis), returned)
    build.write(KPI_DAILY, kpis, _names(days.kpis), GROUP[1:])


def _names(days: Iterable[date]) -> list[str]:
    return [day.isoformat() for day in days]


def _last_complete(until: datetime, lag: int) -> date:
    return until.date() - timedelta(days=1 + lag)


def _delete_old(storage: Storage, number: int) -> None:
    """Delete the folders that no record of the last two names, and what a dead build left."""
    kept = {
        (table, partition_of(build, name))
        for record in last_two(storage)
        for table, builds in record.partitions.items()
        for name, build in builds.items()
    }
    for table in MARTS:
        _delete_folders(storage, table, {folder for name, folder in kept if name == table.name})
        storage.lake.store.delete_folder(f"{table.name}/{build_of(number)}")


def _delete_folders(storage: Storage, table: Table, kept: set[str]) -> None:
    store, builds = storage.lake.store, {folder.partition("/")[0] for folder in kept}
    present = {tuple(key.split("/")[1:3]) for key in store.list(table.name)}
    for build, below in sorted(place for place in present if len(place) == 2):
        if below.startswith("of=") and f"{build}/{below}" not in kept:
            store.delete_folder(f"{table.name}/{build}/{below}")
    for build in {place[0] for place in present} - builds:
        store.delete_folder(f"{table.name}/{build}")
