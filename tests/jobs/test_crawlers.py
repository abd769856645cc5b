"""Whoever does more in a day than a person can is left out and counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.crawlers import activity_of, without_crawlers
from tests.jobs.test_weights import Event, frame

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def visit(user: str, times: int, day: int = 0, kind: str = "view") -> list[Event]:
    return [Event(user, f"i{n}", kind, NOON + day * DAY + n * MINUTE) for n in range(times)]


def test_a_crawler_is_left_out_and_counted(spark: Any) -> None:
    events = frame(spark, [*visit("robot", 6), *visit("robot", 2, 1), *visit("anna", 5)])
    activity = activity_of(events, 5)
    assert activity.left_out == {"users": 1, "events": 8}
    assert activity.days == 2
    left = events.transform(without_crawlers, activity).collect()
    assert {row["user_key"] for row in left} == {"anna"} and len(left) == 5


def test_what_is_done_over_days_or_shown_by_the_shop_is_no_crawling(spark: Any) -> None:
    days = [event for day in range(4) for event in visit("anna", 5, day)]
    events = frame(spark, [*days, *visit("anna", 30, 0, "impression")])
    activity = activity_of(events, 5)
    assert activity.left_out == {"users": 0, "events": 0}
    assert events.transform(without_crawlers, activity).count() == 50


def test_an_empty_shop_has_no_day(spark: Any) -> None:
    activity = activity_of(frame(spark, []), 5)
    assert (activity.days, activity.left_out) == (0, {"users": 0, "events": 0})
