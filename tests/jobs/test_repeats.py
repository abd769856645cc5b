"""Which events are compared with which, and which of several with one id stays."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from jobs.repeats import may_hold_repeated

FIRST, LAST = datetime.fromisoformat("2026-11-10T08Z"), datetime.fromisoformat("2026-11-10T20Z")
WEEK, MOMENT = timedelta(days=7), timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("source", "begins", "ends", "compared"),
    [
        ("shop", LAST + WEEK, LAST + 2 * WEEK, True),
        ("shop", LAST + WEEK + MOMENT, LAST + 2 * WEEK, False),
        ("shop", FIRST - 2 * WEEK, FIRST - WEEK, True),
        ("shop", FIRST - 2 * WEEK, FIRST - WEEK - MOMENT, False),
        ("shop", FIRST - 9 * WEEK, LAST + 9 * WEEK, True),
        ("other", FIRST, LAST, False),
    ],
)
def test_events_are_compared_with_batches_of_their_source_within_seven_days(
    source: str, begins: datetime, ends: datetime, compared: bool
) -> None:
    batch = {"source": source, "first_event": f"{begins}", "last_event": f"{ends}"}
    assert may_hold_repeated(batch, "shop", FIRST, LAST) is compared
    assert not may_hold_repeated({**batch, "first_event": None}, "shop", FIRST, LAST)
    assert not may_hold_repeated(batch, "shop", None, None)
