"""Compares the header of every CSV file with `fields` before any row is read.

Spark splits a row into columns by their place, so a renamed, added or moved column would land,
silently, in the wrong place of the lake.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Sequence
from itertools import dropwhile, islice

from infra.errors import InputError
from jobs.landing.sources import Feed

_CURE = "Correct the file, or `fields` or `separator` of the source in sources.yaml."
_LOOKED_AT = 5  # lines of a file without a header: a single one may just be broken


def require_header(file: str, start: bytes, feed: Feed) -> None:
    """Check the first line of a CSV file, or the first few of one that shall have no header.

    An empty file and other formats have none.

    Parameters
    ----------
    file : str
        What to call it.
    start : bytes
        Its first bytes, unpacked.

    Raises
    ------
    InputError
        The header is not that of the feed; no value of a row is ever shown.
    """
    if feed.format != "csv":
        return
    breaks = sum(name.count("\n") for name in feed.fields) if feed.header else 0
    line = "\n".join(_first_lines(start, 1 + breaks))
    if feed.header:
        _require_columns(file, line, feed)
    else:
        _require_rows(file, line, start, feed)


def header(feed: Feed) -> str:
    """Write the header line of a feed, without its line end."""
    quoted = (
        f'"{name}"' if feed.separator in name or "\n" in name else name
        for name in feed.names_in_header()
    )
    return feed.separator.join(quoted)


def _first_lines(start: bytes, number: int) -> list[str]:
    """Return the first lines, from one that is not blank on; empty where every line is blank."""
    lines = start.removeprefix(codecs.BOM_UTF8).splitlines()
    rest = dropwhile(lambda line: not line.strip(), lines)
    return [line.decode(errors="replace") for line in islice(rest, number)]


def _require_rows(file: str, line: str, start: bytes, feed: Feed) -> None:
    """Refuse a file that has a header, or of which no row of the first few has all columns."""
    if tuple(_columns([line], feed)) == feed.fields:
        raise InputError(
            f"{file}: its first line is the header {header(feed)}.",
            "Leave out `header: false` of the source in sources.yaml.",
        )
    rows = [_columns([row], feed) for row in _first_lines(start, _LOOKED_AT)]
    numbers = {len(row) for row in rows if row}
    if len(numbers) == 1 and numbers != {len(feed.fields)}:
        raise InputError(
            f"{file}: its rows have {numbers.pop()} columns, and `fields` names "
            f"{len(feed.fields)}.",
            _CURE,
        )


def _columns(lines: list[str], feed: Feed) -> list[str]:
    return next(csv.reader(lines, delimiter=feed.separator), [])


def _require_columns(file: str, line: str, feed: Feed) -> None:
    columns = _columns(line.splitlines(keepends=True), feed)
    if columns and tuple(columns) not in (feed.fields, feed.names_in_header()):
        raise InputError(
            f"{file}: {_difference(columns, feed)}.",
            _CURE,
        )


def _difference(columns: Sequence[str], feed: Feed) -> str:
    expected = feed.names_in_header()
    if not set(columns) & set(expected):  # perhaps a row: nothing of it may be shown
        return f"its first line is not the header {header(feed)}"
    lacking = [name for name in expected if name not in columns]
    unknown = [name for name in columns if name not in expected]
    if "" in unknown:
        return (
            f'column {columns.index("") + 1} of its header has no name; say `""` there in `fields`'
        )
    if lacking and unknown:
        return f"its header has '{unknown[0]}' and lacks '{lacking[0]}'"
    if lacking:
        return f"its header lacks '{lacking[0]}'"
    if unknown:
        return f"its header has '{unknown[0]}', which `fields` does not"
    return f"its header has the columns in another order than {header(feed)}"
