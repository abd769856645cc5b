"""Removes repeated events by comparing hashes of their ids, not whole rows.

Nearly all ids are unique, so only 64-bit hashes of them are compared; the few rows whose hash
occurs more than once, in the batch or among recent events, are then compared by the id itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from infra.schemas import EVENTS

REMEMBERED = 7  # days
_HASH, _KNOWN, _TURN = "_id_hash", "_known", "_turn"


def without_repeats(clean: DataFrame, recent: DataFrame) -> tuple[DataFrame, int]:
    """Keep the first of the rows that share an event id, unless a recent event has it already.

    Parameters
    ----------
    clean : DataFrame
        Events of the batch, kept: it is read several times.
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
    earlier = recent.select("event_id", F.lit(True).alias(_KNOWN))
    both = batch.unionByName(earlier, allowMissingColumns=True)
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


def may_hold_repeated(manifest: Mapping[str, Any], days: Iterable[date]) -> bool:
    """Tell whether events of some days could repeat events of an earlier batch.

    An id names one event for at least seven days. Whole batches are compared, so an id is
    remembered as long as any event of its batch is that near. Only days with events count: else a
    single event with an odd time would make its batch near to all later ones.
    """
    if "days" not in manifest:
        return True  # older manifests do not name the days
    held = {date.fromisoformat(day) for day in manifest["days"]}
    span = range(-REMEMBERED, REMEMBERED + 1)
    return any(day + timedelta(shift) in held for day in days for shift in span)


def _shared_hashes(events: DataFrame) -> DataFrame:
    """Return the hashes that occur more than once, each once.

    Nearly all are different: grouping them before they are brought together would be in vain.
    """
    together = events.select(_HASH).repartition(_HASH)
    return together.groupBy(_HASH).count().filter(F.col("count") > 1).select(_HASH)


def _turn() -> Column:
    """Return a row's place among those of its event id: earlier batches first, then by time."""
    others = (name for name in EVENTS.columns if name not in ("event_id", "event_time"))
    order = Window.partitionBy("event_id").orderBy(F.desc(_KNOWN), "event_time", *others)
    return F.row_number().over(order)
