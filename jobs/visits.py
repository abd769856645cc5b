"""Says whose an event is, and orders the events of each person into visits: the table `steps`.

Grain of `steps`: one row per event of the window. A visit is what the shop calls a session; events
without a session id form one visit until their person does nothing for half an hour.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from infra.schemas import STEPS

PAUSE = 30 * 60  # seconds without an event that end a visit: the usual length in web analytics
_VISIT, _BEGINS, _MICROS = "_visit", "_begins", 1_000_000


def by_person(events: DataFrame) -> DataFrame:
    """Let `user_key` name the person of every event: the user, or a visitor without a user id.

    Whoever logs in is the user from then on; the visitor's earlier events stay the visitor's.
    """
    return events.withColumn("user_key", F.coalesce("user_key", "visitor_key"))


def steps_of(events: DataFrame) -> DataFrame:
    """Order the events of every person, with their `part`, by visit and time.

    Events of the same moment are ordered by their id, so that equal events give equal steps.
    """
    named = Window.partitionBy("user_key", "session_id")  # all windows below need no other shuffle
    in_time = named.orderBy("event_time", "event_id")
    waited = F.unix_micros("event_time") - F.lag(F.unix_micros("event_time")).over(in_time)
    paused = F.col("session_id").isNull() & (waited >= PAUSE * _MICROS)
    visits = events.withColumn(_BEGINS, F.coalesce(paused, F.lit(False)).cast("int"))
    visits = visits.withColumn(_VISIT, F.sum(_BEGINS).over(in_time))
    visit = Window.partitionBy("user_key", "session_id", _VISIT).orderBy("event_time", "event_id")
    return visits.select(
        F.col("user_key").alias("person_key"),
        F.coalesce("session_id", F.concat(F.lit("visit "), F.col(_VISIT) + 1)).alias("session"),
        (F.row_number().over(visit) - 1).alias("position"),
        *STEPS.columns[3:],
    )
