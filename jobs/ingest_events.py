"""Landing files to clean events and quarantined rows; each file is read exactly once.

Spark Structured Streaming remembers the files in a checkpoint. A batch overwrites its own
partition and shows it by a manifest written last, so a crash and a rerun lose and double nothing.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, Row, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType
from pyspark.storagelevel import StorageLevel

from infra import spark as spark_session
from infra.errors import InputError
from infra.report import write_report
from infra.report.run_records import RunRecords
from infra.schemas import EVENT_TYPES, EVENTS, QUARANTINE
from infra.settings import load_settings
from infra.storage import Storage, batch_key
from jobs.cleaning import named, typed
from jobs.reading import ARRIVED, BROKEN, FILE, RAW, open_feed, parse, require_files
from jobs.sources import EventFeed, load_sources

CLEAN, QUARANTINED, DUPLICATE, NOT_EVENT = "clean", "quarantined", "duplicate", "not_event"
_BATCH_BYTES = 512 * 1024 * 1024
_KEY_HEX = 32  # 128 bits of the HMAC, as RFC 4868 truncates it


def user_key(user_id: Column, spark: SparkSession, secret: str) -> Column:
    """Return the HMAC-SHA256 of a user id (RFC 2104), its first 128 bits in hex.

    The key enters as a one-row table, not as a literal: Spark prints literals in its plans.
    """
    key = secret.encode()
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    pads = [(bytearray(byte ^ 0x36 for byte in key), bytearray(byte ^ 0x5C for byte in key))]
    table = spark.createDataFrame(pads, "inner BINARY, outer BINARY")
    inner, outer = table.select("inner").scalar(), table.select("outer").scalar()
    digest = F.unhex(F.sha2(F.concat(inner, user_id.cast("binary")), 256))
    return F.substring(F.sha2(F.concat(outer, digest), 256), 1, _KEY_HEX)


def judge(parsed: DataFrame, feed: EventFeed, secret: str) -> DataFrame:
    """Give every row its outcome and, unless it is clean, the reason; keep only Catwalk's columns.

    Raw text stays on quarantined rows alone; user ids leave here as keys.
    """
    no_event = parsed.withColumn("_no_event", named(feed.not_events))
    table = StructType.fromDDL(EVENTS.ddl.replace("user_key", "user_id"))
    required = tuple(name if name != "user_key" else "user_id" for name in EVENTS.required)
    kept = (BROKEN, RAW, FILE, ARRIVED, "_no_event")
    judged = no_event.transform(typed, feed, table, required, kept).transform(_rename_types, feed)
    reason = _reason(feed)
    outcome = (
        F.when(F.col("_no_event").isNotNull(), NOT_EVENT)
        .when(reason.isNotNull(), QUARANTINED)
        .otherwise(CLEAN)
    )
    return judged.select(
        *(F.col(name) for name in EVENTS.columns if name != "user_key"),
        user_key(F.col("user_id"), parsed.sparkSession, secret).alias("user_key"),
        outcome.alias("outcome"),
        F.coalesce(F.col("_no_event"), reason).alias("reason"),
        F.when(outcome == QUARANTINED, F.col(RAW).cast("binary")).alias("raw"),
        F.col(FILE).alias("file"),
    )


def _rename_types(frame: DataFrame, feed: EventFeed) -> DataFrame:
    word = F.col("event_type")
    if not feed.event_types:
        return frame
    pairs = [F.lit(part) for pair in feed.event_types.items() for part in pair]
    return frame.withColumn("event_type", F.coalesce(F.create_map(*pairs)[word], word))


def _reason(feed: EventFeed) -> Column:
    """Return why a row is no event: what reading found first, then what its values say."""
    time, arrived = F.col("event_time"), F.col(ARRIVED)
    return (
        F.when(F.col(BROKEN).isNotNull(), F.col(BROKEN))
        .when(~F.col("event_type").isin(*EVENT_TYPES), "unknown_type")
        .when(time > arrived + F.expr("interval 5 minutes"), "future_time")
        .when(time < arrived - F.expr(f"interval {feed.max_age_days} days"), "too_old")
        .when(F.col("quantity") < 0, "negative_quantity")
    )


def without_repeats(clean: DataFrame) -> DataFrame:
    """Keep the first of the rows that share an event id."""
    order = Window.partitionBy("event_id").orderBy("event_time", "user_key", "item_id", "file")
    return clean.withColumn("_turn", F.row_number().over(order)).filter("_turn = 1").drop("_turn")


class Ingestion:
    """One source being read into one lake."""

    def __init__(self, spark: SparkSession, storage: Storage, source: str, run: str) -> None:
        self.spark = spark
        self.storage = storage
        self.source = source
        self.run = run
        self.feed = load_sources((source,))[source].events
        self._secret = storage.settings.user_key_secret.get_secret_value()

    def ingest(self) -> None:
        """Read every file that landed since the last time, batch by batch."""
        require_files(self.spark, self.feed, self.storage.landing)
        reader = self.spark.readStream.option("maxBytesPerTrigger", _BATCH_BYTES)
        query = (
            open_feed(reader, self.feed, self.storage.landing)
            .writeStream.foreachBatch(self.write)
            .option("checkpointLocation", self.storage.checkpoint(self.source))
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()

    def write(self, batch: DataFrame, number: int) -> None:
        """Write one batch: clean events, quarantined rows, and last the manifest showing them."""
        key = batch_key(self.source, number)
        if key in self.storage.lake.partitions("events"):
            return  # it was finished before the crash that brings it here again
        read = Observation()
        rows = parse(batch.observe(read, F.count(F.lit(1)).alias("rows")), self.feed)
        judged = judge(rows, self.feed, self._secret).persist(StorageLevel.MEMORY_AND_DISK)
        try:
            self._write(key, judged, read)
        finally:
            judged.unpersist()

    def _write(self, key: str, judged: DataFrame, read: Observation) -> None:
        lake = self.storage.lake
        counts = judged.groupBy("outcome", "reason", "event_type").count().collect()
        bad = judged.filter(F.col("outcome") == QUARANTINED)
        bad = bad.withColumn("source", F.lit(self.source)).select(*QUARANTINE.columns)
        bad.coalesce(1).write.mode("overwrite").parquet(lake.begin("quarantine", key))
        clean = without_repeats(judged.filter(F.col("outcome") == CLEAN))
        kept = clean.select(*EVENTS.columns).repartition(2)
        address = lake.begin("events", key)
        kept.write.mode("overwrite").parquet(address)
        manifest = self._manifest(key, counts, int(read.get["rows"]), address)
        lake.commit("quarantine", key, {"rows": sum(manifest["quarantined"].values())})
        lake.commit("events", key, manifest)
        print(summary(manifest), flush=True)

    def _manifest(self, key: str, counts: list[Row], rows: int, address: str) -> dict[str, Any]:
        written = self.spark.read.parquet(address)
        times = (F.min("event_time").alias("first"), F.max("event_time").alias("last"))
        kept = written.groupBy("event_type").agg(F.count("*").alias("count"), *times).collect()
        clean = sum(row["count"] for row in kept)
        manifest = {
            "batch": key,
            "source": self.source,
            "run": self.run,
            "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows_read": rows,
            "clean": clean,
            "duplicates": sum(_by(counts, CLEAN, "event_type").values()) - clean,
            "quarantined": _by(counts, QUARANTINED, "reason"),
            "not_events": _by(counts, NOT_EVENT, "reason"),
            "by_type": {row["event_type"]: row["count"] for row in kept},
            "first_event": min((row["first"] for row in kept), default=None),
            "last_event": max((row["last"] for row in kept), default=None),
        }
        check_sum(manifest)
        return manifest


def check_sum(manifest: dict[str, Any]) -> None:
    """Hold the books: rows read = clean + quarantined + duplicates + rows that are no events.

    Raises
    ------
    InputError
        The sum does not hold; the batch must not be shown.
    """
    accounted = (
        manifest["clean"]
        + manifest["duplicates"]
        + sum(manifest["quarantined"].values())
        + sum(manifest["not_events"].values())
    )
    if accounted != manifest["rows_read"]:
        raise InputError(
            f"{manifest['batch']}: {manifest['rows_read']} rows were read, {accounted} accounted.",
            "A file changed while it was read: run again once the upload is over.",
        )


def summary(manifest: dict[str, Any]) -> str:
    """Say in one line what became of a batch's rows."""
    parts = (
        f"{manifest['rows_read']:,} rows read",
        f"{manifest['clean']:,} clean",
        f"{sum(manifest['quarantined'].values()):,} quarantined",
        f"{manifest['duplicates']:,} duplicates",
        f"{sum(manifest['not_events'].values()):,} no events",
    )
    return f"{manifest['batch']}: " + ", ".join(parts)


