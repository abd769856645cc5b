"""Adds up what each unit of a phase of an A/B test did since its first answer: `test_units`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from infra.ledger.ab_tests import TestState
from infra.mart_schemas import TEST_UNITS
from infra.records.ab_tests import Phase
from jobs.marts.people import Crawlers
from jobs.marts.sales import total

BEFORE_DAYS = 28


@dataclass(frozen=True)
class PhaseOfTest:
    """A phase of a test, as the answers name it, and how long its units are watched."""

    number: int
    name: str
    phase: int
    unit: str  # user or visitor
    mature_days: int
    since: datetime
    ends: datetime | None  # by the next phase or a decision
    placements: tuple[str, ...]
    record: Phase

    @property
    def of(self) -> str:
        """Its folder: `NUMBER-PHASE`."""
        return f"{self.number}-{self.phase}"

    @property
    def key(self) -> str:
        """The column with the key of the unit."""
        return f"{self.unit}_key"


@dataclass(frozen=True)
class Sources:
    """What units are counted from: `answers` of the phase, its exposures, sales, crawlers."""

    answers: DataFrame
    exposures: DataFrame
    sales: DataFrame
    crawlers: Crawlers


def phases_of(state: TestState) -> list[PhaseOfTest]:
    """Return the phases of a test, in order."""
    test = state.test
    begins = [test.at, *(change.at for change in state.changes)]
    ends = [*begins[1:], state.ended.at if state.ended else None]
    records = [test.phase, *(change.phase for change in state.changes)]
    return [
        PhaseOfTest(
            test.number,
            test.name,
            number,
            test.unit,
            test.mature_days,
            *span,
            test.placements,
            record,
        )
        for number, (span, record) in enumerate(
            zip(zip(begins, ends, strict=True), records, strict=True), 1
        )
    ]


def units_of(
    phase: PhaseOfTest, sources: Sources, known_until: datetime, currency: str
) -> DataFrame:
    """Return a row per unit that was answered in a phase, crawlers left out.

    Parameters
    ----------
    known_until : datetime
        A unit is mature if its whole window lies before the start of this day.
    currency : str
        Revenue in others is left out: there is no rate to convert it by.
    """
    units = _exposed(phase, sources.answers).transform(_without_crawlers, phase, sources.crawlers)
    watched = units.select("unit_key", "first_exposed", "until")
    parts = [
        _answers(watched, _keyed(sources.answers, phase)),
        _reactions(watched, _keyed(sources.exposures, phase)),
        _sales(watched, _keyed(sources.sales, phase), currency),
    ]
    rows = units
    for part in parts:
        rows = rows.join(part, "unit_key", "left")
    complete = F.date_trunc("day", F.lit(known_until))
    made = {"is_mature": F.col("until") <= complete}
    zero = {name: F.coalesce(F.col(name), F.lit(0)) for name in TEST_UNITS.columns[5:]}
    columns = {**{name: F.col(name) for name in TEST_UNITS.columns}, **zero, **made}
    kinds = TEST_UNITS.kinds
    return rows.select(
        *(columns[name].cast(kinds[name]).alias(name) for name in TEST_UNITS.columns),
        F.lit(phase.of).alias("of"),
    )


def main_currency(sales: DataFrame) -> str:
    """Return the currency with most purchases; "" where no purchase names any."""
    counts = sales.filter("event_type = 'purchase' and currency is not null")
    ordered = counts.groupBy("currency").count().orderBy(F.desc("count"), "currency")
    row = ordered.first()
    return str(row["currency"]) if row else ""


def facts_of(answers: DataFrame) -> dict[str, Any]:
    """Return how many answers each arm had, by the version that answered."""
    counts: dict[str, dict[str, int]] = {}
    groups = answers.groupBy("arm", "version").count().orderBy("arm", "version")
    for row in groups.collect():
        counts.setdefault(row["arm"], {})[row["version"]] = row["count"]
    return {"answers_by_version": counts}


def _keyed(rows: DataFrame, phase: PhaseOfTest) -> DataFrame:
    return rows.withColumn("unit_key", F.col(phase.key)).filter("unit_key is not null")


def _exposed(phase: PhaseOfTest, answers: DataFrame) -> DataFrame:
    """Return when each unit was first answered, in which arm, and until when it is watched."""
    first = F.min(F.struct("served_at", "request_id", "arm")).alias("first")
    units = (
        _keyed(answers, phase)
        .groupBy("unit_key")
        .agg(first, F.count_distinct("arm").cast("int").alias("arms"))
    )
    until = F.col("first.served_at") + F.expr(f"interval {phase.mature_days} days")
    return units.select(
        "unit_key",
        F.col("first.arm").alias("arm"),
        "arms",
        F.col("first.served_at").alias("first_exposed"),
        until.alias("until"),
    )


def _without_crawlers(units: DataFrame, phase: PhaseOfTest, crawlers: Crawlers) -> DataFrame:
    """Leave out units that are crawlers on a day that they are watched."""
    rows = sorted((key, day) for day, kind, key in crawlers if kind == phase.unit)
    if not rows:
        return units
    days = units.sparkSession.createDataFrame(rows, "unit_key STRING, day DATE")
    watched = F.col("day").between(F.to_date("first_exposed"), F.to_date("until"))
    bad = units.join(F.broadcast(days), "unit_key").filter(watched).select("unit_key")
    return units.join(bad, "unit_key", "left_anti")


def _during(time: str) -> Column:
    return (F.col(time) >= F.col("first_exposed")) & (F.col(time) < F.col("until"))


def _answers(watched: DataFrame, answers: DataFrame) -> DataFrame:
    rows = answers.join(watched, "unit_key").filter(_during("served_at"))
    return rows.groupBy("unit_key").agg(F.count("*").alias("requests"))


def _reactions(watched: DataFrame, exposures: DataFrame) -> DataFrame:
    rows = exposures.join(watched, "unit_key").filter(_during("served_at"))
    return rows.groupBy("unit_key").agg(
        F.count_if("was_seen").alias("impressions"), F.count_if("was_clicked").alias("clicks")
    )


def _sales(watched: DataFrame, sales: DataFrame, currency: str) -> DataFrame:
    """Add up purchases and returns while a unit is watched, and in the 28 days before."""
    start = F.col("first_exposed") - F.expr(f"interval {BEFORE_DAYS} days")
    before = (F.col("event_time") >= start) & (F.col("event_time") < F.col("first_exposed"))
    joined = sales.join(watched, "unit_key").filter(before | _during("event_time"))
    spans = {"": _during("event_time"), "_before": before}
    return joined.groupBy("unit_key").agg(
        *(sum_ for name, span in spans.items() for sum_ in _sums(span, currency, name))
    )


def _sums(span: Column, currency: str, name: str) -> list[Column]:
    bought = span & (F.col("event_type") == "purchase")
    back = span & (F.col("event_type") == "return")
    paid = F.when(F.coalesce("currency", F.lit(currency)) == currency, F.col("revenue"))
    return [
        F.count_distinct(F.when(bought, F.col("order_key"))).alias(f"orders{name}"),
        F.sum(F.when(bought, F.col("quantity"))).alias(f"units{name}"),
        total(F.when(bought, paid)).alias(f"gross_revenue{name}"),
        total(F.when(back, paid)).alias(f"returned_revenue{name}"),
    ]
