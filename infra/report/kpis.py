"""Adds rows of the marts up to the numbers of a day, and says how each reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from infra.report.mart_rows import Row
from infra.report.units import PLAIN, SHARE, Unit

_SUMMED = ("requests", "short_lists", "items_shown", "impressions", "clicks", "carts")
_COUNTS = (*_SUMMED, "orders", "units")
Key = TypeVar("Key")


@dataclass
class Totals:
    """What some lists did: sums of rows of `kpi_daily`; money by currency.

    People are no part of it: whoever got two lists would count twice.
    """

    counts: Counter[str] = field(default_factory=Counter)
    gross: Counter[str] = field(default_factory=Counter)
    returned: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        """Add a row."""
        self.counts.update({name: row[name] for name in _COUNTS})
        self.gross.update(row["gross_revenue"])
        self.returned.update(row["returned_revenue"])
        self.sources.update(row["items_by_source"])

    def ratio(self, part: str, whole: str) -> float | None:
        """Return a share; None of nothing."""
        return self.counts[part] / self.counts[whole] if self.counts[whole] else None


@dataclass(frozen=True)
class Kpi:
    """A number that a day has: its name in words, how it reads, what it says."""

    name: str
    about: str
    value: Callable[[Any], float | None]
    unit: Unit = PLAIN
    digits: int | None = None


def kpis_of_lists(currencies: Iterable[str]) -> tuple[Kpi, ...]:
    """Return what is shown of lists, with the revenue of each currency."""
    revenue = (_revenue(currency) for currency in currencies)
    return (
        Kpi("Answers", "lists that were served", lambda day: day.counts["requests"], PLAIN, 0),
        Kpi("CTR", "of the seen items, those clicked", _ratio("clicks", "impressions"), SHARE, 2),
        Kpi(
            "Orders",
            "bought after a click; with two lists it counts for both",
            lambda day: day.counts["orders"],
        ),
        *revenue,
        Kpi(
            "Short lists", "answers with too few items", _ratio("short_lists", "requests"), SHARE, 2
        ),
        Kpi("Bestsellers", "of the items shown, the fallback", _bestsellers, SHARE, 1),
    )


CUSTOMER_KPIS = (
    Kpi("People", "users, and visitors without a user", lambda row: row["people"], PLAIN, 0),
    Kpi("New people", "whom nobody saw in 90 days", lambda row: row["new_people"], PLAIN, 0),
    Kpi("Buyers", "of these people, those who bought", lambda row: row["buyers"], PLAIN, 0),
    Kpi(
        "Strangers who bought",
        "for the first time in 90 days",
        lambda row: row["strangers_who_bought"],
        PLAIN,
        0,
    ),
    Kpi(
        "Days to the next visit",
        "at most 14; less is better",
        lambda row: row["days_to_next_visit"],
        PLAIN,
        1,
    ),
    Kpi("Came again", "within 7 days", lambda row: row["return_rate_7d"], SHARE, 1),
)


def currencies_of(rows: Iterable[Row]) -> list[str]:
    """Return the currencies of rows, that with most money first; "" is money without one."""
    total = Counter[str]()
    for row in rows:
        total.update(row["gross_revenue"])
        total.update(dict.fromkeys(row["returned_revenue"], 0.0))
    return [currency for currency, _ in sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))]


def by_day(rows: Iterable[Row]) -> dict[date, Totals]:
    """Add rows up by day."""
    return added(rows, lambda row: row["day"])


def added(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, Totals]:
    """Add rows up by whatever a key says of them."""
    found: dict[Key, Totals] = {}
    for row in rows:
        found.setdefault(key(row), Totals()).add(row)
    return found


def values(kpi: Kpi, days: Sequence[date], known: Mapping[date, Any]) -> list[float | None]:
    """Return a number of every day; None of a day without a row."""
    return [kpi.value(known[day]) if day in known else None for day in days]


def change(value: float | None, before: float | None) -> float | None:
    """Return by which share a value is above an earlier one; None where there is no share.

    >>> change(110, 100), change(1, 0), change(None, 5)
    (0.1, None, None)
    """
    return None if value is None or not before else (value - before) / before


def _ratio(part: str, whole: str) -> Callable[[Totals], float | None]:
    return lambda day: day.ratio(part, whole)


def _bestsellers(day: Totals) -> float | None:
    shown = day.counts["items_shown"]
    return day.sources["bestseller"] / shown if shown else None


def _revenue(currency: str) -> Kpi:
    said = currency or "without a currency"
    about = "bought after a click, less what came back"
    return Kpi(
        f"Revenue, {said}",
        about,
        lambda day: day.gross[currency] - day.returned[currency],
        PLAIN,
        2,
    )
