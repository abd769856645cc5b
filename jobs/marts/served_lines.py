"""Reads lines of the served log: typed rows, or the reason why a line is no answer."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from infra.mart_schemas import SERVED
from infra.schemas import Reason

REASON, RAW, FILE = "reason", "raw", "file"
_CORRUPT = "_corrupt"
_TEXTS = (
    *("request_id", "at", "process", "sequence", "placement", "version", "asked"),
    *("user_key", "visitor_key", "market", "category", "test", "phase", "arm"),
)
_LINE = (
    ", ".join(f"{name} STRING" for name in _TEXTS)
    + ", items ARRAY<STRUCT<item_id: STRING, source: STRING>>"
    + f", {_CORRUPT} STRING"
)
_READ = {
    "columnNameOfCorruptRecord": _CORRUPT,
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
}
_NEEDED = ("request_id", "at", "process", "sequence", "placement", "version")


def parse_lines(lines: DataFrame) -> DataFrame:
    """Return a row per line that is not empty: the columns of `served`, and what is wrong with it.

    Parameters
    ----------
    lines : DataFrame
        The text `value` of each line, and its `file`.

    Returns
    -------
    DataFrame
        With `reason` (null for an answer), `raw` and `file` beside the columns.
    """
    parsed = F.from_json("value", _LINE, _READ).alias("line")
    rows = lines.filter(F.trim("value") != "").select(
        FILE, F.col("value").cast("binary").alias(RAW), "value", parsed
    )
    typed = rows.select(FILE, RAW, "value", "line", *_columns(F.col("line")))
    reason = F.coalesce(_malformed(), _missing(), _wrong(), _too_late())
    return typed.select(*SERVED.columns, reason.alias(REASON), RAW, FILE)


def _columns(line: Column) -> list[Column]:
    """Return the columns of the table from the fields of a line; null where one cannot be read."""
    items = F.col("line.items")
    made = {
        "served_at": line["at"].try_cast("timestamp"),
        "sequence": line["sequence"].try_cast("bigint"),
        "asked": F.coalesce(line["asked"], F.lit("0")).try_cast("int"),
        "item_ids": F.transform(items, lambda item: item["item_id"]),
        "sources": F.transform(items, lambda item: item["source"]),
        "phase": F.when(
            _said(line["test"]).isNotNull(), F.coalesce(line["phase"], F.lit("1")).try_cast("int")
        ),
    }
    return [
        made.get(name, _said(line[name]) if name in _TEXTS else None).alias(name)  # type: ignore[union-attr]
        for name in SERVED.columns
    ]


def _said(text: Column) -> Column:
    """Return a text, or null where it is blank."""
    return F.when(F.trim(text) != "", text)


def _malformed() -> Column:
    whole = F.col("value").rlike(r"^\s*\{[\s\S]*\}\s*$")
    wrong = F.col("line").isNull() | F.col(f"line.{_CORRUPT}").isNotNull() | ~whole
    return (
        F.when(~F.is_valid_utf8("value"), Reason.NOT_UTF8)
        .when(wrong, Reason.MALFORMED_JSON)
        .otherwise(F.lit(None))
    )


def _missing() -> Column:
    blank = [F.coalesce(F.trim(f"line.{name}"), F.lit("")) == "" for name in _NEEDED]
    items = F.col("item_ids")
    unnamed = items.isNull() | F.exists(items, lambda item: item.isNull())
    sourceless = F.exists(F.col("sources"), lambda source: source.isNull())
    nobody = F.col("arm").isNull() & F.col("test").isNotNull()
    return F.when(
        reduce(Column.__or__, blank) | unnamed | sourceless | nobody, Reason.MISSING_FIELD
    )


def _wrong() -> Column:
    names = ("served_at", "sequence", "asked")
    unread = reduce(Column.__or__, (F.col(name).isNull() for name in names))
    no_phase = F.col("test").isNotNull() & F.col("phase").isNull()
    return F.when(unread | (F.col("sequence") < 1) | no_phase, Reason.WRONG_TYPE)


def _too_late() -> Column:
    """Tell a time that has not come: its day would wait for ever to be complete."""
    soon = F.current_timestamp() + F.expr("interval 1 day")
    return F.when(F.col("served_at") > soon, Reason.FUTURE_TIME)
