"""Reads the columns of Parquet files from their footers, before any row is read."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from infra.errors import InputError
from jobs.landing.landing_folder import Landed
from jobs.landing.sources import Feed, quoted
from jobs.landing.unknown_columns import MOST_NAMES, masked_names


def footers(spark: SparkSession, files: Landed, feed: Feed) -> dict[str, StructType]:
    """Return the columns of each Parquet file by name, as Spark would read them; else none.

    Spark looks into a file for them, in a job of its own.
    """
    if feed.format != "parquet":
        return {}
    return {name: spark.read.parquet(file.address).schema for name, file in files.items()}


def parquet_schema(footers: Mapping[str, StructType], feed: Feed) -> StructType:
    """Return the feed's fields with the types that all files agree on; text where no file says.

    Raises
    ------
    InputError
        A file lacks a field, or has it with another type than the file before.
    """
    agreed: dict[str, DataType] = {}
    for file, columns in footers.items():
        kinds = {field.name: field.dataType for field in columns}
        for name in feed.fields:
            _require_same(file, name, kinds.get(name), agreed.get(name))
        agreed |= {name: kinds[name] for name in feed.fields}
    return StructType([StructField(name, agreed.get(name, StringType())) for name in feed.fields])


def as_text(name: str, kind: DataType) -> Column:
    """Write a value as text; a moment in UTC with its offset, several values as JSON."""
    if isinstance(kind, TimestampType):
        return F.date_format(quoted(name), "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'").alias(name)
    if isinstance(kind, ArrayType | MapType | StructType):
        return F.to_json(quoted(name)).alias(name)
    return F.col(quoted(name)).cast("string").alias(name)


def no_utf8(kinds: Mapping[str, DataType]) -> Column:
    """Tell a row with a text that is not UTF-8: Parquet does not look at the bytes of a text."""
    broken = F.lit(False)
    for name, kind in kinds.items():
        if isinstance(kind, StringType | BinaryType):
            broken |= ~F.is_valid_utf8(F.col(quoted(name)).cast("string"))
    return broken


def unknown_columns(
    footers: Mapping[str, StructType], rows: Mapping[str, int], feed: Feed
) -> dict[str, int]:
    """Count the rows per column that no field asks for, from the rows of each file."""
    counts = masked_names(
        (name, number)
        for file, number in rows.items()
        for name in set(footers[file].names) - set(feed.fields)
    )
    return dict(sorted(counts.items(), key=lambda count: (-count[1], count[0]))[:MOST_NAMES])


def _require_same(file: str, name: str, kind: DataType | None, before: DataType | None) -> None:
    if kind is None:
        raise InputError(
            f"{file} lacks the column '{name}'.",
            "Correct the file, or `fields` of the source in jobs/sources.yaml.",
        )
    if before not in (None, kind):
        raise InputError(
            f"{file} has the column '{name}' as {kind.simpleString()}, "
            f"files before it as {before.simpleString() if before else 'nothing'}.",
            "Deliver one type, or give each its own source.",
        )
