"""Writes numbers as CSV that a spreadsheet opens without running any of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    r"""Return rows as CSV, with a line of column names; what is unknown is empty.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.

    >>> csv_text(["name", "value"], [{"name": "=1+1", "value": -0.5}, {"name": "b"}])
    "name,value\r\n'=1+1,-0.5\r\nb,\r\n"
    """
    names = list(columns)
    written = io.StringIO(newline="")
    lines = csv.writer(written)
    lines.writerow(names)
    lines.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return written.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(STARTS_A_FORMULA):
        return f"'{value}"
    return value
