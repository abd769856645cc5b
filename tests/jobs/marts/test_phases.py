"""A phase is counted anew as long as its units may change, and no longer."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from infra.ledger.ab_tests import TestState
from jobs.marts.phases import days_of_answers, may_change
from jobs.marts.units import phases_of
from tests.infra.ledger.test_ab_tests import ab_test

# units come from the 1st to the 15th, each is watched for a week
STATE = TestState(ab_test(at=datetime(2026, 11, 1, tzinfo=UTC), days=14, mature_days=7))
[PHASE] = phases_of(STATE)
# the traffic paused after units of the 2nd alone, and all of them are mature
MATURE = {"is_final": True, "first_day": "2026-10-04", "last_day": "2026-11-09"}


def changes(noted: dict[str, Any], changed: Collection[date], until: int) -> bool:
    ends = PHASE.ends or STATE.exposed_until
    return may_change(PHASE, ends, noted, changed, datetime(2026, 11, until, tzinfo=UTC))


def test_units_that_come_after_a_pause_are_counted() -> None:
    assert changes(MATURE, [date(2026, 11, 13)], until=13)
    assert changes(MATURE, [date(2026, 11, 22)], until=22), "what the last of them bought"


@pytest.mark.parametrize("day", [date(2026, 10, 3), date(2026, 11, 23)])
def test_days_that_no_unit_is_watched_on_change_nothing(day: date) -> None:
    assert not changes(MATURE, [day], until=25)


def test_units_that_are_not_mature_may_change_at_any_time() -> None:
    assert changes({**MATURE, "is_final": False}, [], until=13)


def test_a_late_unit_of_a_test_that_nobody_ended_is_watched_on() -> None:
    later = {**MATURE, "last_day": "2026-11-29"}
    assert changes(later, [date(2026, 11, 29)], until=30)


def test_a_phase_that_is_over_without_a_unit_is_not_read_again() -> None:
    assert changes({}, [], until=22), "its last unit would be watched until now"
    assert not changes({}, [], until=23)
    assert changes({}, [date(2026, 11, 5)], until=23), "late answers, or all days anew"


def test_a_click_is_held_against_the_log_of_weeks() -> None:
    """One of the 13th may be on a list of the 1st, or on one of the month before the test."""
    days = days_of_answers(PHASE, [date(2026, 11, 13)])
    assert (min(days), max(days)) == (date(2026, 10, 2), date(2026, 11, 14))
    assert len(days) == (max(days) - min(days)) // timedelta(days=1) + 1
    assert days_of_answers(PHASE, []) == set()
