"""Builds `test_units`: of each phase of an A/B test whose units may still change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from infra.ledger.ab_tests import KnownTests
from infra.mart_schemas import EXPOSURES, PERSON_DAYS, SALES, TEST_UNITS
from infra.records.marts import build_of
from infra.spark.kept_rows import keep
from jobs.marts.batched import Batched
from jobs.marts.days import around
from jobs.marts.layout import Build
from jobs.marts.lost_answers import ANSWERED_WITHIN, by_arm, lost_answers
from jobs.marts.people import crawlers_of, without_crawlers
from jobs.marts.units import (
    BEFORE_DAYS,
    PhaseOfTest,
    Sources,
    facts_of,
    main_currency,
    phases_of,
    units_of,
)


def build_units(
    build: Build, batched: Batched, tests: KnownTests, changed: Collection[date], until: datetime
) -> None:
    """Write the units of every phase that is new, not yet mature, or touched by other days."""
    frames: dict[str, DataFrame] = {}
    facts: dict[str, dict[str, Any]] = {}
    for state in tests.tests.values():
        for phase in phases_of(state):
            ends = phase.ends or state.exposed_until
            if not may_change(phase, ends, _noted(build, phase), changed, until):
                continue
            made = _units(build, batched, phase, until)
            if made is not None:
                frames[phase.of], facts[phase.of] = made
                facts[phase.of] |= _lost(build, batched, phase, changed)
    if frames:
        rows = reduce(DataFrame.unionByName, frames.values())
        build.write(TEST_UNITS, rows, frames, ("unit_key",), tests=facts)


def may_change(
    phase: PhaseOfTest,
    ends: datetime,
    noted: Mapping[str, Any],
    changed: Collection[date],
    until: datetime,
) -> bool:
    """Tell whether a build may find other units of a phase than the build before noted.

    Parameters
    ----------
    ends : datetime
        Until then units may come, also after days without any.
    noted : mapping
        Empty if the build before had no unit of it.
    until : datetime
        All events before it have arrived.
    """
    over = ends + timedelta(days=phase.mature_days)
    is_final = noted.get("is_final", over < until)
    last = max(over.date(), date.fromisoformat(noted.get("last_day", "0001-01-01")))
    return not is_final or any(_first_day(phase) <= day <= last for day in changed)


def _first_day(phase: PhaseOfTest) -> date:
    """Return the first day whose sales count for a unit."""
    return phase.since.date() - timedelta(days=BEFORE_DAYS)


def _noted(build: Build, phase: PhaseOfTest) -> dict[str, Any]:
    """Return what the build before noted of a phase; empty if it had none of it."""
    before = build.partitions.get(TEST_UNITS.name, {}).get(phase.of)
    if before is None:
        return {}
    tests = build.storage.lake.manifest(TEST_UNITS.name, build_of(before))["tests"]
    return dict(tests[phase.of])


def _lost(
    build: Build, batched: Batched, phase: PhaseOfTest, changed: Collection[date]
) -> dict[str, Any]:
    """Count the answers that the log lacks; days that nothing touched are as counted before."""
    known: dict[str, dict[str, int]] = _noted(build, phase).get("missing_by_day", {})
    last = phase.ends.date() if phase.ends else date.max
    present = {day for day in _days(build, PERSON_DAYS.name) if phase.since.date() <= day <= last}
    stale = around(changed, 0, 1)  # a day leaves out what the day before it names
    new = {day for day in present if day in stale or day.isoformat() not in known}
    near = around(new, 1, 0)
    crawlers = crawlers_of(build.read(PERSON_DAYS, near))
    events = without_crawlers(batched.events(near), crawlers, "event_time")
    answers = batched.answers(days_of_answers(phase, new))
    counts = {**known, **lost_answers(events, answers, phase, new)}
    return {"missing_by_day": counts, "missing": by_arm(counts)}


def days_of_answers(phase: PhaseOfTest, days: Collection[date]) -> set[date]:
    """Return the days whose answers events of these days may name: lists are clicked weeks later.

    A day after each, as clocks of shop and server differ.
    """
    first = phase.since.date() - timedelta(days=ANSWERED_WITHIN)
    return around({max(days)}, (max(days) - first).days, 1) if days else set()


def _units(
    build: Build, batched: Batched, phase: PhaseOfTest, until: datetime
) -> tuple[DataFrame, dict[str, Any]] | None:
    """Return the units of a phase and the facts beside them; None before its first answer."""
    since = phase.since.date()
    served = {day for day in _days(build, EXPOSURES.name) if day >= since}
    if not served:
        return None
    seen = {day for day in _days(build, PERSON_DAYS.name) if day >= since}
    crawlers = crawlers_of(build.read(PERSON_DAYS, seen))
    every = without_crawlers(batched.answers(served), crawlers, "served_at")
    answers = every.transform(_of_phase, phase)
    first = _first_day(phase)
    sales = build.read(SALES, [day for day in _days(build, SALES.name) if day >= first])
    exposures = build.read(EXPOSURES, served).transform(_of_phase, phase)
    currency = main_currency(sales)
    sources = Sources(answers, exposures, sales, crawlers)
    units = keep(units_of(phase, sources, until, currency))
    count = units.agg(F.count("*"), F.count_if("is_mature"), F.max("first_exposed")).collect()[0]
    if not count[0]:
        return None
    last = count[2].date() + timedelta(days=phase.mature_days)
    noted = {
        "units": count[0],
        "is_final": count[0] == count[1] and until.date() > last,
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "known_until": until,
        "currency": currency,
        **facts_of(answers),
    }
    return units, noted


def _of_phase(rows: DataFrame, phase: PhaseOfTest) -> DataFrame:
    return rows.filter((F.col("test") == phase.name) & (F.col("phase") == phase.phase))


def _days(build: Build, table: str) -> set[date]:
    return {date.fromisoformat(name) for name in build.partitions.get(table, {})}
