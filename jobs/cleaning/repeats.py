"""Tells repeated events from different ones that share an id, by hashes, not by whole rows.

Nearly all ids are unique, so only 64-bit hashes of them are compared; the few rows whose hash
occurs more than once, in the batch or among recent events, are then compared by the id itself and
by what they say. Equal rows are repeats. A row that says something else is another event under the
same id, a conflict: it is not left out, its raw row goes to quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from infra.schemas import EVENTS, Reason

REMEMBERED = 7  # days
CONTENT = "_content"
# Of a recent event: another mapping made it, so it may say the same in other words.
OTHERWISE = "_otherwise"
_HASH, _KNOWN, _FIRST, _BEFORE, _TURN = "_id_hash", "_known", "_first", "_before", "_turn"
_INCOMPARABLE = "_incomparable"
_SAYS = [name for name in EVENTS.columns if name != "event_id"]


@dataclass(frozen=True)
class Compared:
    """The events of a batch, held against each other and against recent ones.

    Attributes
    ----------
    kept : DataFrame
        The rows to keep: of rows that share an id the first, unless a recent event has it already.
    repeats : int
        Rows left out since an event with their id says the same.
    conflicts : DataFrame or None
        One row per id and content that clash with another event: `event_id`, `_content` as
        `content` makes it, and `rows`. All rows of such a content are conflicts; None if none is.
    """

    kept: DataFrame
    repeats: int
    conflicts: DataFrame | None


def compare_ids(clean: DataFrame, recent_ids: DataFrame, recent: DataFrame) -> Compared:
    """Hold the events of a batch against each other and against recent ones, by their ids.

    Parameters
    ----------
    clean : DataFrame
        Events of the batch, kept: it is read several times.
    recent_ids : DataFrame
        Column `event_id` of the events that were kept before.
    recent : DataFrame
        The same events with all columns and `_otherwise`; read only if an id occurs again.
    """
    batch = _hashed(clean)
    ids = batch.select(_HASH).unionByName(_hashed(recent_ids).select(_HASH))
    shared = _shared_hashes(ids).persist()
    if shared.count() == 0:  # counting all of them tells Spark how many there are to join
        return Compared(clean, 0, None)
    known = _hashed(recent).withColumn(_KNOWN, F.lit(True))
    both = batch.withColumn(_KNOWN, F.lit(False)).unionByName(known, allowMissingColumns=True)
    same_hash = both.join(shared, _HASH, "left_semi").withColumn(CONTENT, content())
    compared = same_hash.transform(_with_others).filter(~F.col(_KNOWN)).persist()
    is_first = F.col(_TURN) == 1
    unique = batch.join(shared, _HASH, "left_anti")
    first = compared.filter(is_first)
    others = compared.filter(~is_first)
    return Compared(
        unique.select(*clean.columns).unionByName(first.select(*clean.columns)),
        others.filter(_says_the_same()).count(),
        _conflicts(others.filter(~_says_the_same())),
    )


def _conflicts(clashing: DataFrame) -> DataFrame | None:
    counted = clashing.groupBy("event_id", CONTENT).agg(F.count("*").alias("rows")).persist()
    return counted if counted.count() else None


def _hashed(events: DataFrame) -> DataFrame:
    return events.withColumn(_HASH, F.xxhash64("event_id"))


def conflicting(rows: DataFrame, conflicts: DataFrame) -> DataFrame:
    """Return the rows that `conflicts` of `compare_ids` names, with their reason."""
    held = rows.withColumn(CONTENT, content())
    clashing = held.join(F.broadcast(conflicts), ["event_id", CONTENT], "left_semi")
    return clashing.withColumn("reason", F.lit(Reason.CONFLICTING_ID))


def content() -> Column:
    """Hash all that an event says beside its id; a null differs from any value."""
    return F.xxhash64(*_SAYS, *(F.col(name).isNull() for name in _SAYS))


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


def _with_others(events: DataFrame) -> DataFrame:
    """Put beside a row its place among those of its id, and what the others say.

    Earlier batches come first, then the earliest: its content is the event that the id names.
    """
    of_id = Window.partitionBy("event_id")
    in_order = of_id.orderBy(F.desc(_KNOWN), "event_time", *_SAYS)
    known = F.when(F.col(_KNOWN), F.col(CONTENT))
    return events.withColumns(
        {
            _TURN: F.row_number().over(in_order),
            _FIRST: F.first(CONTENT).over(in_order),
            _BEFORE: F.collect_set(known).over(of_id),
            _INCOMPARABLE: F.max(F.coalesce(OTHERWISE, F.lit(False))).over(of_id),
        }
    )


def _says_the_same() -> Column:
    """Tell a row that repeats what the first of its id says, or a recent event.

    After a change of the mapping all that is delivered again would else be a conflict.
    """
    same = (F.col(CONTENT) == F.col(_FIRST)) | F.array_contains(_BEFORE, F.col(CONTENT))
    return same | F.col(_INCOMPARABLE)
