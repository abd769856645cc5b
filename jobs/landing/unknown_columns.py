"""Counts columns that no source asks for: names are reported, values dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.landing.masking import mask_text

UNKNOWN = "_unknown"
MOST_NAMES = 50  # of a batch: whatever lands, a manifest stays short
LONGEST_NAME = 64  # characters; names are data of the shop too
_A_ROW = 20  # names of one row


def unknown_keys(pairs: Column, fields: Mapping[str, Column]) -> Column:
    """Return the names that a JSON line has beyond the feed's fields; null or empty if none.

    Parameters
    ----------
    pairs : Column
        Map of the line's names to texts.
    fields : mapping
        The field of that name, taken from the map. Only a line with more names than fields that
        hold something is looked at.
    """
    held = reduce(Column.__add__, (field.isNotNull().cast("int") for field in fields.values()))
    names = F.slice(F.array_except(F.map_keys(pairs), F.array(*map(F.lit, fields))), 1, _A_ROW)
    # not by a lambda of Python: its name is another each time, and Spark would compile all anew
    short = F.call_function("transform", names, F.expr(f"name -> left(name, {LONGEST_NAME})"))
    return F.when(F.size(pairs) > held, short)


def names_twice(pairs: Column) -> Column:
    """Tell a JSON line in which a name occurs twice: nobody knows which value is meant."""
    return F.size(F.array_distinct(F.map_keys(pairs))) < F.size(pairs)


def no_unknown_keys() -> Column:
    """Return the same for a format whose rows all have the columns of their file."""
    return F.lit(None).cast("array<string>")


def count_unknown(rows: DataFrame) -> dict[str, int]:
    """Count the rows per unknown name, of the most frequent names."""
    names = rows.select(F.explode("unknown").alias("name")).groupBy("name").count()
    most = names.orderBy(F.desc("count"), "name").limit(MOST_NAMES).collect()
    return masked_names((row["name"], row["count"]) for row in most)


def masked_names(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Add up counts by name, where a name that looks like personal data is what it is masked to.

    A shop may write what belongs into a value as a name: manifest, log and report show names.
    """
    total: Counter[str] = Counter()
    for name, count in counts:
        total[mask_text(name)[:LONGEST_NAME]] += count
    return dict(total)
