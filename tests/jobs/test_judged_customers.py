"""One pass counts for every midnight the customers that an obvious loop over all of them counts."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.placements import ListRule
from jobs.cut import Wish, midnights
from jobs.judged_customers import judged_customers
from jobs.weights import load_weights
from tests.jobs.test_weights import SUCCESS, Event, frame

END = datetime(2026, 11, 30, tzinfo=UTC)
CUTS = midnights(END, Wish(1, 3, 28))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEIGHTS = load_weights()
KINDS = ("impression", "view", "cart", "purchase", "purchase", "rating")
RULES = [ListRule("nothing"), ListRule("seen"), ListRule("bought", 2), ListRule("bought", 30)]
Known = dict[str, datetime]


def count(spark: Any, events: list[Event], known: Known, rule: ListRule) -> dict[datetime, int]:
    rows = [(item, time) for item, time in known.items()]
    items = spark.createDataFrame(rows, "item_id STRING, updated_at TIMESTAMP")
    return judged_customers(frame(spark, events), items, rule, CUTS)


def slow_count(events: list[Event], known: Known, rule: ListRule) -> dict[datetime, int]:
    return {cut: len(slow_judged(events, known, rule, cut)) for cut in CUTS}


def slow_judged(events: list[Event], known: Known, rule: ListRule, cut: datetime) -> set[str]:
    before = [event for event in events if event.time < cut]
    learnt = [event for event in before if WEIGHTS[event.kind] > 0]
    users = {event.user for event in learnt}
    items = {event.item for event in learnt} | {item for item, at in known.items() if at < cut}
    left_out = {
        (event.user, event.item)
        for event in before
        if (rule.leave_out == "seen" and WEIGHTS[event.kind] > 0)
        or (
            rule.leave_out == "bought"
            and event.kind == "purchase"
            and event.time >= cut - timedelta(days=rule.within_days)
        )
    }
    return {
        event.user
        for event in events
        if event.time >= cut
        and event.kind in SUCCESS
        and event.user in users
        and event.item in items
        and (event.user, event.item) not in left_out
    }


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_counts_are_those_of_an_obvious_loop(spark: Any, rule: ListRule) -> None:
    choose = random.Random(11)
    events = [
        Event(
            f"u{choose.randrange(40)}",
            f"i{choose.randrange(30)}",
            choose.choice(KINDS),
            END - choose.randrange(1, 40 * 24) * HOUR,  # often just at a midnight
        )
        for _ in range(250)
    ]
    known = {f"i{n}": END - choose.randrange(60 * 24) * HOUR for n in range(20)}
    counts = count(spark, events, known, rule)
    assert counts == slow_count(events, known, rule)
    assert len(set(counts.values())) > 5


def test_times_at_a_midnight_are_of_the_hold_out(spark: Any) -> None:
    cut = CUTS[10]
    events = [
        Event("anna", "i1", "view", cut - HOUR / 3600),
        Event("anna", "i1", "purchase", cut),
        Event("bea", "i1", "view", cut),
        Event("bea", "i1", "purchase", cut + HOUR),
    ]
    counts = count(spark, events, {}, ListRule("nothing"))
    assert {time for time, users in counts.items() if users} == {cut}


def test_what_was_bought_is_left_out_until_its_days_are_over(spark: Any) -> None:
    events = [
        Event("anna", "i1", "purchase", CUTS[3]),
        Event("anna", "i1", "purchase", END - HOUR),
    ]
    counts = count(spark, events, {}, ListRule("bought", 4))
    assert [time for time, users in counts.items() if users] == CUTS[8:]  # the fifth day on


def test_a_shop_without_events_has_nobody(spark: Any) -> None:
    assert set(count(spark, [], {}, ListRule("seen")).values()) == {0}
