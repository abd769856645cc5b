"""Keeps rows that are computed once and read several times."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Of a session: its rows are read a third faster than by Java's own serialization.
SERIALIZATION = {
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.kryoserializer.buffer.max": "1g",  # one task's result; 64 MB is the default
}


def keep(frame: DataFrame) -> DataFrame:
    """Compute a frame now and keep its rows on the disks of the executors, until `drop_kept`.

    Spark's own cache sorts every row into columns and takes it out of them again. What is kept
    here is lost with an executor: then the job fails and is run again.
    """
    from pyspark.storagelevel import StorageLevel

    return frame.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)


def drop_kept(spark: SparkSession) -> None:
    """Drop all rows that this process kept or cached."""
    spark.catalog.clearCache()
    for rows in spark.sparkContext._jsc.getPersistentRDDs().values():
        rows.unpersist()
