"""Starts the Spark session, and reads tables with their required columns checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import SparkError, StorageError
from infra.places import SCRATCH
from infra.schemas import Table
from infra.settings import Settings
from infra.spark import class_archive
from infra.spark.java import prepare_environment
from infra.spark.kept_rows import SERIALIZATION

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# How often code runs before Java's optimising compiler takes it up: ten times the default. The code
# for rows reaches that in a second, the code for planning never: that cost a tenth of a job.
_LATE_COMPILATION = (
    "-XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 "
    "-XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000"
)
LOG_OPTION = f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties')}"


def session(name: str, options: Mapping[str, str] | None = None) -> SparkSession:
    """Return the Spark session of this process: the one that runs, spark-submit's, or a new one.

    Raises
    ------
    SparkError
        Spark did not start.
    """
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(name)
    for key, value in {**_common_options(), **(options or {})}.items():
        builder = builder.config(key, value)
    _log_no_values()
    try:
        return builder.getOrCreate()
    except Exception as error:  # py4j raises plain exceptions from the launcher
        raise SparkError(f"Spark did not start: {error}.", "See the lines above.") from error


def _log_no_values() -> None:
    """Silence what PySpark logs of an error beside raising it: it names the value it met."""
    from pyspark.logger import PySparkLogger

    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True


def _common_options() -> dict[str, str]:
    return {
        **SERIALIZATION,
        "spark.sql.session.timeZone": "UTC",
        # PySpark notes for every column where it was asked for, in three calls to the JVM each
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        # an ingestion makes 93 classes; with 100 kept, the next batch compiled most of them again
        "spark.sql.codegen.cache.maxEntries": "1000",
        # Java's optimising compiler silently gave up on a query in one method: reading ten million
        # lines took twice as long. Beyond this many bytes Spark splits the method.
        "spark.sql.codegen.hugeMethodLimit": "8000",
        "spark.sql.adaptive.coalescePartitions.initialPartitionNum": "16",
        "spark.sql.parquet.compression.codec": "zstd",
        # Its search for the source of a join's key takes every step of a long query into every next
        # one: planning the quarantine of a conflict took a minute. No table of ours is read by it.
        "spark.sql.optimizer.dynamicPartitionPruning.enabled": "false",
        "spark.sql.icu.caseMappings.enabled": "false",  # `lower` by Java, not by a call of ICU each
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # 10,000 landing files: a listing in 8 tasks instead of 10,000, and 80 tasks to read them
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",
        "spark.sql.files.openCostInBytes": "256k",
        # with 128 MB, the default, the last task of a job ran ten seconds by itself
        "spark.sql.files.maxPartitionBytes": "32m",
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
        # as Spark has them by default: a cluster's own file must not let rows go unread
        "spark.sql.files.ignoreCorruptFiles": "false",
        "spark.sql.files.ignoreMissingFiles": "false",
        # else a Parquet column of nanoseconds, as pandas writes them, ends the job
        "spark.sql.legacy.parquet.nanosAsLong": "true",
    }


def _local_options(settings: Settings) -> dict[str, str]:
    """Options of a session on this machine: loopback only, no web page, a small heap."""
    return {
        "spark.master": settings.spark_master,
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": _java_options(settings),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "8",
        "spark.local.dir": str(settings.home / SCRATCH),
        "spark.sql.warehouse.dir": str(settings.home / SCRATCH / "warehouse"),
    }


def _java_options(settings: Settings) -> str:
    """Options of the local JVM; generated code is large, and Java compiles it only if told to."""
    ours = f"{LOG_OPTION} -XX:-DontCompileHugeMethods {_LATE_COMPILATION}"
    return f"{ours} {class_archive.java_option()} {settings.spark_java_options}"


def start_local(settings: Settings) -> SparkSession:
    """Start Spark in this process, or return the session that runs already.

    Raises
    ------
    SparkError
        There is no Java, or Spark did not start.
    """
    prepare_environment()
    (settings.home / SCRATCH).mkdir(parents=True, exist_ok=True)
    return session("catwalk", _local_options(settings))


def read_table(spark: SparkSession, table: Table, addresses: Sequence[str]) -> DataFrame:
    """Read finished partitions of a table and check what Parquet forgets.

    Columns that files of an earlier version lack read as null. The footer of the first partition
    alone is looked at, as asking Spark for each costs a job of its own, for hundreds of batches. A
    required column that any partition lacks is null in its rows, which fails the job; another one
    reads as null.

    Raises
    ------
    StorageError
        The first partition lacks a column that no version was without. A required column that
        holds a null, or that another partition lacks, fails the job.
    """
    from pyspark.sql import functions as F

    if not addresses:
        return spark.createDataFrame([], table.ddl)
    missing = set(table.columns) - {*spark.read.parquet(addresses[0]).columns, *table.added}
    if missing:
        raise StorageError(
            f"The table {table.name} lacks the columns {', '.join(sorted(missing))}.",
            "Its batches were written by another version; ingest them again.",
        )
    # by this schema: of files that differ Spark would take the columns of any one
    frame = spark.read.schema(table.ddl).parquet(*addresses)
    null = F.lit(False)
    for name in table.required:
        null = null | F.col(name).isNull()
    guard = F.when(null, F.raise_error(F.lit(f"{table.name}: a required column is null")))
    return frame.select(*table.columns).filter(guard.isNull())
