"""Compares the header of every CSV file with `fields` before any row is read.

Spark splits a row into columns by their place, so a renamed, added or moved column would land,
silently, in the wrong place of the lake.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Sequence

from infra.errors import InputError
from jobs.landing.sources import Feed


def require_header(file: str, start: bytes, feed: Feed) -> None:
    """Check the first line of a CSV file; an empty file and other formats have none.

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
    if feed.format == "csv":
        _require_columns(file, _first_line(start), feed)


def header(feed: Feed) -> str:
    """Write the header line of a feed, without its line end."""
    quoted = (f'"{name}"' if feed.separator in name else name for name in feed.fields)
    return feed.separator.join(quoted)


def _first_line(start: bytes) -> str:
    """Return the first line that is not blank; empty where every line is blank."""
    lines = start.removeprefix(codecs.BOM_UTF8).splitlines()
    return next((line for line in lines if line.strip()), b"").decode(errors="replace")


def _require_columns(file: str, line: str, feed: Feed) -> None:
    columns = next(csv.reader([line], delimiter=feed.separator), [])
    if columns and tuple(columns) != feed.fields:
        raise InputError(
            f"{file}: {_difference(columns, feed)}.",
            "Correct the file, or `fields` or `separator` of the source in jobs/sources.yaml.",
        )


def _difference(columns: Sequence[str], feed: Feed) -> str:
    expected = feed.fields
    if not set(columns) & set(expected):  # perhaps a row: nothing of it may be shown
        return f"its first line is not the header {header(feed)}"
    lacking = [name for name in expected if name not in columns]
    unknown = [name for name in columns if name not in expected]
    if lacking and unknown:
        return f"its header has '{unknown[0]}' and lacks '{lacking[0]}'"
    if lacking:
        return f"its header lacks '{lacking[0]}'"
    if unknown:
        return f"its header has '{unknown[0]}', which `fields` does not"
    return f"its header has the columns in another order than {header(feed)}"
