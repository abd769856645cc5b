"""Leaves out whoever does more in a day than a person can: crawlers, and broken trackers.

What the shop merely showed them does not count. They stay out of `interactions`, `history` and
`steps`; to the models they are strangers, who get the list for strangers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


@dataclass(frozen=True)
class Activity:
    """How much is done in a shop.

    Attributes
    ----------
    days : int
        Days (UTC) with an event.
    crawlers : DataFrame
        One row per user left out: `user_key`.
    left_out : dict
        How many `users` those are, and how many `events` they have in the window.
    """

    days: int
    crawlers: DataFrame
    left_out: dict[str, Any]


def activity_of(events: DataFrame, most_events_per_day: int) -> Activity:
    """Count the events of every user and day, and name the users with too many on any of them."""
    own = F.col("event_type") != "impression"
    of_a_day = events.groupBy("user_key", F.to_date("event_time").alias("day"))
    daily = of_a_day.agg(F.count("*").alias("events"), F.count_if(own).alias("own")).persist()
    days = daily.select("day").distinct().count()
    users = daily.groupBy("user_key").agg(
        F.sum("events").alias("events"), F.max("own").alias("own")
    )
    crawlers = users.filter(F.col("own") > most_events_per_day).persist()
    total = crawlers.agg(F.count("*"), F.coalesce(F.sum("events"), F.lit(0))).collect()[0]
    daily.unpersist()
    left_out = {"users": int(total[0]), "events": int(total[1])}
    return Activity(days, crawlers.select("user_key"), left_out)


def without_crawlers(events: DataFrame, activity: Activity) -> DataFrame:
    """Leave the events of crawlers out; a shop without any is spared the join."""
    if not activity.left_out["users"]:
        return events
    return events.join(F.broadcast(activity.crawlers), "user_key", "left_anti")