def totals(storage: Storage, run: str) -> dict[str, Any]:
    """Add up the manifests of the batches a run ingested, also by attempts that died later."""
    batches = storage.lake.partitions("events")
    every = (storage.lake.manifest("events", batch) for batch in batches)
    manifests = [manifest for manifest in every if manifest["run"] == run]
    return {
        "batches": [manifest["batch"] for manifest in manifests],
        "read": sum(manifest["rows_read"] for manifest in manifests),
        "clean": sum(manifest["clean"] for manifest in manifests),
        "duplicates": sum(manifest["duplicates"] for manifest in manifests),
        "quarantined": _add(manifest["quarantined"] for manifest in manifests),
        "non_events": _add(manifest["not_events"] for manifest in manifests),
    }


def counts(storage: Storage, run: str) -> dict[str, Any]:
    """Return what Airflow shows of a run's ingestion: counts, no rows."""
    record = RunRecords(storage, run).load_ingest() or {}
    return {name: record.get(name) for name in ("read", "clean", "duplicates", "batches")}


def _add(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(sorted(total.items()))


def _by(counts: Iterable[Row], outcome: str, column: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for row in counts:
        if row["outcome"] == outcome:
            totals[row[column]] = totals.get(row[column], 0) + row["count"]
    return dict(sorted(totals.items()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Ingest the sources of the settings, and tell the run what became of their rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="folder name of the run: run=...")
    run = parser.parse_args(arguments).run
    settings = load_settings()
    storage = Storage(settings)
    load_sources(settings.sources)
    spark = spark_session.session("ingest_events")
    for source in settings.sources:
        Ingestion(spark, storage, source, run).ingest()
    RunRecords(storage, run).save_ingest(totals(storage, run))
    write_report(storage, run)


if __name__ == "__main__":
    main()
