"""Reads the new files of a source, batch by batch, each file once.

The manifests of the batches are the only memory of which files were read, by their names below the
landing folder. A manifest is written last, so after a kill its batch is not there, and the next run
reads the same files again.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from infra.errors import SparkError
from infra.lake import batch_number
from infra.ledger.batches import BatchReader
from infra.spark.faults import plain
from infra.storage import Storage
from jobs.batches import books
from jobs.batches.batch import Delivery, write_batch
from jobs.batches.batch_files import files_read
from jobs.landing.contents import require_readable
from jobs.landing.landing_folder import (
    Landed,
    folders_of,
    landed_files,
    portions,
    require_unchanged,
)
from jobs.landing.parquet_columns import footers
from jobs.landing.reading import open_feed
from jobs.landing.sources import EventFeed
from jobs.landing.unpacking import with_copies


def ingest(spark: SparkSession, storage: Storage, source: str, feed: EventFeed, run: str) -> None:
    """Read every file of a source that landed since the last time, batch by batch.

    Raises
    ------
    CatwalkError
        What a batch was refused for; the batches written before it stay.
    """
    folders = folders_of(feed, source)
    feed = feed.with_replays(source)
    batches = BatchReader(storage)

    def read() -> dict[str, int]:
        earlier = books.manifests(batches, source).values()
        return files_read(earlier, storage.landing, folders)

    landed, before = landed_files(spark, feed, storage.settings), read()
    seen = datetime.now(UTC)
    new = {name: file for name, file in landed.items() if name not in before}
    packed = require_readable(new, feed, storage.settings)
    columns = footers(spark, new, feed, storage.settings)
    delivery = Delivery(spark, storage, batches, source, run, feed, seen, columns)
    for files in portions(new, storage.settings):
        with storage.lake_scratch() as copies:
            _read(delivery, with_copies(files, packed, storage, copies))
    if landed:
        require_unchanged(delivery.landed_now(), read())


def _read(delivery: Delivery, files: Landed) -> None:
    """Write a batch; say in one line what Spark found, where it may name a value of a row."""
    earlier = books.manifests(delivery.batches, delivery.source)
    number = 1 + max(map(batch_number, earlier), default=-1)
    spark, feed, landing = delivery.spark, delivery.feed, delivery.storage.landing
    try:
        batch = open_feed(spark, feed, files, landing, delivery.footers, delivery.seen)
        write_batch(delivery, batch, files, number, earlier)
    except PySparkException as error:
        told = plain(error)
        if isinstance(told, SparkError):
            raise  # not understood: whoever runs the job shows all of it
        raise told from None
