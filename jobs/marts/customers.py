"""Counts who comes again: `customers_daily`, one row per day, from that day and those before it.

So a row is final once its day is complete. The restricted mean of the days to the next visit is
that of Kaplan and Meier: visits of the last 28 days, each watched until the day of the row, and
for 14 days at most (Royston and Parmar 2013, doi:10.1186/1471-2288-13-152).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from infra.mart_schemas import CUSTOMERS_DAILY
from jobs.marts.days import SEEN_WITHIN

WATCHED, COHORTS, WEEK = 14, 28, 7
Gaps = Mapping[date, Mapping[int, int]]  # by day and days to the next visit (0: none): people


def customers_of(days: DataFrame, wanted: Iterable[date]) -> DataFrame:
    """Return the rows of `customers_daily` of some days.

    Parameters
    ----------
    days : DataFrame
        `person_days`, from 90 days before the first of them on.
    """
    gaps: dict[date, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    counts: dict[date, dict[str, Any]] = defaultdict(dict)
    for row in _came(days.filter("not is_crawler and (kind = 'user' or is_stranger)")).collect():
        gaps[row["day"]][row["gap"]] += row["people"]
        for name in ("people", "new_people", "returning_people", "buyers"):
            counts[row["day"]][name] = counts[row["day"]].get(name, 0) + row[name]
    for row in _strangers(days).collect():
        counts[row["day"]] |= row.asDict()
    zero = dict.fromkeys(CUSTOMERS_DAILY.columns[1:7], 0) | {"crawlers": 0}
    rows = [
        {**zero, **counts[day], "day": day, **_again(gaps, day)}
        for day in sorted(wanted)
        if day in counts
    ]
    tuples = [tuple(row[name] for name in CUSTOMERS_DAILY.columns) for row in rows]
    return days.sparkSession.createDataFrame(tuples, CUSTOMERS_DAILY.ddl)


def restricted_mean(visits: Iterable[tuple[int, bool]], days: int = WATCHED) -> float | None:
    """Return the mean of the days to the next visit, at most `days`: the area below the curve.

    Parameters
    ----------
    visits : iterable of (int, bool)
        Days until the next visit and True, or days watched without one and False.

    Returns
    -------
    float or None
        None where nobody was watched for so long.

    >>> restricted_mean([(1, True), (14, False)])
    7.5
    """
    ends: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    watched = 0
    for time, came in visits:
        ends[min(time, days)][came and time <= days] += 1
        watched += 1
    still_away, area = 1.0, 0.0
    for day in range(1, days + 1):
        watched -= sum(ends.pop(day - 1, [0, 0]))
        if not watched:
            return None
        area += still_away
        still_away *= 1 - ends[day][True] / watched
    return area


def _again(gaps: Gaps, day: date) -> dict[str, float | None]:
    """Return what is known on a day of the visits before it."""
    visits: list[tuple[int, bool]] = []
    for back in range(COHORTS):
        for gap, people in gaps.get(day - timedelta(days=back), {}).items():
            came = 0 < gap <= back
            visits += [(gap if came else back, came)] * people
    week_ago = gaps.get(day - timedelta(days=WEEK), {})
    came_again = sum(people for gap, people in week_ago.items() if 0 < gap <= WEEK)
    rate = came_again / sum(week_ago.values()) if week_ago else None
    return {"days_to_next_visit": restricted_mean(visits), "return_rate_7d": rate}


def _came(persons: DataFrame) -> DataFrame:
    """Count the people of each day by the days to their next visit; 0 beyond the watched ones."""
    in_time = Window.partitionBy("kind", "person_key").orderBy("day")
    away = F.date_diff(F.col("day"), F.lag("day").over(in_time))
    ahead = F.date_diff(F.lead("day").over(in_time), F.col("day"))
    known = F.coalesce(away <= SEEN_WITHIN, F.lit(False)).alias("known")
    gap = F.when(ahead <= WATCHED, ahead).otherwise(0).alias("gap")
    return (
        persons.select("day", "purchases", known, gap)
        .groupBy("day", "gap")
        .agg(
            F.count("*").alias("people"),
            F.count_if(~F.col("known")).alias("new_people"),
            F.count_if("known").alias("returning_people"),
            F.count_if(F.col("purchases") > 0).alias("buyers"),
        )
    )


def _strangers(days: DataFrame) -> DataFrame:
    """Count strangers, and those who were some within 90 days and buy for the first time."""
    same = Window.partitionBy("kind", "person_key", "is_crawler").orderBy(F.unix_date("day"))
    before, until = (same.rangeBetween(-SEEN_WITHIN, last) for last in (-1, 0))
    first = F.coalesce(F.sum("purchases").over(before), F.lit(0)) == 0
    was_stranger: Column = F.bool_or("is_stranger").over(until)
    bought = (F.col("purchases") > 0) & first & was_stranger  # no user is ever a stranger
    counted = ~F.col("is_crawler")
    rows = days.select("day", "is_crawler", "is_stranger", bought.alias("bought"))
    return rows.groupBy("day").agg(
        F.count_if(counted & F.col("is_stranger")).alias("strangers"),
        F.count_if(counted & F.col("bought")).alias("strangers_who_bought"),
        F.count_if("is_crawler").alias("crawlers"),
    )
