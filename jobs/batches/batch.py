"""Writes one batch of a source: sorts its rows, and shows them by a manifest written last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from infra.errors import InputError
from infra.lake import batch_key
from infra.ledger.batches import BatchReader
from infra.schemas import EVENTS, QUARANTINE, Table
from infra.spark import session as spark_session
from infra.spark.kept_rows import drop_kept, keep
from infra.storage import Storage
from jobs.batches import books, counting
from jobs.batches.batch_files import count_files, out_of_time
from jobs.batches.quarantine import count_reasons
from jobs.cleaning.repeats import OTHERWISE, Compared, compare_ids, conflicting
from jobs.cleaning.row_outcome import CLEAN, NOTES, QUARANTINED, sort_rows
from jobs.landing.landing_folder import Landed, landed_files
from jobs.landing.parquet_columns import unknown_columns
from jobs.landing.reading import file_with_rows, parse
from jobs.landing.sources import EventFeed
from jobs.landing.unknown_columns import count_unknown, no_unknown_keys

Manifests = Mapping[str, dict[str, Any]]

_NO_DICTIONARY = ("parquet.enable.dictionary#event_id", "false")  # its values are all different
_EVENT_IDS = Table("events", "event_id STRING NOT NULL")  # only this column is read
_MOST_FILES = 8  # in a partition: many small ones slow every later reader


@dataclass(frozen=True)
class Delivery:
    """What one run reads of one source."""

    spark: SparkSession
    storage: Storage
    batches: BatchReader  # what is in the lake already
    source: str
    run: str
    feed: EventFeed
    seen: datetime  # when its files were listed
    footers: Mapping[str, StructType]  # columns of the new Parquet files, by name

    def landed_now(self) -> Landed:
        """Return the files that lie in the landing folder now."""
        return landed_files(self.spark, self.feed, self.storage.settings)


@dataclass(frozen=True)
class SortedRows:
    """The rows of a batch with their outcomes, and what was counted of them."""

    rows: DataFrame  # kept: read several times
    counts: list[Row]  # of `books.count_outcomes`
    read: int  # counted before anything looked at them
    raw: Callable[[], DataFrame]  # the clean rows once more, as they came: the files are read again


def write_batch(
    delivery: Delivery, batch: DataFrame, files: Landed, number: int, earlier: Manifests
) -> None:
    """Write one batch: clean events, quarantined rows, and last the manifest showing them.

    Parameters
    ----------
    delivery : Delivery
        What the batch is a part of.
    batch : DataFrame
        Its rows, as `open_feed` gives them.
    files : mapping
        Its files, as they were listed.
    number : int
        Its number among the batches of the source.
    earlier : mapping
        Manifests of the batches of the source, by batch.

    Raises
    ------
    CatwalkError
        What the batch is refused for; it is not shown.
    """
    try:
        sorted_rows = _sorted(delivery, batch)
        manifest = _written(delivery, sorted_rows, files, number, earlier)
        delivery.storage.lake.commit("events", manifest["batch"], manifest)
        print(books.summary(manifest), flush=True)
    finally:
        drop_kept(delivery.spark)


def _sorted(delivery: Delivery, batch: DataFrame) -> SortedRows:
    read = Observation()
    secret = delivery.storage.settings.user_key_secret.get_secret_value()
    rows = keep(sort_rows(_counted(batch, delivery.feed, read), delivery.feed, secret))
    counts = books.count_outcomes(rows)

    def raw() -> DataFrame:
        again = sort_rows(parse(batch, delivery.feed), delivery.feed, secret, raw_of=(CLEAN,))
        return again.filter(F.col("outcome") == CLEAN)

    # without rows Spark observes nothing
    return SortedRows(rows, counts, int(read.get["rows"]) if counts else batch.count(), raw)


def _counted(batch: DataFrame, feed: EventFeed, read: Observation) -> DataFrame:
    """Parse a batch and count its rows on the way: lines, or the events that they hold."""
    count = F.count(F.lit(1)).alias("rows")
    if feed.explode is None:
        return parse(batch.observe(read, count), feed)
    return parse(batch, feed).observe(read, count)


def _written(
    delivery: Delivery, sorted_rows: SortedRows, files: Landed, number: int, earlier: Manifests
) -> dict[str, Any]:
    """Write the rows of a batch and return its manifest, with which readers find them."""
    key = batch_key(delivery.source, number)
    rows, counts = sorted_rows.rows, sorted_rows.counts
    odd = keep(rows.filter(_is_odd()).select("outcome", "reason", "raw", "file", "unknown", NOTES))
    near = books.near_batches(delivery.batches, earlier, counting.days_of_clean(counts))
    clean = rows.filter(F.col("outcome") == CLEAN)
    ids = _recent(delivery, _EVENT_IDS, near)
    compared = compare_ids(clean, ids, _recent_events(delivery, earlier, near))
    quarantined = write_quarantine(delivery, key, _with_conflicts(odd, compared, sorted_rows))
    written = books.count_written(_write_events(delivery, key, compared.kept))
    books_of = books.write_up(counts, written, quarantined, compared.repeats, sorted_rows.read)
    open_ = [batch for batch, word in near.items() if word != "accepted"]
    counted = _files(delivery, files, counts)
    return {
        **books_of,
        "batch": key,
        "source": delivery.source,
        "run": delivery.run,
        "mapping": delivery.feed.digest(),
        "notes": counting.count_notes(odd) if any(row["noted"] for row in counts) else {},
        "conflicting_ids": counting.name_ids(compared.conflicts),
        "repeats_of_undecided": open_ if compared.repeats else [],  # of this run too
        "seen_at": delivery.seen,
        "files": counted,
        "out_of_time": out_of_time(counts),
        "unknown_columns": _unknown_columns(delivery, odd, counts, counted),
    }


def _is_odd() -> Column:
    """Tell a row that more is told of than its place among the clean ones."""
    noted = (F.size("unknown") > 0) | (F.size(NOTES) > 0)
    return (F.col("outcome") == QUARANTINED) | F.coalesce(noted, F.lit(False))


def _with_conflicts(odd: DataFrame, compared: Compared, sorted_rows: SortedRows) -> DataFrame:
    """Add the rows that share the id of a different event, as they came."""
    if compared.conflicts is None:
        return odd
    clashing = conflicting(sorted_rows.raw(), compared.conflicts)
    counted = {name: no_unknown_keys() for name in ("unknown", NOTES)}  # `odd` has theirs already
    words = {"outcome": F.lit(QUARANTINED)} | counted
    return odd.unionByName(clashing.withColumns(words).select(*odd.columns))


def write_quarantine(delivery: Delivery, key: str, odd: DataFrame) -> dict[str, int]:
    """Write the quarantined rows and count them by reason as they are on disk.

    Readers find them by the manifest of the events of the batch, which comes later.
    """
    lake = delivery.storage.lake
    bad = odd.filter(F.col("outcome") == QUARANTINED)
    rows = bad.withColumn("source", F.lit(delivery.source)).select(*QUARANTINE.columns)
    rows.coalesce(1).write.mode("overwrite").parquet(lake.begin("quarantine", key))
    lake.commit("quarantine", key, {})
    return count_reasons(lake, key)


def _write_events(delivery: Delivery, key: str, kept: DataFrame) -> DataFrame:
    """Write the events and return them as they are on disk."""
    address = delivery.storage.lake.begin("events", key)
    events = kept.select(*EVENTS.columns).coalesce(_MOST_FILES)
    events.write.mode("overwrite").option(*_NO_DICTIONARY).parquet(address)
    return delivery.spark.read.schema(EVENTS.ddl).parquet(address)


def _recent(delivery: Delivery, columns: Table, batches: Iterable[str]) -> DataFrame:
    addresses = [delivery.storage.lake.address("events", batch) for batch in batches]
    return spark_session.read_table(delivery.spark, columns, addresses)


def _recent_events(delivery: Delivery, earlier: Manifests, near: Iterable[str]) -> DataFrame:
    """Return recent events, and whether another mapping made them than that of this batch."""
    mapping = delivery.feed.digest()
    others = {batch for batch in near if earlier[batch].get("mapping") != mapping}
    parts = ((True, others), (False, set(near) - others))
    same, otherwise = (
        _recent(delivery, EVENTS, sorted(batches)).withColumn(OTHERWISE, F.lit(is_other))
        for is_other, batches in parts
    )
    return same.unionByName(otherwise)


def _files(delivery: Delivery, files: Landed, counts: list[Row]) -> list[dict[str, Any]]:
    """Return the files of a batch; one that gave no row must not hold any.

    Raises
    ------
    InputError
        A file was away, or being written anew, just while the batch was read.
    """
    counted = count_files(counts, files, delivery.landed_now)
    silent = {file["file"] for file in counted if file["bytes"] and not file["rows"]}
    without = {name: file for name, file in files.items() if name in silent}
    if without and (name := file_with_rows(delivery.spark, delivery.feed, without)):
        raise InputError(
            f"{name} gave no row when it was read and holds some now.",
            "Run again once its upload is over.",
        )
    return counted


def _unknown_columns(
    delivery: Delivery, odd: DataFrame, counts: list[Row], files: list[dict[str, Any]]
) -> dict[str, int]:
    """Count the rows per column that no field asks for."""
    if delivery.feed.format != "parquet":
        return count_unknown(odd) if any(row["unknown"] for row in counts) else {}
    rows = {file["file"]: file["rows"] for file in files if file["rows"]}
    return unknown_columns(delivery.footers, rows, delivery.feed)
