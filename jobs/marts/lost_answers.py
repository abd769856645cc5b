"""Counts answers that events name and the served log lacks, by the arm that their unit is in.

The lost line cannot say the arm any more; the assignment can, as in `infra/ledger/assignment.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from infra.ledger.assignment import LAYER_SALT
from infra.records.ab_tests import BUCKETS, Phase, Range
from jobs.marts.units import PhaseOfTest

ANSWERED_WITHIN = 30  # days before a phase: of answers that its events may still name


def lost_answers(
    events: DataFrame, answers: DataFrame, phase: PhaseOfTest, days: Collection[date]
) -> dict[str, dict[str, int]]:
    """Return by day and arm how many requests events name of which there is no line.

    A request counts once, on the day of the first event that names it.

    Parameters
    ----------
    events : DataFrame
        Of these days and the day before each, with their `day`, crawlers left out. One without a
        placement may be about any.
    answers : DataFrame
        All of the log that these events may name.
    days : collection of date
        All of them are in the answer, also those that lost nothing.
    """
    here = F.coalesce(F.col("placement").isin(*phase.placements), F.lit(True))
    shown = F.col("event_type").isin("impression", "click") & F.col("request_id").isNotNull()
    arm = arm_of(phase.record, F.min(phase.key)).alias("arm")
    first = F.min("event_time").alias("first"), F.min("day").alias("day")
    requests = events.filter(shown & here).groupBy("request_id").agg(*first, arm)
    inside = F.col("day").isin(*days) & (F.col("first") >= F.lit(phase.since))
    if phase.ends:
        inside = inside & (F.col("first") < F.lit(phase.ends))
    named = requests.filter(inside & F.col("arm").isNotNull())
    lost = named.join(answers.select("request_id"), "request_id", "left_anti")
    counts: dict[str, dict[str, int]] = {day.isoformat(): {} for day in days}
    for row in lost.groupBy("day", "arm").count().collect():
        counts[row["day"].isoformat()][row["arm"]] = row["count"]
    return counts


def by_arm(counts: dict[str, dict[str, int]]) -> dict[str, int]:
    """Add up the days.

    >>> by_arm({"2026-11-24": {"control": 1}, "2026-11-25": {"control": 2}})
    {'control': 3, 'treatment': 0}
    """
    arms = ("control", "treatment")
    return {arm: sum(of_day.get(arm, 0) for of_day in counts.values()) for arm in arms}


def arm_of(phase: Phase, unit: Column) -> Column:
    """Return the arm of a unit, as `infra.ledger.assignment.arm_of` does; null in none."""
    bucket = _bucket(phase.salt, unit)
    layer = _inside(_bucket(LAYER_SALT, unit), phase.layer)
    return F.when(layer & _inside(bucket, phase.control), "control").when(
        layer & _inside(bucket, phase.treatment), "treatment"
    )


def _bucket(salt: str, unit: Column) -> Column:
    digits = F.substring(F.sha2(F.concat(F.lit(f"{salt}."), unit), 256), 1, 15)
    return F.conv(digits, 16, 10).cast("bigint") % BUCKETS


def _inside(bucket: Column, ends: Range) -> Column:
    return (bucket >= ends[0]) & (bucket < ends[1])
