"""The page Business: what lists bring by day, placement and version, and who comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

from infra.errors import InputError
from infra.ledger.ab_tests import read_ab_tests
from infra.records.alarms import ReleaseWatch
from infra.report.airflow_links import ROLL_BACK
from infra.report.alarms import alarm_of_live, fell_text
from infra.report.csv_text import csv_text
from infra.report.curves import SHORT, Chart, Mark, across, chart
from infra.report.kpis import (
    CUSTOMER_KPIS,
    Kpi,
    Totals,
    added,
    by_day,
    change,
    currencies_of,
    kpis_of_lists,
    values,
)
from infra.report.mart_rows import MartRows, Row, read_mart_rows
from infra.report.standing import Standing, standing
from infra.report.templates import Frame, fill
from infra.report.units import SHARE, written
from infra.report.wording import NOTHING
from infra.settings import shop_zone
from infra.storage import Storage

SPANS = (28, 91)  # days one may ask for
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Asked:
    """What a person asked for; empty is all of them."""

    placement: str = ""
    version: str = ""
    days: int = SPANS[0]

    def wants(self, row: Row) -> bool:
        """Tell whether a row is of it."""
        return self.placement in ("", row["placement"]) and self.version in ("", row["version"])


@dataclass(frozen=True)
class Event:
    """What happened on a day (UTC): a release, a roll-back, or the start or end of an A/B test."""

    day: date
    kind: str
    text: str


@dataclass(frozen=True)
class Compared:
    """A number of a day beside that of the same weekday before."""

    kpi: Kpi
    value: str
    before: str
    change: str


@dataclass(frozen=True)
class Figure:
    """A number by day: as a drawing (`open_at` are days that are not final), and as texts."""

    kpi: Kpi
    drawn: Chart | None
    open_at: tuple[float, ...]
    low: str
    high: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class BusinessPage:
    """The content of the page.

    Attributes
    ----------
    known : MartRows
        All that was read.
    rows : tuple of mapping
        What was asked for.
    events : tuple of Event
        Of the days shown, by day.
    alarm : ReleaseWatch or None
        What fell since what is live went live, if people were told so.
    """

    asked: Asked
    known: MartRows
    rows: tuple[Row, ...]
    events: tuple[Event, ...]
    alarm: ReleaseWatch | None = None

    @cached_property
    def currencies(self) -> list[str]:
        """The currencies of all rows, so that a choice does not change the columns."""
        return currencies_of(self.known.kpis)

    @property
    def final(self) -> date | None:
        """The last day that is complete, of those shown."""
        known = self.known
        if known.kpis_final is None or known.kpis_final < known.first:
            return None
        return min(known.kpis_final, known.last)

    @cached_property
    def kpis(self) -> tuple[Kpi, ...]:
        """What is shown of lists."""
        return kpis_of_lists(self.currencies)

    def choices(self, name: str) -> list[str]:
        """Return the placements or versions one may ask for."""
        return sorted({row[name] for row in self.known.kpis})


def find_business(storage: Storage, asked: Asked) -> BusinessPage | None:
    """Return what the page shows; None where nothing was measured yet.

    Raises
    ------
    InputError
        Nobody measured this placement or version.
    StorageError
        The marts cannot be read.
    """
    known = read_mart_rows(storage, asked.days)
    if known is None:
        return None
    for name, wanted in (("placement", asked.placement), ("version", asked.version)):
        if wanted and wanted not in {row[name] for row in known.kpis}:
            raise InputError(
                f"No list of the {name} '{wanted}' was served in these days.", "Choose another."
            )
    rows = tuple(row for row in known.kpis if asked.wants(row))
    now = standing(storage)
    happened = (*_pointers(now), *_tests(storage))
    events = sorted(
        (event for event in happened if known.first <= event.day <= known.last),
        key=lambda event: event.day,
    )
    return BusinessPage(asked, known, rows, tuple(events), alarm_of_live(storage, now))


def render_business(page: BusinessPage, frame: Frame) -> str:
    """Turn the page into HTML."""
    known, lists = page.known, by_day(page.rows)
    customers = {row["day"]: row for row in known.customers}
    final = page.final
    return fill(
        "business.html",
        frame,
        page=page,
        spans=SPANS,
        final=final,
        days=known.days,
        compared=_beside(page.kpis, lists, final) if final else [],
        so_far=_beside(page.kpis, lists, known.last),
        figures=[*_figures(page, page.kpis, lists, known.kpis_final)],
        of_customers=[*_figures(page, CUSTOMER_KPIS, customers, known.customers_final)],
        groups=list(_groups(page, final)) if final else [],
        zone=shop_zone().key,
        week=WEEK,
        fell=fell_text(page.alarm) if page.alarm else "",
        roll_back=ROLL_BACK,
        currencies=[currency or "no currency" for currency in page.currencies],
    )


def business_csv(page: BusinessPage) -> str:
    """Return the rows of `kpi_daily` that were asked for, with a column for each currency."""
    kept = ("day", "placement", "version", "test", "phase", "arm", "market", "requests", "people")
    counts = ("short_lists", "items_shown", "impressions", "clicks", "carts", "orders", "units")
    money = [(kind, each) for each in page.currencies for kind in ("gross", "returned")]
    columns = [*kept, *counts, *(f"{kind}_revenue_{each}" for kind, each in money), "is_final"]
    return csv_text(columns, (_line(page, row, money) for row in page.rows))


def customers_csv(page: BusinessPage) -> str:
    """Return the rows of `customers_daily`."""
    final = page.known.customers_final
    rows = [{**row, "is_final": _is_final(row["day"], final)} for row in page.known.customers]
    return csv_text(list(rows[0]) if rows else ["day"], rows)


def _line(page: BusinessPage, row: Row, money: Sequence[tuple[str, str]]) -> dict[str, Any]:
    amounts = {f"{kind}_revenue_{each}": row[f"{kind}_revenue"].get(each) for kind, each in money}
    return {**row, **amounts, "is_final": _is_final(row["day"], page.known.kpis_final)}


def _is_final(day: date, final: date | None) -> bool:
    return final is not None and day <= final


def _pointers(now: Standing) -> Iterator[Event]:
    for pointer in now.pointers:
        day = pointer.at.astimezone(UTC).date()
        if pointer.is_release:
            yield Event(day, "released", f"{pointer.version} ({pointer.candidate}) went live")
        else:
            yield Event(day, "rolled back", f"Rolled back to {pointer.version}")


def _tests(storage: Storage) -> Iterator[Event]:
    for state in read_ab_tests(storage).tests.values():
        name, ended = state.test.name, state.ended
        yield Event(_day(state.test.at), "tested", f"The A/B test {name} began")
        if ended:
            yield Event(_day(ended.at), "tested", f"The A/B test {name} ended: {ended.decision}")


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _beside(kpis: Sequence[Kpi], lists: Mapping[date, Totals], day: date) -> list[Compared]:
    found = []
    for kpi in kpis:
        value, before = values(kpi, [day, day - WEEK], lists)
        share = change(value, before)
        text = written(share, SHARE, 1)
        signed = f"+{text}" if share is not None and share > 0 and text != NOTHING else text
        found.append(Compared(kpi, _text(kpi, value), _text(kpi, before), signed))
    return found


def _figures(
    page: BusinessPage, kpis: Sequence[Kpi], known: Mapping[date, Any], final: date | None
) -> Iterator[Figure]:
    days = page.known.days
    marks = [
        Mark(event.kind, across(days.index(event.day), len(days)), f"{event.day}: {event.text}")
        for event in page.events
    ]
    open_at = tuple(
        across(place, len(days)) for place, day in enumerate(days) if not _is_final(day, final)
    )
    for kpi in kpis:
        numbers = values(kpi, days, known)
        drawn = chart([(kpi.name, "judged", numbers)], marks, SHORT)
        low, high = (drawn.low, drawn.high) if drawn else (None, None)
        texts = tuple(_text(kpi, value) for value in numbers)
        yield Figure(kpi, drawn, open_at, _text(kpi, low), _text(kpi, high), texts)


def _groups(page: BusinessPage, final: date) -> Iterator[tuple[str, str, list[str]]]:
    """Give placement, version and their numbers over the last seven days that are final."""
    week = [row for row in page.rows if final - WEEK < row["day"] <= final]
    for (placement, version), totals in sorted(
        added(week, lambda row: (row["placement"], row["version"])).items()
    ):
        yield placement, version, [_text(kpi, kpi.value(totals)) for kpi in page.kpis]


def _text(kpi: Kpi, value: float | None) -> str:
    return written(value, kpi.unit, kpi.digits)
