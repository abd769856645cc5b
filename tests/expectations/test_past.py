"""Drift, vanished types and volume: what is compared with what, and what is left aside."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import log

import pytest

from expectations.checking.gate import limits_of
from expectations.event_measures import MEASURES
from expectations.events import gate_events
from expectations.past import Comparison, compare, stability_index
from infra.errors import GateError
from infra.ledger.batches import accepted_batches, decide, load_profiles, read_batches
from infra.ledger.run_records import RunRecords
from infra.records.gates import BatchDecision, BatchProfile, Check, GateRecord
from infra.storage import Storage
from tests.expectations.lake import AS_OF, WRITTEN, event, item, put_batch, put_items

LIMITS = limits_of("events", MEASURES)
DAY = datetime(2026, 11, 20, tzinfo=UTC)


def profile(day: int = 0, hours: range = range(24), each: int = 100, **types: int) -> BatchProfile:
    """Return a day with as many events in each of its hours."""
    spread = {f"{DAY + timedelta(days=day, hours=hour):%Y-%m-%dT%H}": each for hour in hours}
    counts = types or {"view": 9 * each * len(hours) // 10, "cart": each * len(hours) // 10}
    return BatchProfile(
        written_at=DAY, event_types=counts, categories={"coats": 5000}, hours=spread
    )


def compared(now: list[BatchProfile], past: list[BatchProfile]) -> Comparison:
    return compare(now, past, LIMITS)


WEEK = [profile(day) for day in range(7)]


def test_the_index_is_the_divergence_both_ways() -> None:
    now, before = Counter(a=60, b=40), Counter(a=50, b=50)
    there = 0.6 * log(0.6 / 0.5) + 0.4 * log(0.4 / 0.5)
    back = 0.5 * log(0.5 / 0.6) + 0.5 * log(0.5 / 0.4)
    assert stability_index(now, before) == pytest.approx(there + back)
    assert stability_index(now, now) == 0
    assert stability_index(Counter(a=1), Counter(b=1)) > 10, "an absent kind has a logarithm too"


def test_a_day_like_the_others_moves_nothing() -> None:
    found = compared([profile(7)], WEEK)
    assert found.not_judged == {}
    assert found.values == {
        "event_type_drift": 0,
        "vanished_types": 0,
        "category_drift": 0,
        "volume": 1,
    }


def test_the_first_delivery_of_a_source_has_nothing_to_be_compared_with() -> None:
    found = compared([profile()], [])
    assert set(found.not_judged) == set(found.values)
    assert set(found.not_judged.values()) == {"No batch of this source was accepted before."}
    assert set(found.values.values()) == {None}


def test_late_files_are_no_drift_and_no_lack_of_events() -> None:
    late = profile(3, range(2), 1, purchase=5000)
    found = compared([late], WEEK)
    assert all("came late" in reason for reason in found.not_judged.values())
    assert len(found.not_judged) == 4


def test_a_few_stragglers_do_not_change_the_volume_of_the_new_hours() -> None:
    stragglers = profile(2, range(3), 500)
    assert compared([profile(7, range(6)), stragglers], WEEK).values["volume"] == 1


def test_it_makes_no_difference_into_how_many_batches_a_delivery_was_cut() -> None:
    halves = [
        profile(7, each=50, view=1080, cart=120),
        profile(7, each=50, view=1080, cart=120),
    ]
    assert compared(halves, WEEK) == compared([profile(7)], WEEK)


def test_the_new_hours_are_compared_with_the_same_hours_of_other_days() -> None:
    nights = [profile(day, range(18), 100) for day in range(7)]
    evenings = [profile(day, range(18, 24), 600) for day in range(6)]
    now = profile(6, range(18, 24), 300)
    assert compared([now], [*nights, *evenings]).values["volume"] == 0.5


def test_a_first_load_of_months_is_no_measure_for_the_hours_after_it() -> None:
    load = BatchProfile(
        written_at=DAY,
        event_types={"view": 100_000},
        categories=None,
        hours=dict(Counter({hour: n for day in WEEK for hour, n in day.hours.items()})),
    )
    found = compared([profile(7, range(6), view=1000)], [load])
    assert found.values["volume"] == 1
    assert "Fewer than 1,000 events" in found.not_judged["category_drift"]


def test_hours_at_which_the_shop_sleeps_are_not_judged() -> None:
    days = [profile(day, range(8, 20)) for day in range(7)]
    found = compared([profile(6, range(20, 23), 1)], days)
    assert "are usual at these hours" in found.not_judged["volume"]


def test_few_events_are_chance_and_not_drift() -> None:
    found = compared([profile(7, range(6), 3, purchase=18)], WEEK)
    assert "Fewer than 1,000 events" in found.not_judged["event_type_drift"]


def test_a_second_delivery_within_an_hour_is_judged_and_brings_no_new_hour() -> None:
    again = profile(6, range(23, 24), 2000, purchase=2000)
    found = compared([again], WEEK)
    assert set(found.not_judged) == {"volume"} and "No hour is new" in found.not_judged["volume"]
    drift = found.values["event_type_drift"]
    assert drift is not None and drift > 1


@pytest.mark.parametrize(("kinds", "events", "judged"), [(60, 1000, True), (300, 4200, False)])
def test_many_kinds_need_more_events(kinds: int, events: int, judged: bool) -> None:
    spread = {f"c{n}": events // kinds + 1 for n in range(kinds)}
    now, *before = (
        BatchProfile(**{**each.model_dump(), "categories": spread}) for each in (profile(7), *WEEK)
    )
    found = compared([now], before)
    assert ("category_drift" not in found.not_judged) is judged
    if not judged:
        assert "Fewer than 4,784 events of 300 kinds" in found.not_judged["category_drift"]


def test_only_the_last_batches_count() -> None:
    old = [profile(day, purchase=9000) for day in range(5)]
    recent = [profile(day) for day in range(5, 25)]
    assert compared([profile(25)], [*old, *recent]).values["event_type_drift"] == 0


def test_a_type_that_was_rare_before_may_be_missing() -> None:
    before = [profile(0, view=9_900, purchase=100)]
    now = profile(1, view=2_001)
    assert compared([now], before).values["vanished_types"] == 1, "20.01 were expected"
    now = profile(1, view=1_999)
    assert compared([now], before).values["vanished_types"] == 0, "19.99 were expected"


BATCHES = [f"batch=shop-{number:06d}" for number in range(4)]


def put(shop: Storage, number: int, kind: str, run: str = "", day: int = 0) -> None:
    """Put a thousand events of one type, a day after those of the batch before."""
    written = WRITTEN + timedelta(days=day or number)
    rows = [
        event(n, event_id=f"{number}-{n}", event_type=kind, event_time=written) for n in range(1000)
    ]
    put_batch(shop, BATCHES[number], rows, run=run or f"run={number}", written_at=written)


def judge(shop: Storage, run: str) -> tuple[GateRecord, list[Check]]:
    """Judge and return the record, and what it says of drift."""
    with suppress(GateError):
        gate_events(shop, run, AS_OF)
    record = RunRecords(shop, run).load_gate("events")
    assert record is not None
    return record, [one for one in record.checks if one.name == "event_type_drift"]


def test_a_stopped_batch_is_no_past_until_a_person_accepts_it(shop: Storage) -> None:
    put(shop, 0, "view")
    judge(shop, "run=0")
    put(shop, 1, "cart")
    record, (drift,) = judge(shop, "run=1")
    assert (drift.failed, record.waiting) == (True, (BATCHES[1],))
    put(shop, 2, "view")
    record, drifts = judge(shop, "run=2")
    assert [one.failed for one in drifts] == [True, False]
    assert accepted_batches(read_batches(shop)) == (BATCHES[0], BATCHES[2])
    record, (drift,) = judge(shop, "run=3")
    assert (drift.failed, record.waiting) == (True, (BATCHES[1],)), "it does not come late by that"
    assert accepted_batches(read_batches(shop)) == (BATCHES[0], BATCHES[2])


def test_one_batch_that_a_person_accepts_lets_none_beside_it_in(shop: Storage) -> None:
    put(shop, 0, "view")
    judge(shop, "run=0")
    put(shop, 1, "cart", "run=1", day=1)
    put(shop, 2, "cart", "run=1", day=2)
    judge(shop, "run=1")
    decide(shop, BATCHES[2], BatchDecision(decision="accepted", by="anna", why="a sale"))
    record, (drift,) = judge(shop, "run=2")
    assert (drift.failed, record.waiting) == (True, (BATCHES[1],))


def test_batches_of_one_run_are_judged_together_and_stop_together(shop: Storage) -> None:
    put(shop, 0, "view")
    judge(shop, "run=0")
    put(shop, 1, "view", "run=1", day=1)
    put(shop, 2, "cart", "run=1", day=2)
    record, drifts = judge(shop, "run=1")
    assert len({one.value for one in drifts}) == 1
    assert record.waiting == (BATCHES[1], BATCHES[2])


def test_a_rerun_compares_with_the_same_past(shop: Storage) -> None:
    put(shop, 0, "view")
    first, _ = judge(shop, "run=0")
    again, _ = judge(shop, "run=0")
    assert again.checks == first.checks
    assert all(one.not_judged for one in again.checks if one.name in LIMITS and not one.passed)


def test_categories_are_counted_as_soon_as_there_is_a_catalogue(shop: Storage) -> None:
    put(shop, 0, "view")
    judge(shop, "run=0")
    assert load_profiles(shop)[BATCHES[0]].categories is None
    put_items(shop, "run=0", [item(n, category="coats" if n else None) for n in range(5)])
    put(shop, 1, "view")
    record, _ = judge(shop, "run=1")
    (found,) = (one for one in record.checks if one.name == "category_drift")
    assert "Fewer than 1,000" in found.not_judged, "800 of the 1,000 have a category"
    assert load_profiles(shop)[BATCHES[0]].categories == {"coats": 800}


def test_a_profile_that_was_lost_or_is_another_batch_s_is_counted_again(shop: Storage) -> None:
    put(shop, 0, "view")
    judge(shop, "run=0")
    shop.lake.store.write("index/profiles.json", b"{")
    put(shop, 1, "cart")
    _, (drift,) = judge(shop, "run=1")
    assert drift.failed


def test_batches_without_events_are_no_past(shop: Storage) -> None:
    put_batch(shop, BATCHES[0], [], run="run=old", written_at=WRITTEN - timedelta(days=1))
    put(shop, 1, "view", "run=1")
    assert judge(shop, "run=1")[1][0].not_judged == "No batch of this source was accepted before."
    for number in range(4, 25):
        empty = {"run": f"run={number}", "written_at": WRITTEN + timedelta(days=1, minutes=number)}
        put_batch(shop, f"batch=shop-{number:06d}", [], **empty)
    judge(shop, "run=empty")
    put(shop, 2, "cart", "run=2")
    record, (drift,) = judge(shop, "run=2")
    assert (drift.failed, record.waiting) == (True, (BATCHES[2],))
