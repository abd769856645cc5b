"""Landing files to clean events and quarantined rows; each file is read exactly once.

Spark Structured Streaming remembers the files in a checkpoint. A batch overwrites its own
partition and shows it by a manifest written last, so a crash and a rerun lose and double nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import DataFrame, Observation, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from infra.errors import CatwalkError, InputError, SparkError, StorageError
from infra.lake import batch_key
from infra.ledger.run_records import RunRecords
from infra.schemas import EVENTS, QUARANTINE, Table
from infra.settings import load_settings
from infra.spark import session as spark_session
from infra.spark.faults import plain
from infra.spark.kept_rows import drop_kept, keep
from infra.spark.submit import run_submitted
from infra.storage import Storage
from jobs.batches import books
from jobs.batches.quarantine import count_reasons
from jobs.cleaning.repeats import may_hold_repeated, without_repeats
from jobs.cleaning.row_outcome import CLEAN, QUARANTINED, judge
from jobs.landing.csv_headers import require_headers
from jobs.landing.landing_folder import (
    batch_bound,
    landed_files,
    require_plain_names,
    require_read,
    require_unchanged,
)
from jobs.landing.mapping_check import require_mapping
from jobs.landing.parquet_columns import footers, parquet_schema, unknown_columns
from jobs.landing.planned_files import planned_files
from jobs.landing.reading import file_with_rows, open_feed, parse
from jobs.landing.sources import load_sources
from jobs.landing.unknown_columns import count_unknown

_MOST_AGE = "36500d"  # of a file: after 7 days Spark would pass a late one over, silently
_NO_DICTIONARY = ("parquet.enable.dictionary#event_id", "false")  # of values that are all unlike
_EVENT_IDS = Table("events", "event_id STRING NOT NULL")  # one column is read, not five
_MOST_FILES = 8  # of a partition: many small ones slow every later reader


class Ingestion:
    """One source being read into one lake, for one run."""

    def __init__(self, spark: SparkSession, storage: Storage, source: str, run: str) -> None:
        self.spark = spark
        self.storage = storage
        self.lake = storage.lake
        self.source = source
        self.run = run
        self.feed = load_sources((source,))[source].events.with_replays(source)
        self._secret = storage.settings.user_key_secret.get_secret_value()
        self._refusal: CatwalkError | None = None
        self._checked: set[str] = set()
        self._sizes: dict[str, int] = {}  # of landed files, before any is read
        self._footers: dict[str, StructType] = {}  # of the Parquet files among them
        self._manifests: dict[str, dict[str, Any]] = {}  # of the source's batches

    def ingest(self) -> None:
        """Read every file that landed since the last time, batch by batch.

        Raises
        ------
        CatwalkError
            What a batch was refused for; what was written before it stays.
        """
        read = books.files_read(self._batches().values())
        self._sizes = self._landed()
        new = {file: size for file, size in self._sizes.items() if file not in read}
        self._require_readable(new)
        self._forget_a_checkpoint_that_planned_nothing()
        self._footers = footers(self.spark, new, self.feed)
        bound = batch_bound(new.values(), self.storage.settings)
        reader = self.spark.readStream.options(**bound, maxFileAge=_MOST_AGE)
        query = (
            open_feed(reader, self.feed, self.storage.landing, self._footers)
            .writeStream.foreachBatch(self._write_or_remember_why_not)
            .option("checkpointLocation", self.storage.checkpoint(self.source))
            .trigger(availableNow=True)
            .start()
        )
        try:
            query.awaitTermination()
        except StreamingQueryException:
            if self._refusal:  # Spark buries it under its own plan
                raise self._refusal from None
            raise
        landed, read = self._landed(), books.files_read(self._batches().values())
        require_unchanged(landed, read)
        require_read(new, landed, read)

    def _forget_a_checkpoint_that_planned_nothing(self) -> None:
        """Remove what a kill left before the first batch was planned: Spark would refuse it."""
        place = f"checkpoints/{self.source}"
        if not any(self.lake.store.list(f"{place}/{log}") for log in ("offsets", "commits")):
            self.lake.store.delete_folder(place)

    def _batches(self) -> dict[str, dict[str, Any]]:
        """Return the manifests of the source's batches, also of what another run finished since."""
        self._manifests = books.manifests(self.storage, self.source, self._manifests)
        return self._manifests

    def _landed(self) -> dict[str, int]:
        return landed_files(self.spark, self.feed, self.storage.landing)

    def _require_readable(self, files: Iterable[str]) -> None:
        """Check the names and headers of files that were not checked before."""
        new = [file for file in files if file not in self._checked]
        require_plain_names(new)
        require_headers(new, self.feed, self.storage.settings)
        self._checked.update(new)

    def _write_or_remember_why_not(self, batch: DataFrame, number: int) -> None:
        try:
            self.write(batch, number)
        except CatwalkError as error:
            self._refusal = error
            raise
        except PySparkException as error:
            told = plain(error)
            if isinstance(told, SparkError):
                raise  # not understood: whoever runs the job shows all of it
            self._refusal = told
            raise told from None  # Py4J logs what it hands on, and Spark named a value

    def write(self, batch: DataFrame, number: int) -> None:
        """Write one batch: clean events, quarantined rows, and last the manifest showing them."""
        key = batch_key(self.source, number)
        if self._finished(key, number):
            return
        read = Observation()
        rows = parse(batch.observe(read, F.count(F.lit(1)).alias("rows")), self.feed)
        try:
            judged = keep(judge(rows, self.feed, self._secret))
            found = books.count_outcomes(judged)
            seen = int(read.get["rows"]) if found else batch.count()  # no row, no observation
            self._write(number, judged, found, seen)
        finally:
            drop_kept(batch.sparkSession)

    def _finished(self, key: str, number: int) -> bool:
        """Tell whether the batch was finished before the crash that brings it here again.

        Raises
        ------
        StorageError
            A batch of that name was read under another checkpoint, or this one had it planned with
            other files: it was lost or is older, and would count files as read without reading.
        """
        manifest = self._batches().get(key)
        if manifest is None:
            return False
        planned = set(planned_files(self.lake, self.source, number))
        same = manifest["checkpoint"] == self._checkpoint()
        if same and planned == {one["file"] for one in manifest["files"]}:
            return True
        raise StorageError(
            f"{self.lake.address('events', key)} was read under another checkpoint than "
            f"{self.storage.checkpoint(self.source)}"
            f"{', or an earlier state of it' if same else ''}.",
            "Restore the lake and its checkpoints from the same backup.",
        )

    def _checkpoint(self) -> str:
        """Return the name Spark gave the checkpoint when it began it."""
        content = self.lake.store.read(f"checkpoints/{self.source}/metadata")
        return str(json.loads(content)["id"])

    def _write(self, number: int, judged: DataFrame, found: list[Row], seen: int) -> None:
        key = batch_key(self.source, number)
        unusual = (F.col("outcome") == QUARANTINED) | (F.size("unknown") > 0)
        odd = keep(judged.filter(unusual).select("outcome", "reason", "raw", "file", "unknown"))
        quarantined = self._write_quarantine(key, odd)
        clean = judged.filter(F.col("outcome") == CLEAN)
        near = self._near(found)
        kept, duplicates = without_repeats(clean, self._ids(near))
        written = books.count_written(self._write_events(key, kept))
        manifest = books.write_up(found, written, quarantined, duplicates, seen)
        manifest |= {"batch": key, "source": self.source, "run": self.run}
        open_ = [batch for batch, word in near.items() if word != "accepted"]
        manifest["repeats_of_undecided"] = open_ if duplicates else []  # of this run too
        files = self._files(found, number)
        manifest |= {"checkpoint": self._checkpoint(), "files": files}
        self._require_readable(file["file"] for file in files)  # landed in between
        manifest["unknown_columns"] = self._unknown_columns(odd, found, files)
        self.lake.commit("events", key, manifest)
        print(books.summary(manifest), flush=True)

    def _files(self, found: list[Row], number: int) -> list[dict[str, Any]]:
        """Return the files of a batch; one that gave no row must not hold any.

        Raises
        ------
        InputError
            A file was away, or being written anew, just while the batch was read.
        """
        planned = planned_files(self.lake, self.source, number)
        files = books.count_files(found, planned, self._sizes, self._landed)
        silent = [one["file"] for one in files if one["bytes"] and not one["rows"]]
        if silent and (file := file_with_rows(self.spark, self.feed, silent)):
            raise InputError(
                f"{file} gave no row when it was read and holds some now.",
                "Run again once its upload is over.",
            )
        return files

    def _unknown_columns(
        self, odd: DataFrame, found: list[Row], files: list[dict[str, Any]]
    ) -> dict[str, int]:
        """Count the rows per column that no field asks for."""
        if self.feed.format == "parquet":
            rows = {file["file"]: file["rows"] for file in files if file["rows"]}
            self._footers |= footers(self.spark, rows.keys() - self._footers.keys(), self.feed)
            parquet_schema(self._footers, self.feed)  # also of those that landed in between
            return unknown_columns(self._footers, rows, self.feed)
        return count_unknown(odd) if any(row["unknown"] for row in found) else {}

    def _write_quarantine(self, key: str, odd: DataFrame) -> dict[str, int]:
        """Write the rows that are refused and count by reason how they stand on disk.

        Readers find them by the manifest of the events of the batch, which comes later.
        """
        bad = odd.filter(F.col("outcome") == QUARANTINED)
        rows = bad.withColumn("source", F.lit(self.source)).select(*QUARANTINE.columns)
        rows.coalesce(1).write.mode("overwrite").parquet(self.lake.begin("quarantine", key))
        self.lake.commit("quarantine", key, {})
        return count_reasons(self.lake, key)

    def _write_events(self, key: str, kept: DataFrame) -> DataFrame:
        """Write the events and return them as they stand on disk."""
        address = self.lake.begin("events", key)
        events = kept.select(*EVENTS.columns).coalesce(_MOST_FILES)
        writer = events.write.mode("overwrite").option(*_NO_DICTIONARY)
        writer.parquet(address)
        return self.spark.read.schema(EVENTS.ddl).parquet(address)

    def _near(self, found: list[Row]) -> dict[str, str | None]:
        """Return the batches whose events a clean row of this one could repeat, as decided on."""
        days = books.days_of_clean(found)
        near = (one for one, said in self._batches().items() if may_hold_repeated(said, days))
        decided = {batch: self.storage.decision(batch) for batch in near}
        words = {batch: one.decision if one else None for batch, one in decided.items()}
        return {batch: word for batch, word in words.items() if word != "discarded"}

    def _ids(self, batches: Iterable[str]) -> DataFrame:
        addresses = [self.lake.address("events", batch) for batch in batches]
        return spark_session.read_table(self.spark, _EVENT_IDS, addresses)


def main(arguments: Sequence[str] | None = None) -> None:
    """Ingest the sources of the settings, and tell the run what became of their rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="folder name of the run: run=...")
    run = parser.parse_args(arguments).run
    settings = load_settings()
    storage = Storage(settings)
    sources = load_sources(settings.sources)
    spark = spark_session.session("ingest_events")
    for name, source in sources.items():
        require_mapping(spark, name, source)
    for name in sources:
        Ingestion(spark, storage, name, run).ingest()
    RunRecords(storage, run).save_ingest(books.totals(storage, run))


if __name__ == "__main__":
    sys.exit(run_submitted())
