"""Counts what the books of a batch say beside its rows: its days, changed values, shared ids."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from jobs.cleaning.row_outcome import NOTES
from jobs.landing.unknown_columns import masked_names

_MOST_IDS = 10  # named of those that different events share


def days_of_clean(outcomes: Iterable[Row]) -> set[date]:
    """Return the days (UTC) of the clean rows of `count_outcomes`."""
    return {day for row in outcomes for day in row["days"]}


def count_notes(rows: DataFrame) -> dict[str, int]:
    """Count what of the rows that stay is not as it came: see `sort_rows`."""
    notes = rows.select(F.explode(NOTES).alias("note")).groupBy("note").count().collect()
    return {row["note"]: row["count"] for row in sorted(notes)}


def name_ids(conflicts: DataFrame | None) -> dict[str, int]:
    """Return the rows of the ids that most events share though they differ."""
    if conflicts is None:
        return {}
    rows = conflicts.groupBy("event_id").agg(F.sum("rows").alias("rows"))
    most = rows.orderBy(F.desc("rows"), "event_id").limit(_MOST_IDS).collect()
    return masked_names((row["event_id"], row["rows"]) for row in most)
