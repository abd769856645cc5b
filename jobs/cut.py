"""The times of a run: where its window starts and ends, and the cut between its two parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

TRAIN, HOLDOUT = "train", "holdout"


@dataclass(frozen=True)
class Times:
    """The times of a run, all UTC: events from `start`, trained before `cut`, hold-out to `end`."""

    start: datetime
    cut: datetime
    end: datetime


def inside(events: DataFrame, window: Times) -> DataFrame:
    """Keep the events of the training window."""
    time = F.col("event_time")
    return events.filter((time >= F.lit(window.start)) & (time < F.lit(window.end)))


def split_at(events: DataFrame, cut: datetime) -> DataFrame:
    """Say for each event whether models learn from it or are scored on it."""
    before = F.col("event_time") < F.lit(cut)
    return events.withColumn("part", F.when(before, TRAIN).otherwise(HOLDOUT))
