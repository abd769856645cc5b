"""Columns that arrive and no source asks for: their names are reported, their values dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.masking import mask_text
from jobs.sources import Feed, quoted

UNKNOWN = "_unknown"
MOST_NAMES = 50  # of a batch: whatever lands, a manifest stays short
LONGEST_NAME = 64  # characters; names are data of the shop too
_A_ROW = 20  # names of one row


def unknown_keys(line: Column, feed: Feed) -> Column:
    """Return the names that a JSON line has beyond the feed's fields; null or empty if none.

    Reading the names means parsing again, so only a line that may have more keys than fields were
    found in it is looked at. Quote and colon stand together once a key, and in a text never
    without a backslash before them; a line with blanks between the two is looked at as well.
    """
    found = F.lit(0)
    for name in feed.fields:
        found += F.col(quoted(name)).isNotNull().cast("int")
    upto = F.call_function("substring_index", line, F.lit('":'), found + 1)
    more = F.octet_length(upto) < F.octet_length(line)
    spaced = line.contains(" :") | line.contains("\t:")
    known = F.array(*(F.lit(name) for name in feed.fields))
    names = F.array_except(F.json_object_keys(line), known)
    short = F.transform(F.slice(names, 1, _A_ROW), lambda name: F.left(name, F.lit(LONGEST_NAME)))
    # asking here whether there are any would make Spark read the names of every line: 6 us a row
    return F.when(more | spaced, short)


def no_unknown_keys() -> Column:
    """Return the same for a format whose rows all have the columns of their file."""
    return F.lit(None).cast("array<string>")


def count_unknown(rows: DataFrame) -> dict[str, int]:
    """Count the rows per unknown name, of the most frequent names."""
    names = rows.select(F.explode("unknown").alias("name")).groupBy("name").count()
    found = names.orderBy(F.desc("count"), "name").limit(MOST_NAMES).collect()
    return masked_names((row["name"], row["count"]) for row in found)


def masked_names(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Add up counts by name, where a name that looks like personal data is what it is masked to.

    A shop may write what belongs into a value as a name: manifest, log and report show names.
    """
    total: Counter[str] = Counter()
    for name, count in counts:
        total[mask_text(name)[:LONGEST_NAME]] += count
    return dict(total)
