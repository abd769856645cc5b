"""Removing events that came twice, without moving whole rows about.

Nearly all ids are unique, so only 64-bit hashes of them are compared; the few rows whose hash
stands more than once, in the batch or among recent events, are then compared by the id itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from infra.schemas import EVENTS

REMEMBERED = timedelta(days=7)
_HASH, _KNOWN, _TURN = "_id_hash", "_known", "_turn"


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
    batch = clean.withColumn(_KNOWN, F.lit(False))
    known = recent.select("event_id", F.lit(True).alias(_KNOWN))
    both = batch.unionByName(known, allowMissingColumns=True)
    both = both.withColumn(_HASH, F.xxhash64("event_id"))
    shared = _shared_hashes(both).persist()
    if shared.count() == 0:  # counting all of them tells Spark how many there are to join
        return clean, 0
    compared = both.join(shared, _HASH, "left_semi").withColumn(_TURN, _turn())
    compared = compared.filter(~F.col(_KNOWN)).persist()
    first = compared.filter(F.col(_TURN) == 1)
    unique = batch.withColumn(_HASH, F.xxhash64("event_id")).join(shared, _HASH, "left_anti")
    repeats = compared.filter(F.col(_TURN) > 1).count()
    return unique.select(*clean.columns).unionByName(first.select(*clean.columns)), repeats


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


def _shared_hashes(events: DataFrame) -> DataFrame:
    """Return the hashes that stand more than once, each once.

    Numbers that are nearly all different sort faster than they group.
    """
    order = Window.partitionBy(_HASH).orderBy(_HASH)
    turned = events.select(_HASH).withColumn(_TURN, F.row_number().over(order))
    return turned.filter(F.col(_TURN) == 2).select(_HASH)


def _turn() -> Column:
    """Return the place of a row among those of its event id: a known one first, then by time."""
    others = (name for name in EVENTS.columns if name not in ("event_id", "event_time"))
    order = Window.partitionBy("event_id").orderBy(F.desc(_KNOWN), "event_time", *others)
    return F.row_number().over(order)
