"""Says which days a build must make anew: those that new events or new answers touch.

An event of day E counts for answers of up to two days before (clicked within 24 h, bought within
24 h after that), and may take a purchase from another list of these days, also of a day later where
clocks differ. A return counts for the list it was bought from up to 30 days before; a person is new
if nobody saw him in the 90 days before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from infra.lake import batch_source
from infra.ledger.batches import Batches

RETURNED_WITHIN = 30
SEEN_WITHIN = 90
_SILENT = timedelta(days=3)  # a source that delivers nothing for longer does not hold others up
Manifests = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Days:
    """Days (UTC) that a build makes anew, by what is made of them; each sorted."""

    events: tuple[date, ...]
    exposures: tuple[date, ...]
    kpis: tuple[date, ...]
    customers: tuple[date, ...]


@dataclass(frozen=True)
class News:
    """All days with events and with answers, and those in batches that changed."""

    events: Collection[date]
    served: Collection[date]
    new_events: Collection[date]
    new_served: Collection[date]


def days_to_build(news: News) -> Days:
    """Return the days that must be made anew."""
    events, served = set(news.new_events), set(news.new_served)
    exposures = {day for day in news.served if _near(day, events, -2, 1)}
    exposures |= {day for day in news.served if _near(day, served, -2, 2)}
    changed = events | exposures | served
    every = sorted({*news.events, *news.served})
    first = min(news.served, default=date.max)
    kpis = {day for day in every if day >= first and _near(day, changed, 0, RETURNED_WITHIN)}
    customers = {day for day in news.events if _near(day, events, 0, SEEN_WITHIN)}
    return Days(
        events=tuple(sorted(events)),
        exposures=tuple(sorted(exposures | served)),
        kpis=tuple(sorted(kpis | (changed if served or exposures else set()))),
        customers=tuple(sorted(customers | events)),
    )


def _near(day: date, changed: Iterable[date], first: int, last: int) -> bool:
    """Tell whether a day lies so many days after one that changed."""
    return any(first <= (day - other).days <= last for other in changed)


def days_of(manifest: Mapping[str, Any]) -> set[date]:
    """Return the days of a batch; an older manifest names the first and the last event alone."""
    if "days" in manifest:
        return {date.fromisoformat(day) for day in manifest["days"]}
    ends = [manifest.get("first_event"), manifest.get("last_event")]
    if None in ends:
        return set()
    first, last = (datetime.fromisoformat(str(end)).date() for end in ends)
    return {first + timedelta(days=number) for number in range((last - first).days + 1)}


def around(days: Iterable[date], before: int, after: int) -> set[date]:
    """Return days with so many before and after each."""
    shifts = [timedelta(days=number) for number in range(-before, after + 1)]
    return {day + shift for day in days for shift in shifts}


def known_until(as_of: datetime, batches: Batches, sources: Collection[str]) -> datetime:
    """Return the time before which all events have arrived, as far as anybody can tell.

    The earliest of the last events of each source, and of the first events of batches that nobody
    decided on; a source that was silent for three days longer than others does not count.
    """
    last: dict[str, datetime] = {}
    waiting: list[datetime] = []
    for name, batch in batches.items():
        ends = [batch.manifest.get(end) for end in ("first_event", "last_event")]
        if batch_source(name) not in sources or None in ends:
            continue
        first_event, last_event = (datetime.fromisoformat(str(end)) for end in ends)
        if batch.word == "accepted":
            source = batch_source(name)
            last[source] = max(last_event, last.get(source, last_event))
        elif batch.word != "discarded":
            waiting.append(first_event)
    newest = max(last.values(), default=datetime(1970, 1, 1, tzinfo=UTC))
    awake = [time for time in last.values() if newest - time <= _SILENT]
    return min([as_of, newest, *awake, *waiting])
