"""Numbers as CSV: whatever a shop writes, no spreadsheet runs it."""

from __future__ import annotations

import csv
from datetime import date

import pytest

from infra.report.csv_text import csv_text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text: str) -> None:
    written = csv_text(["name"], [{"name": text}])
    (row,) = csv.DictReader(written.splitlines(keepends=True))
    assert row["name"] == f"'{text}"


def test_numbers_days_and_texts_come_back() -> None:
    row = {"day": date(2026, 11, 24), "value": -0.25, "text": 'a "b", c\nd', "unknown": None}
    written = csv_text(list(row), [row])
    read = next(csv.DictReader(written.splitlines(keepends=True)))
    assert read == {
        "day": "2026-11-24",
        "value": "-0.25",
        "text": 'a "b", c\nd',
        "unknown": "",
    }
