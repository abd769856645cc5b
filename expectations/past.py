"""Compares a delivery with the batches of its source that were accepted before it.

A delivery is all that one run ingested of one source, so that it makes no difference into how many
batches the files were cut. A rule that has nothing to compare with says why instead of a number.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from expectations.checking.measure import Measure
from expectations.checking.suite import Limit
from infra.records.gates import BatchProfile

PAST = "past"  # these numbers come from profiles, not from SQL
_FEWEST = 1e-4  # share that an absent kind counts as, so that its logarithm exists
HOUR = "%Y-%m-%dT%H"  # also how DuckDB writes it
_DAY = 24

MEASURES = {
    "event_type_drift": Measure(
        "shift of the mix of event types against the batches before (PSI)",
        "",
        PAST,
        needs=("least_events", "last_batches"),
    ),
    "vanished_types": Measure(
        "types of events that the batches before had and these lack",
        "",
        PAST,
        needs=("least_events", "last_batches"),
    ),
    "category_drift": Measure(
        "shift of the mix of item categories against the batches before (PSI)",
        "",
        PAST,
        needs=("least_events", "last_batches"),
    ),
    "volume": Measure(
        "events in the new hours, as a multiple of the same hours of the days before",
        "",
        PAST,
        needs=("least_events", "last_days"),
    ),
}


@dataclass(frozen=True)
class Comparison:
    """The result of comparing a delivery: a number per rule, or why there is no number."""

    values: dict[str, float | None]
    not_judged: dict[str, str]


class NotComparableError(Exception):
    """A rule has nothing to compare with; the text says why."""


@dataclass(frozen=True)
class Spread:
    """How the events of some batches are spread."""

    event_types: Counter[str]
    categories: Counter[str]
    hours: Counter[str]

    @classmethod
    def of(cls, profiles: Sequence[BatchProfile]) -> Spread:
        """Add up batches."""
        types, categories, hours = Counter[str](), Counter[str](), Counter[str]()
        for profile in profiles:
            types.update(profile.event_types)
            categories.update(profile.categories or {})
            hours.update(profile.hours)
        return cls(types, categories, hours)


def compare(
    now: Sequence[BatchProfile], past: Sequence[BatchProfile], limits: Mapping[str, Limit]
) -> Comparison:
    """Compare a delivery with the batches accepted before it, oldest first.

    Files that come late hold old events, few or of one kind: where all hours of a delivery are
    older than the newest before, it says nothing about how the shop changes, and no rule applies.
    """
    rules = {
        "event_type_drift": _event_type_drift,
        "vanished_types": _vanished_types,
        "category_drift": _category_drift,
        "volume": _volume,
    }
    delivery = Spread.of(now)
    values: dict[str, float | None] = {}
    not_judged = {}
    for name, rule in rules.items():
        limit = limits[name]
        before = Spread.of(past[-(limit.last_batches or len(past)) :] if past else [])
        try:
            _require_comparable(delivery, before)
            values[name] = rule(delivery, before, limit)
        except NotComparableError as reason:
            values[name], not_judged[name] = None, str(reason)
    return Comparison(values, not_judged)


def stability_index(now: Mapping[str, int], before: Mapping[str, int]) -> float:
    """Return the population stability index of two spreads (Siddiqi 2006): 0 if they are equal.

    It is the Kullback-Leibler divergence both ways, added up. Below 0.1 nobody looks, above 0.25
    something changed.

    >>> round(stability_index({"view": 90, "cart": 10}, {"view": 70, "cart": 30}), 3)
    0.27
    """
    total = 0.0
    for kind in now.keys() | before.keys():
        share = max(now.get(kind, 0) / sum(now.values()), _FEWEST)
        was = max(before.get(kind, 0) / sum(before.values()), _FEWEST)
        total += (share - was) * math.log(share / was)
    return total


def _require_comparable(now: Spread, before: Spread) -> None:
    if not before.hours:
        raise NotComparableError("No batch of this source was accepted before.")
    if not now.hours:
        raise NotComparableError("No event came.")
    if max(now.hours) < max(before.hours):
        raise NotComparableError("These events came late: newer ones were accepted before.")


def _event_type_drift(now: Spread, before: Spread, limit: Limit) -> float:
    return _drift(now.event_types, before.event_types, limit)


def _category_drift(now: Spread, before: Spread, limit: Limit) -> float:
    return _drift(now.categories, before.categories, limit)


def _drift(now: Counter[str], before: Counter[str], limit: Limit) -> float:
    kinds = len(now.keys() | before.keys())
    least = _least_of(kinds, limit)
    if min(now.total(), before.total()) < least:
        raise NotComparableError(
            f"Fewer than {least:,} events of {kinds:,} kinds to compare, here or before."
        )
    return stability_index(now, before)


def _least_of(kinds: int, limit: Limit) -> int:
    """Return how many events are enough to compare kinds by.

    By chance alone the index of n events of k kinds with many more before is (k - 1) / n
    (Yurdakul 2018); it must stay below a quarter of the limit.
    """
    by_chance = math.ceil(4 * (kinds - 1) / limit.max) if limit.max else 0
    return max(limit.least_events or 1, by_chance)


def _vanished_types(now: Spread, before: Spread, limit: Limit) -> float:
    """Count the types of which as many were to be expected as the limit asks, and none came."""
    least, rows, all_before = limit.least_events or 1, now.event_types.total(), before.event_types
    expected = {kind: rows * n / all_before.total() for kind, n in all_before.items()}
    frequent = [kind for kind, events in expected.items() if events >= least]
    if not frequent:
        raise NotComparableError(f"No type of event is expected {least:,} times.")
    return sum(not now.event_types[kind] for kind in frequent)


def _volume(now: Spread, before: Spread, limit: Limit) -> float:
    """Compare the hours nobody had before, a day at most, with the same hours of earlier days."""
    newest, newest_before = _time(max(now.hours)), _time(max(before.hours))
    if newest == newest_before:
        raise NotComparableError("No hour is new: events of the same hour were accepted before.")
    new_hours = min(int((newest - newest_before).total_seconds()) // 3600, _DAY)
    hours = [newest - timedelta(hours=back) for back in range(new_hours)]
    counts = before.hours + now.hours
    first = _time(min(counts))
    earlier = [
        sum(counts[_name(hour - timedelta(days=back))] for hour in hours)
        for back in range(1, (limit.last_days or 1) + 1)
        if min(hours) - timedelta(days=back) >= first
    ]
    usual = median(earlier) if earlier else 0
    least = limit.least_events or 1
    if usual < least:
        raise NotComparableError(f"Fewer than {least:,} events are usual at these hours.")
    return sum(counts[_name(hour)] for hour in hours) / usual


def _time(hour: str) -> datetime:
    return datetime.strptime(hour, HOUR)  # both sides are UTC


def _name(hour: datetime) -> str:
    return hour.strftime(HOUR)
