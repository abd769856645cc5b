"""Watches the newest release: says which KPI fell, against the same weekdays before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from infra.ledger.live_pointer import live
from infra.ledger.marts import latest, mart
from infra.mart_schemas import KPI_DAILY
from infra.records.alarms import KpiChange, ReleaseWatch, WatchedKpi
from infra.records.marts import MartsRecord
from infra.storage import Storage
from models.publishing.same_weekdays import same_weekdays

WATCHED_DAYS = 14
BEFORE_DAYS = 28
READ = ("day", "version", "requests", "impressions", "clicks", "orders", "gross_revenue")


@dataclass
class Totals:
    """What all lists of a day brought, whichever arm of an A/B test they were for."""

    requests: int = 0
    impressions: int = 0
    clicks: int = 0
    orders: int = 0
    revenue: float = 0.0


Days = Mapping[date, Totals]
RATES: dict[WatchedKpi, Callable[[Totals], float]] = {
    "ctr": lambda day: day.clicks / day.impressions if day.impressions else 0.0,
    "orders": lambda day: day.orders / day.requests if day.requests else 0.0,
    "revenue": lambda day: day.revenue / day.requests if day.requests else 0.0,
}


def watch_release(storage: Storage) -> ReleaseWatch | None:
    """Compare the complete days since the newest release with the same weekdays before.

    Before, all lists count, also those of both arms of an A/B test: customers met them all. Lists
    outside of a test alone would be those of other customers than the lists after it.

    Returns
    -------
    ReleaseWatch or None
        None where nothing is live, people went back to it, or no KPIs were measured yet.

    Raises
    ------
    StorageError, PublishError
        The pointer or the marts cannot be read.
    """
    pointer, record = live(storage), latest(storage)
    final = record.final_until.get(KPI_DAILY.name) if record else None
    if pointer is None or record is None or final is None or not pointer.is_release:
        return None
    went_live = pointer.at.date()  # a day of two versions counts for neither
    last = min(final, went_live + timedelta(days=WATCHED_DAYS))
    after = _between(record, went_live + timedelta(days=1), last)
    before = _between(record, went_live - timedelta(days=BEFORE_DAYS), went_live - timedelta(1))
    rows = _rows(storage, [*before, *after])
    currency = _main_currency(rows)
    old = _totals((row for row in rows if row["day"] in before), currency)
    own = (row for row in rows if row["day"] in after and row["version"] == pointer.version)
    return ReleaseWatch(
        number=pointer.number,
        version=pointer.version,
        since=pointer.at,
        last_day=max(after, default=None),
        changes=changes_between(old, _totals(own, currency)),
    )


def changes_between(before: Days, after: Days) -> tuple[KpiChange, ...]:
    """Return the change of each KPI that can be compared."""
    changes = list[KpiChange]()
    for kpi, rate in RATES.items():
        change = same_weekdays(
            {day: rate(totals) for day, totals in before.items()},
            {day: rate(totals) for day, totals in after.items()},
        )
        if change is not None:
            changes.append(KpiChange(kpi=kpi, **vars(change)))
    return tuple(changes)


def _between(record: MartsRecord, first: date, last: date) -> set[date]:
    """Return the days of the marts from the first to the last, both included."""
    days = map(date.fromisoformat, record.partitions.get(KPI_DAILY.name, {}))
    return {day for day in days if first <= day <= last}


def _rows(storage: Storage, days: Iterable[date]) -> list[dict[str, Any]]:
    names = sorted(day.isoformat() for day in days)
    if not names:
        return []
    table = mart(storage, KPI_DAILY.name, *names).to_table(columns=list(READ))
    return list(table.to_pylist())


def _main_currency(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the currency that brought most; the others cannot be added to it."""
    sums: dict[str, float] = defaultdict(float)
    for row in rows:
        for currency, revenue in row["gross_revenue"]:
            sums[currency] += revenue
    return max(sorted(sums), key=sums.__getitem__, default="")


def _totals(rows: Iterable[Mapping[str, Any]], currency: str) -> dict[date, Totals]:
    days: dict[date, Totals] = defaultdict(Totals)
    for row in rows:
        day = days[row["day"]]
        for name in ("requests", "impressions", "clicks", "orders"):
            setattr(day, name, getattr(day, name) + row[name])
        day.revenue += dict(row["gross_revenue"]).get(currency, 0.0)
    return dict(days)
