"""Writes new files of the served log to the table `served`, batch by batch, each exactly once.

The manifests of the batches are the only memory of which files were read. A manifest is written
last, so after a kill its batch is not there, and the next run reads the same files again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F

from infra.lake import batch_key, batch_number
from infra.ledger.served import SOURCE, Manifests, served_manifests
from infra.mart_schemas import SERVED
from infra.places import LANDED_SERVED
from infra.schemas import QUARANTINE, Table
from infra.settings import Settings
from infra.spark import session as spark_session
from infra.spark.kept_rows import drop_kept, keep
from infra.spark.listing import matches
from infra.storage import Storage
from jobs.landing.landing_folder import landed_name
from jobs.marts.served_lines import FILE, RAW, REASON, parse_lines

_IDS = Table("served", "request_id STRING NOT NULL")  # only this column is read
_MOST_FILES = 4  # in a partition
Files = Mapping[str, int]  # bytes by address


def read_log(spark: SparkSession, storage: Storage, run: str) -> list[dict[str, Any]]:
    """Read every file that landed since the last time; return the manifests of the new batches."""
    earlier = served_manifests(storage)
    written: list[dict[str, Any]] = []
    for files in portions(new_files(spark, storage, earlier), storage.settings):
        try:
            manifest = _write(spark, storage, files, run, earlier)
        finally:
            drop_kept(spark)
        earlier[manifest["batch"]] = manifest
        written.append(manifest)
        print(_summary(manifest), flush=True)
    return written


def new_files(spark: SparkSession, storage: Storage, earlier: Manifests) -> dict[str, int]:
    """Return the files that landed and are in no batch, oldest first by their names.

    Files are known by their names, which no two ever share, wherever the landing folder lies.
    """
    read = {file["file"] for manifest in earlier.values() for file in manifest["files"]}
    found = matches(spark, f"{storage.landing}/{LANDED_SERVED}/*.jsonl")
    landed = {landed_name(address): status.size for address, status in found.items()}
    return {file: landed[file] for file in sorted(landed, key=_name) if _name(file) not in read}


def portions(files: Files, settings: Settings) -> Iterator[dict[str, int]]:
    """Cut files into batches within the bounds of the settings; a huge file is alone in its."""
    portion: dict[str, int] = {}
    for file, size in files.items():
        full = len(portion) >= settings.ingest_batch_files
        if portion and (full or sum(portion.values()) + size > settings.ingest_batch_bytes):
            yield portion
            portion = {}
        portion[file] = size
    if portion:
        yield portion


def _write(
    spark: SparkSession, storage: Storage, files: Files, run: str, earlier: Manifests
) -> dict[str, Any]:
    """Write a batch, and last its manifest, which shows it."""
    key = batch_key(SOURCE, 1 + max(map(batch_number, earlier), default=0))
    lines = spark.read.text(list(files)).select("value", F.col("_metadata.file_path").alias(FILE))
    rows = keep(parse_lines(lines))
    bad = rows.filter(F.col(REASON).isNotNull())
    quarantined = _quarantine(storage, key, bad)
    good = rows.filter(F.col(REASON).isNull()).select(*SERVED.columns)
    days = {row[0] for row in good.select(_day()).distinct().collect()}
    kept = good.transform(_once).join(
        _ids(spark, storage, earlier, days), "request_id", "left_anti"
    )
    address = storage.lake.begin(SERVED.name, key)
    kept.select(*SERVED.columns).coalesce(_MOST_FILES).write.mode("overwrite").parquet(address)
    spans = _spans(spark.read.schema(SERVED.ddl).parquet(address))
    answers = sum(span["rows"] for span in spans)
    manifest = {
        "batch": key,
        "run": run,
        "files": [{"file": _name(file), "bytes": size} for file, size in files.items()],
        "rows_read": (read := rows.count()),
        "rows": answers,
        "repeats": read - answers - sum(quarantined.values()),
        "quarantined": quarantined,
        "days": sorted({span["day"] for span in spans}),
        "processes": spans,
        "written_at": datetime.now(UTC),
    }
    storage.lake.commit(SERVED.name, key, manifest)
    return manifest


def _quarantine(storage: Storage, key: str, bad: DataFrame) -> dict[str, int]:
    counts = {row[REASON]: row["count"] for row in bad.groupBy(REASON).count().collect()}
    if counts:
        rows = bad.select(REASON, RAW, FILE, F.lit(SOURCE).alias("source"))
        place = storage.lake.begin(QUARANTINE.name, key)
        rows.coalesce(1).write.mode("overwrite").parquet(place)
        storage.lake.commit(QUARANTINE.name, key, {"rows": sum(counts.values())})
    return dict(sorted(counts.items()))


def _once(rows: DataFrame) -> DataFrame:
    """Keep one row of each request: the first, by a full order."""
    first = Window.partitionBy("request_id").orderBy("served_at", "process", "sequence")
    return rows.withColumn("_turn", F.row_number().over(first)).filter("_turn = 1").drop("_turn")


def _ids(spark: SparkSession, storage: Storage, earlier: Manifests, days: set[str]) -> DataFrame:
    """Return the requests of earlier batches with answers of these days: others repeat nothing."""
    near = [batch for batch, manifest in earlier.items() if days & {*manifest["days"]}]
    places = [storage.lake.address(SERVED.name, batch) for batch in near]
    return spark_session.read_table(spark, _IDS, places)


def _spans(rows: DataFrame) -> list[dict[str, Any]]:
    """Return the first and the last number of each worker and day, and its answers."""
    groups = rows.groupBy("process", _day().alias("day"))
    numbers = F.min("sequence").alias("first"), F.max("sequence").alias("last")
    spans = groups.agg(*numbers, F.count("*").alias("rows")).collect()
    return [row.asDict() for row in sorted(spans, key=_of_span)]


def _of_span(row: Row) -> tuple[str, str]:
    return row["day"], row["process"]


def _day() -> Any:
    return F.to_date("served_at").cast("string")


def _name(file: str) -> str:
    return file.rpartition("/")[2]


def _summary(manifest: Mapping[str, Any]) -> str:
    broken = sum(manifest["quarantined"].values())
    return (
        f"{manifest['batch']}: {manifest['rows_read']:,} lines of {len(manifest['files']):,} "
        f"files, {manifest['rows']:,} answers, {manifest['repeats']:,} repeated, {broken:,} broken"
    )
