"""A file of which no row is in time is told from one with a few odd times."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import Row

from jobs.batches.batch_files import out_of_time

FILE = "events/shop/day%202.jsonl"
AHEAD, OLD = ("quarantined", "future_time"), ("quarantined", "too_old")
BROKEN, RETURN = ("quarantined", "malformed_json"), ("quarantined", "negative_quantity")
CLEAN, IGNORED = ("clean", None), ("ignored", "test_order")


def counted(**files: dict[tuple[str, str | None], int]) -> list[dict[str, Any]]:
    rows = [
        Row(outcome=outcome, reason=reason, file=FILE.replace("day", name), count=count)
        for name, found in files.items()
        for (outcome, reason), count in found.items()
    ]
    return out_of_time(rows)


def test_a_file_whose_every_row_is_ahead_or_too_old_is_named_with_its_rows() -> None:
    found = counted(ahead={AHEAD: 120}, old={OLD: 7, IGNORED: 40}, good={CLEAN: 9, AHEAD: 500})
    assert found == [
        {"file": "events/shop/ahead 2.jsonl", "reason": "future_time", "rows": 120},
        {"file": "events/shop/old 2.jsonl", "reason": "too_old", "rows": 7},
    ]


@pytest.mark.parametrize(
    "rows",
    [{AHEAD: 9, CLEAN: 1}, {AHEAD: 9, RETURN: 1}, {AHEAD: 9, OLD: 1}, {AHEAD: 5, BROKEN: 5}, {}],
)
def test_a_row_in_time_or_many_that_say_nothing_speak_for_the_file(rows: Any) -> None:
    assert counted(day=rows) == []


def test_a_few_rows_that_cannot_be_read_say_nothing_of_its_time() -> None:
    assert [file["rows"] for file in counted(day={AHEAD: 98, BROKEN: 2})] == [98]
