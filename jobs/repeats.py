"""Removing events that came twice, without moving whole rows about.

Nearly all ids are unique, so only 64-bit hashes of them are compared; the few rows whose hash
stands more than once, in the batch or among recent events, are then compared by the id itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

REMEMBERED = timedelta(days=7)
_HASH = "_id_hash"


def without_repeats(clean: DataFrame, recent: DataFrame) -> tuple[DataFrame, int]:
    """Keep the first of the rows that share an event id, unless a recent event has it already.

    Parameters
    ----------
    clean : DataFrame
        Events of the batch, persisted: it is read several times.
    recent : DataFrame
        Column `event_id` of the events that were kept before.

    Returns
    -------
    DataFrame
        The rows to keep.
    int
        How many were left out.
    """
    hashed = clean.withColumn(_HASH, F.xxhash64("event_id"))
    known = recent.withColumn(_HASH, F.xxhash64("event_id"))
    suspicious = _shared_hashes(hashed, known).persist()
    if suspicious.isEmpty():
        return clean, 0
    unique = hashed.join(F.broadcast(suspicious), _HASH, "left_anti").drop(_HASH)
    compared = hashed.join(F.broadcast(suspicious), _HASH, "left_semi").drop(_HASH)
    known = known.join(F.broadcast(suspicious), _HASH, "left_semi").select("event_id")
    first = _first_of_each(compared.join(known, "event_id", "left_anti")).persist()
    return unique.unionByName(first), compared.count() - first.count()


def overlaps(manifest: dict[str, Any], first: datetime, last: datetime) -> bool:
    """Tell whether a batch holds events within seven days of the times `first` to `last`."""
    if manifest["first_event"] is None:
        return False
    begins, ends = (datetime.fromisoformat(manifest[key]) for key in ("first_event", "last_event"))
    return begins - REMEMBERED <= last and ends + REMEMBERED >= first


def _shared_hashes(new: DataFrame, known: DataFrame) -> DataFrame:
    """Return the hashes that stand twice in `new`, or in both; no side needs to fit in memory."""
    both = new.select(_HASH, F.lit(1).alias("new")).union(known.select(_HASH, F.lit(0)))
    counted = both.groupBy(_HASH).agg(F.sum("new").alias("new"), F.count("*").alias("all"))
    return counted.filter("new > 0 and all > 1").select(_HASH)


def _first_of_each(rows: DataFrame) -> DataFrame:
    order = Window.partitionBy("event_id").orderBy("event_time", "user_key", "item_id", "file")
    return rows.withColumn("_turn", F.row_number().over(order)).filter("_turn = 1").drop("_turn")
