"""Tries every SQL expression of a source on an empty table before any row is read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, MapType, StructType

from infra.errors import SettingsError
from jobs.landing import reading
from jobs.landing.sources import FILE, PLACE, Feed, Source, in_sql, quoted

_SUGGESTION = ". Did you mean"
# such a literal is a fixed moment before Spark hands on any plan
_MOMENT = re.compile(r"\b(date|timestamp\w*)\s*r?['\"]\s*(now|today|tomorrow|yesterday)\b", re.I)


def require_mapping(spark: SparkSession, name: str, source: Source, file: Path = FILE) -> None:
    """Check that the mapping of a source can be computed from its fields.

    Raises
    ------
    SettingsError
        An expression is not SQL, names a column that is not a field, makes several rows or values
        of one, or gives another value each time; or a rule is not a condition. The message names
        the file, the source and the key.
    """
    feeds: list[tuple[str, str, Feed, dict[str, str]]] = [
        ("events", "not_events", source.events, source.events.not_events)
    ]
    if source.items is not None:
        feeds.append(("items", "not_items", source.items, source.items.not_items))
    for kind, key, feed, conditions in feeds:
        names = (*feed.fields, reading.FILE, *([PLACE] if feed.explode else []))
        empty = spark.createDataFrame([], ", ".join(f"{quoted(name)} STRING" for name in names))
        origin = f"{file}, '{name}', {kind}"
        _require_expressions(empty, feed.columns, f"{origin}.columns")
        _require_expressions(empty, conditions, f"{origin}.{key}")
        _require_conditions(empty, conditions, f"{origin}.{key}")


def _require_expressions(empty: DataFrame, expressions: Mapping[str, str], origin: str) -> None:
    if _fault(empty, expressions.values()) is None:
        return  # all in one look: each costs Spark an analysis
    for key, sql in expressions.items():
        if fault := _fault(empty, [sql]):
            raise SettingsError(f"{origin}.{key}: {fault[0]}.", fault[1])


def _fault(empty: DataFrame, expressions: Collection[str]) -> tuple[str, str] | None:
    """Return what is wrong with one of some expressions, and the cure."""
    try:
        # with a row's own columns and inside a value, so that nothing passes that makes
        # one row of several, or several of one
        frame = empty.select("*", *(F.struct(F.expr(sql)) for sql in expressions))
    except PySparkException as error:
        fields = ", ".join(map(in_sql, empty.columns))
        return _fact(error), f"Correct the SQL; it may use the fields {fields}."
    for made in frame.schema.fields[len(empty.columns) :]:
        kind = made.dataType.fields[0].dataType  # type: ignore[attr-defined]
        if isinstance(kind, ArrayType | MapType | StructType):
            return (
                f"it gives {kind.simpleString()}, which is several values",
                "Write SQL that gives one value, such as concat_ws or an element of the list.",
            )
    if _changes(frame) or any(map(_MOMENT.search, expressions)):
        return (
            f"`{', '.join(expressions)}` gives another value each time a row is read",
            "Make the value of the fields alone: a batch may be read again after a crash.",
        )
    return None


def _changes(frame: DataFrame) -> bool:
    """Tell SQL that gives another value per row, or another one per query.

    Of the latter Spark says itself that it is deterministic: the time, `cast('now' AS TIMESTAMP)`
    and who asks stay what they are while one query runs, and it puts in the values as it plans.
    """
    jvm = frame.sparkSession._jvm
    assert jvm is not None

    def catalyst(name: str) -> Any:
        # by its whole name: part by part, Java looks each part up in all of Spark's jars
        return getattr(jvm, f"org.apache.spark.sql.catalyst.{name}")

    # `to_date('today')` is a cast only after this
    analyzed = frame._jdf.queryExecution().analyzed()
    plan = catalyst("optimizer.ReplaceExpressions").apply(analyzed)
    current = catalyst("trees.TreePattern").CURRENT_LIKE()
    fixed = catalyst("optimizer.SpecialDatetimeValues").apply(plan)
    return not plan.deterministic() or plan.containsPattern(current) or not plan.fastEquals(fixed)


def _require_conditions(empty: DataFrame, conditions: Mapping[str, str], origin: str) -> None:
    if not conditions:
        return
    made = empty.select(*(F.expr(sql).alias(key) for key, sql in conditions.items()))
    for field in made.schema.fields:
        if not isinstance(field.dataType, BooleanType):
            raise SettingsError(
                f"{origin}.{field.name}: it gives {field.dataType.simpleString()}, "
                "which is no condition.",
                "Write SQL that is true or false.",
            )


def _fact(error: PySparkException) -> str:
    """Give the first sentence of what Spark says, without its class and the plan below."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else "Spark cannot read it"
    text = text.partition("] ")[2] or text
    return text.partition(_SUGGESTION)[0].partition(" SQLSTATE")[0].rstrip(".")
