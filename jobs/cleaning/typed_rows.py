"""Converts parsed text rows to typed columns, or says why a row cannot be converted."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, IntegerType, StringType, StructType, TimestampType

from infra.schemas import Reason
from jobs.cleaning.times import read_time
from jobs.landing.reading import BROKEN
from jobs.landing.sources import Feed

_LARGEST = sys.float_info.max  # Spark reads "NaN" and "Infinity" as numbers, NaN above all others
# Whole numbers as many shops store them, 1.0000, and numbers that are none.
_POINT_ZERO = r"^ *[-+]?\d+[.]0* *$"
_FRACTION = r"^ *[-+]?\d*[.]\d*[1-9]\d* *$"
_TEXTS_HELD = "_texts_held"


def typed(
    frame: DataFrame,
    feed: Feed,
    table: StructType,
    required: Sequence[str],
    kept: Sequence[str],
    either: Sequence[str] = (),
) -> DataFrame:
    """Map the feed's fields to a table's columns and types; pass the columns `kept` on.

    Rows without a reason in `_broken` get the first that applies: `missing_field` (a required
    column is null or empty, or all of `either` are) or `wrong_type` (a text that is not of the
    column's type). `_broken` is always passed on.
    """
    mapped = frame.select(BROKEN, *kept, *(_value(c, feed).alias(_mapped(c)) for c in feed.columns))
    values = {field.name: _typed(field.name, field.dataType, feed) for field in table}
    blank = [is_blank(_text(name)) for name in required]
    if of_these := [is_blank(_text(name)) for name in either if name in feed.columns]:
        blank.append(reduce(Column.__and__, of_these))
    texts_held = _count_not_null(_text(name) for name in feed.columns)
    rows = mapped.select(
        *kept,
        F.coalesce(BROKEN, F.when(_any(blank), Reason.MISSING_FIELD)).alias(BROKEN),
        texts_held.alias(_TEXTS_HELD),
        *(value.alias(name) for name, value in values.items()),
    )
    # by count, not text by text: Spark would read every value a second time
    wrong = F.col(_TEXTS_HELD) > _count_not_null(F.col(name) for name in feed.columns)
    return rows.withColumn(BROKEN, F.coalesce(BROKEN, F.when(wrong, Reason.WRONG_TYPE))).drop(
        _TEXTS_HELD
    )


def is_blank(text: Column) -> Column:
    """Tell a text that is null, or holds spaces alone."""
    return F.coalesce(F.trim(text), F.lit("")) == ""


def _count_not_null(columns: Iterable[Column]) -> Column:
    """Count the columns of a row that are not null."""
    return reduce(Column.__add__, (column.isNotNull().cast("int") for column in columns))


def is_readable(feed: Feed) -> Column:
    """Tell a row whose fields mean something, so that a rule of the source may ignore it.

    Of a nested feed also one with a wrong value on the way to a field: the other fields are read.
    """
    readable = F.col(BROKEN).isNull()
    if not feed.is_nested:
        return readable
    return readable | (F.col(BROKEN) == Reason.WRONG_TYPE)


def named(rules: dict[str, str]) -> Column:
    """Return the name of the first SQL rule a row meets, or null."""
    empty = F.lit(None).cast("string")
    return F.coalesce(*(F.when(F.expr(sql), F.lit(name)) for name, sql in rules.items()), empty)


def _value(name: str, feed: Feed) -> Column:
    """Return what the mapping says of a column; a fraction is left out where the source says so."""
    value = F.expr(feed.columns[name])
    if name not in feed.fractional:
        return value
    return F.when(~value.cast("string").rlike(_FRACTION), value)


def _mapped(name: str) -> str:
    return f"_mapped_{name}"


def _text(name: str) -> Column:
    return F.col(_mapped(name)).cast("string")


def _typed(name: str, kind: object, feed: Feed) -> Column:
    """Return the value of a column: null if its text is, so that `typed` may compare counts."""
    if name not in feed.columns:
        return F.lit(None).cast(kind)  # type: ignore[arg-type]
    text = _text(name)
    if isinstance(kind, TimestampType):
        return read_time(text, feed)
    if isinstance(kind, StringType):
        return text if feed.format == "csv" else F.when(~_nested(text), text)
    number = text.try_cast(kind)  # type: ignore[arg-type]
    if isinstance(kind, IntegerType):
        whole = F.split_part(text, F.lit("."), F.lit(1)).try_cast(kind)
        return F.coalesce(number, F.when(text.rlike(_POINT_ZERO), whole))
    if not isinstance(kind, DoubleType):
        return number
    return F.when((F.abs(number) <= _LARGEST) & ~_as_in_java(text), number)


def _as_in_java(text: Column) -> Column:
    """Tell a number as Java's programs write it, `100d` or `0x1p3`: Spark reads that as well."""
    return (F.substring(text, -1, 1) > "9") | text.contains("p") | text.contains("P")


def _nested(text: Column) -> Column:
    """Tell an object or a list, which reading hands on as JSON, from words in brackets."""
    list_ = text.startswith("[") & text.endswith("]")
    bracketed = (text.startswith("{") & text.endswith("}")) | list_  # cheap, and rare
    is_json = F.json_array_length(F.concat(F.lit("["), text, F.lit("]"))) == 1
    return F.coalesce(F.when(bracketed, is_json), F.lit(False))


def _any(conditions: list[Column]) -> Column:
    return reduce(lambda left, right: left | right, conditions, F.lit(False))
