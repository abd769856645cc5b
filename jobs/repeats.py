"""Removing events that came twice, without moving whole rows about.

Nearly all ids are unique, so only 64-bit hashes of them are compared; the few rows whose hash
stands more than once, in the batch or among recent events, are then compared by the id itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from infra.schemas import EVENTS

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
    shared = _shared_hashes(hashed, known).persist()
    if shared.count() == 0:  # counting all of them tells Spark how many there are to join
        return clean, 0
    unique = hashed.join(shared, _HASH, "left_anti").drop(_HASH)
    compared = hashed.join(shared, _HASH, "left_semi").drop(_HASH).persist()
    known = known.join(shared, _HASH, "left_semi").select("event_id")
    first = _first_of_each(compared.join(known, "event_id", "left_anti")).persist()
    return unique.unionByName(first), compared.count() - first.count()


def may_hold_repeated(
    manifest: dict[str, Any], source: str, first: datetime | None, last: datetime | None
) -> bool:
    """Tell whether events of a source, from `first` to `last`, could repeat those of a batch.

    An id is one event within its source alone, and for at least seven days: whole batches are
    compared, so that an id is remembered as long as any event of its batch is that near.
    """
    if manifest["source"] != source or manifest["first_event"] is None:
        return False
    if first is None or last is None:
        return False
    begins, ends = (datetime.fromisoformat(manifest[key]) for key in ("first_event", "last_event"))
    return begins - REMEMBERED <= last and ends + REMEMBERED >= first


def _shared_hashes(new: DataFrame, known: DataFrame) -> DataFrame:
    """Return the hashes that stand twice in the two together, each once.

    Numbers that are nearly all different sort faster than they group.
    """
    order = Window.partitionBy(_HASH).orderBy(_HASH)
    both = new.select(_HASH).union(known.select(_HASH))
    turned = both.withColumn("turn", F.row_number().over(order))
    return turned.filter("turn = 2").select(_HASH)


def _first_of_each(rows: DataFrame) -> DataFrame:
    others = (name for name in EVENTS.columns if name not in ("event_id", "event_time"))
    order = Window.partitionBy("event_id").orderBy("event_time", *others, "file")
    return rows.withColumn("_turn", F.row_number().over(order)).filter("_turn = 1").drop("_turn")
