"""Reads the new files of a source, batch by batch, and says why a batch was refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

from infra.errors import CatwalkError, SparkError, StorageError
from infra.lake import Lake, batch_key
from infra.ledger.batches import BatchReader
from infra.places import CHECKPOINTS
from infra.spark.faults import plain
from infra.storage import Storage
from jobs.batches import books
from jobs.batches.batch import Delivery, Manifests, require_readable, write_batch
from jobs.landing.landing_folder import (
    batch_bound,
    landed_files,
    require_read,
    require_unchanged,
)
from jobs.landing.parquet_columns import footers
from jobs.landing.planned_files import checkpoint_id, planned_files
from jobs.landing.reading import open_feed
from jobs.landing.sources import EventFeed

_MOST_AGE = "36500d"  # of a file; by default Spark silently passes over files older than 7 days


def ingest(spark: SparkSession, storage: Storage, source: str, feed: EventFeed, run: str) -> None:
    """Read every file of a source that landed since the last time, batch by batch.

    Raises
    ------
    CatwalkError
        What a batch was refused for; the batches written before it stay.
    """
    feed = feed.with_replays(source)
    batches = BatchReader(storage)
    read = books.files_read(books.manifests(batches, source).values())
    sizes = landed_files(spark, feed, storage.landing)
    if not sizes:
        return
    new = {file: size for file, size in sizes.items() if file not in read}
    require_readable(new, feed, storage.settings)
    _forget_a_checkpoint_that_planned_nothing(storage.lake, source)
    columns = footers(spark, new, feed)
    writer = _BatchWriter(Delivery(spark, storage, batches, source, run, feed, sizes, columns))
    _read_stream(writer, new)
    _require_all_read(writer, new)


class _BatchWriter:
    """Writes the batches of a delivery, and remembers why one was refused: Spark buries that."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.refusal: CatwalkError | None = None

    def __call__(self, batch: DataFrame, number: int) -> None:
        try:
            self._write(batch, number)
        except CatwalkError as error:
            self.refusal = error
            raise
        except PySparkException as error:
            told = plain(error)
            if isinstance(told, SparkError):
                raise  # not understood: whoever runs the job shows all of it
            self.refusal = told
            raise told from None  # Py4J logs what it hands on, and Spark named a value

    def manifests(self) -> Manifests:
        """Return the manifests of the source's batches, also of what another run finished since."""
        return books.manifests(self.delivery.batches, self.delivery.source)

    def _write(self, batch: DataFrame, number: int) -> None:
        earlier = self.manifests()
        if not _is_finished(self.delivery, number, earlier):
            write_batch(self.delivery, batch, number, earlier)


def _read_stream(writer: _BatchWriter, new: Mapping[str, int]) -> None:
    """Let Spark plan the new files into batches and write each."""
    delivery = writer.delivery
    storage, feed = delivery.storage, delivery.feed
    bound = batch_bound(new.values(), storage.settings)
    reader = delivery.spark.readStream.options(**bound, maxFileAge=_MOST_AGE)
    query = (
        open_feed(reader, feed, storage.landing, delivery.footers)
        .writeStream.foreachBatch(writer)
        .option("checkpointLocation", storage.checkpoint(delivery.source))
        .trigger(availableNow=True)
        .start()
    )
    try:
        query.awaitTermination()
    except StreamingQueryException:
        if writer.refusal:
            raise writer.refusal from None
        raise


def _require_all_read(writer: _BatchWriter, new: Iterable[str]) -> None:
    landed, read = writer.delivery.landed_now(), books.files_read(writer.manifests().values())
    require_unchanged(landed, read)
    require_read(new, landed, read)


def _forget_a_checkpoint_that_planned_nothing(lake: Lake, source: str) -> None:
    """Remove what a kill left before the first batch was planned: Spark would refuse it."""
    place = f"{CHECKPOINTS}/{source}"
    if not any(lake.store.list(f"{place}/{log}") for log in ("offsets", "commits")):
        lake.store.delete_folder(place)


def _is_finished(delivery: Delivery, number: int, manifests: Manifests) -> bool:
    """Tell whether a batch was finished before the crash that brings it here again.

    Raises
    ------
    StorageError
        The batch was read under another checkpoint, or this one planned other files for it: the
        checkpoint was lost or restored, and would count files as read that never were.
    """
    storage, source = delivery.storage, delivery.source
    key = batch_key(source, number)
    manifest = manifests.get(key)
    if manifest is None:
        return False
    planned = set(planned_files(storage.lake, source, number))
    same = manifest["checkpoint"] == checkpoint_id(storage.lake, source)
    if same and planned == {file["file"] for file in manifest["files"]}:
        return True
    raise StorageError(
        f"{storage.lake.address('events', key)} was read under another checkpoint than "
        f"{storage.checkpoint(source)}"
        f"{', or an earlier state of it' if same else ''}.",
        "Restore the lake and its checkpoints from the same backup.",
    )
