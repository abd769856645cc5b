"""Prints the time (UTC) of the newest event that lies in the landing folder of a shop.

CATWALK_HOME=var/my_shop python -m jobs.newest_event

It reads every file as an ingestion would, and keeps nothing.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from infra.command_line import run_program
from infra.errors import InputError
from infra.settings import load_settings
from infra.spark.session import start_local
from infra.storage import Storage
from jobs.cleaning.row_outcome import CLEAN, sort_rows
from jobs.landing.contents import require_readable
from jobs.landing.landing_folder import landed_files
from jobs.landing.mapping_check import require_mapping
from jobs.landing.parquet_columns import footers
from jobs.landing.reading import open_feed, parse
from jobs.landing.sources import EventFeed, load_sources
from jobs.landing.unpacking import with_copies

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def main() -> int:
    """Print it."""
    argparse.ArgumentParser(prog="jobs.newest_event", description=__doc__).parse_args()
    storage = Storage(load_settings())
    print(newest_event(start_local(storage.settings), storage).isoformat())
    return 0


def newest_event(spark: SparkSession, storage: Storage) -> datetime:
    """Return the time of the newest row that is an event, of all sources of a shop.

    Raises
    ------
    CatwalkError
        A source cannot be read, or no row of any is an event.
    """
    settings = storage.settings
    sources = load_sources(settings.sources, settings.sources_file)
    for name, source in sources.items():
        require_mapping(spark, name, source, settings.sources_file)
    with storage.lake_scratch() as copies:
        each = (
            _rows(spark, storage, source.events, f"{copies}/{name}")
            for name, source in sources.items()
        )
        newest = F.max(F.unix_micros("event_time")).alias("newest")
        found = reduce(DataFrame.unionByName, each).groupBy("outcome", "reason")
        counted = found.agg(F.count("*").alias("rows"), newest).collect()
    of_events = [row["newest"] for row in counted if row["outcome"] == CLEAN]
    if not of_events:
        told = sorted((row["reason"], row["rows"]) for row in counted)
        raise InputError(
            f"No row of {', '.join(sources)} is an event; "
            f"{', '.join(f'{reason}: {rows:,}' for reason, rows in told) or 'no row was read'}.",
            f"Look at some of them with `make try-source`, and correct {settings.sources_file}.",
        )
    return _EPOCH + timedelta(microseconds=of_events[0])


def _rows(spark: SparkSession, storage: Storage, feed: EventFeed, copies: str) -> DataFrame:
    """Sort the rows of a source; what they say beside is never computed."""
    landed = landed_files(spark, feed, storage.settings)
    packed = require_readable(landed, feed, storage.settings)
    files = with_copies(landed, packed, storage, copies)
    columns = footers(spark, files, feed, storage.settings)
    secret = storage.settings.user_key_secret.get_secret_value()
    opened = open_feed(spark, feed, files, storage.landing, columns, datetime.now(UTC))
    return sort_rows(parse(opened, feed), feed, secret).select("outcome", "reason", "event_time")


if __name__ == "__main__":
    sys.exit(run_program(main))
