"""Reads the columns of Parquet files from their footers, before any row is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.errors import PySparkException
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from infra.errors import InputError
from infra.settings import Settings
from jobs.landing.landing_folder import Landed
from jobs.landing.sources import Feed, quoted
from jobs.landing.unknown_columns import MOST_NAMES, masked_names
from jobs.landing.unpacking import opened

NANOS = "nanoseconds"  # in the metadata of a column: whether its moments are in UTC
_MOMENT, _LOCAL = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'", "yyyy-MM-dd'T'HH:mm:ss.SSSSSS"
# Beyond it a float does not hold every whole number, so that two ids may be one.
_EXACT, _EXACT_OF_FLOAT = 2**53, 2**24


def footers(
    spark: SparkSession, files: Landed, feed: Feed, settings: Settings
) -> dict[str, StructType]:
    """Return the columns of each Parquet file by name, as Spark would read them; else none.

    Spark looks into a file for them, in a job of its own. Moments in nanoseconds are whole numbers
    to it: such a column carries the mark `NANOS`.

    Raises
    ------
    InputError
        Spark cannot read a file, or two columns differ by the case of their letters alone.
    """
    if feed.format != "parquet":
        return {}
    return {name: _columns(spark, file.address, settings) for name, file in files.items()}


def _columns(spark: SparkSession, address: str, settings: Settings) -> StructType:
    cure = "Correct the columns where the file is written."
    try:
        with opened(address, settings) as stream:
            footer = pq.ParquetFile(stream)
            names, arrow, stored = footer.schema_arrow.names, footer.schema_arrow, footer.schema
            nanos = _nanoseconds(arrow, stored)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{address} cannot be read: {str(error).splitlines()[0].rstrip('.')}.",
            "Put a whole file of that name in its place, or one without rows.",
        ) from None
    if twice := _two_spellings(names):
        raise InputError(f"{address} has both columns '{twice[0]}' and '{twice[1]}'.", cure)
    try:
        columns = spark.read.parquet(address).schema
    except PySparkException as error:
        odd = [f"'{field.name}' ({field.type})" for field in arrow if _is_odd(field.type)]
        why = str(error).splitlines()[0].partition("] ")[2].partition(" SQLSTATE")[0]
        which = f"; perhaps {', '.join(odd)}" if odd else ""
        raise InputError(
            f"{address} has a column that cannot be read: {why}{which}.", cure
        ) from None
    return StructType([_marked(field, nanos) for field in columns])


def _two_spellings(names: Sequence[str]) -> tuple[str, str] | None:
    """Return two names that are one to Spark, which would take the values of either.

    >>> _two_spellings(["user_id", "item_id", "User_ID"])
    ('user_id', 'User_ID')
    """
    seen: dict[str, str] = {}
    for name in names:
        if (before := seen.setdefault(name.lower(), name)) is not name:
            return before, name
    return None


def _nanoseconds(arrow: pa.Schema, stored: pq.ParquetSchema) -> dict[str, bool]:
    """Return the columns with moments in nanoseconds, and whether they are in UTC.

    Those of 96 bits are not among them: Spark reads them as moments.
    """
    kinds = {stored.column(n).path: stored.column(n).physical_type for n in range(len(stored))}
    return {
        field.name: field.type.tz is not None
        for field in arrow
        if pa.types.is_timestamp(field.type)
        and field.type.unit == "ns"
        and kinds.get(field.name) == "INT64"
    }


def _is_odd(kind: pa.DataType) -> bool:
    return bool(pa.types.is_time(kind) or pa.types.is_duration(kind))


def _marked(field: StructField, nanos: Mapping[str, bool]) -> StructField:
    if field.name not in nanos:
        return StructField(field.name, field.dataType)
    return StructField(field.name, field.dataType, metadata={NANOS: nanos[field.name]})


def parquet_schema(footers: Mapping[str, StructType], feed: Feed) -> StructType:
    """Return the feed's fields with the types that all files agree on; text where no file says.

    Raises
    ------
    InputError
        A file lacks a field, or has it with another type than the file before.
    """
    agreed: dict[str, StructField] = {}
    for file, columns in footers.items():
        kinds = {field.name: field for field in columns}
        for name in feed.fields:
            _require_same(file, name, kinds.get(name), agreed.get(name))
        agreed |= {name: kinds[name] for name in feed.fields}
    return StructType([agreed.get(name, StructField(name, StringType())) for name in feed.fields])


def as_text(field: StructField) -> Column:
    """Write a value as text; a moment in UTC with its offset, several values as JSON.

    A whole number is written without a point, also where the file holds it as a float: programs
    turn a column of ids into floats as soon as one is missing.
    """
    name, kind = field.name, field.dataType
    value = F.col(quoted(name))
    if NANOS in field.metadata:
        moment = F.timestamp_micros(F.expr(f"{quoted(name)} div 1000"))
        return F.date_format(moment, _MOMENT if field.metadata[NANOS] else _LOCAL).alias(name)
    if isinstance(kind, TimestampType):
        return F.date_format(value, _MOMENT).alias(name)
    if isinstance(kind, ArrayType | MapType | StructType):
        return F.to_json(value).alias(name)
    text = value.cast("string")
    if isinstance(kind, FloatType | DoubleType | DecimalType):
        whole = value.try_cast("long")
        exact = _EXACT_OF_FLOAT if isinstance(kind, FloatType) else _EXACT
        is_whole = (F.abs(value) < exact) & (whole.cast(kind) == value)
        return F.when(is_whole, whole.cast("string")).otherwise(text).alias(name)
    return text.alias(name)


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


def _require_same(
    file: str, name: str, field: StructField | None, before: StructField | None
) -> None:
    if field is None:
        raise InputError(
            f"{file} lacks the column '{name}'.",
            "Correct the file, or `fields` of the source in sources.yaml.",
        )
    if before is not None and _kind(before) != _kind(field):
        raise InputError(
            f"{file} has the column '{name}' as {_kind(field)}, files before it as "
            f"{_kind(before)}.",
            "Deliver one type, or give each its own source.",
        )


def _kind(field: StructField) -> str:
    """Name the type of a column, as people know it."""
    if NANOS not in field.metadata:
        return field.dataType.simpleString()
    return f"timestamp in nanoseconds{'' if field.metadata[NANOS] else ' without a zone'}"
