"""Counts who came on which day, and leaves out whoever does more in a day than a person can."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from infra.mart_schemas import PERSON_DAYS

Crawlers = frozenset[tuple[date, str, str]]  # day, kind and key


def day_of(time: str) -> Column:
    """Return the day (UTC) of a time."""
    return F.to_date(time)


def person_days(events: DataFrame, most_events_per_day: int) -> DataFrame:
    """Return a row per day and user, and per day and visitor."""
    own = F.count_if(F.col("event_type") != "impression").alias("own_events")
    bought = F.count_if(F.col("event_type") == "purchase").alias("purchases")
    seen = events.withColumn("day", day_of("event_time"))
    users = seen.filter("user_key is not null").groupBy(
        "day", F.col("user_key").alias("person_key")
    )
    visitors = seen.filter("visitor_key is not null").groupBy(
        "day", F.col("visitor_key").alias("person_key")
    )
    nobody = (F.count("user_key") == 0).alias("is_stranger")
    rows = (
        users.agg(own, bought, F.lit(False).alias("is_stranger"))
        .withColumn("kind", F.lit("user"))
        .unionByName(visitors.agg(own, bought, nobody).withColumn("kind", F.lit("visitor")))
    )
    crawler = F.col("own_events") > most_events_per_day
    return rows.withColumn("is_crawler", crawler).select(*PERSON_DAYS.columns)


def crawlers_of(days: DataFrame) -> Crawlers:
    """Return those who are left out on a day: at most one for so many events as a crawler has."""
    rows = days.filter("is_crawler").select("day", "kind", "person_key").collect()
    return frozenset((row["day"], row["kind"], row["person_key"]) for row in rows)


def without_crawlers(rows: DataFrame, crawlers: Crawlers, time: str) -> DataFrame:
    """Leave out rows of a crawler's day, by the user or by the visitor; adds their `day`."""
    kept = rows.withColumn("day", day_of(time))
    for kind in ("user", "visitor"):
        days = sorted(f"{day} {key}" for day, of_kind, key in crawlers if of_kind == kind)
        if days:
            key = F.coalesce(f"{kind}_key", F.lit(""))
            kept = kept.filter(~F.concat_ws(" ", F.col("day").cast("string"), key).isin(days))
    return kept
