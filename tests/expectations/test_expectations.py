"""Every rule of every gate: data that just passes, and data that just fails.

All cases stand in one lake, and each gate judges all of its own at once: Great Expectations takes
half a second per call, however many rows it is given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path
from typing import Any

import pytest

from expectations import interactions, items, recommendations, steps
from expectations.checking.gate import Gate, inform, limits_of, with_examples
from expectations.checking.suite import Profile, check_limits
from expectations.checking.tables import Reader, open_reader
from expectations.event_measures import MEASURES as EVENT_MEASURES
from expectations.event_measures import OF_LANDING, OF_SOURCE
from expectations.events import gate_events
from expectations.items import NAMED, gate_items
from infra.errors import GateError
from infra.ledger.batches import decide
from infra.ledger.run_records import RunRecords
from infra.records.gates import BatchDecision, Check
from infra.report.units import SHARE, unit_of
from infra.schemas import CATALOGUE, QUARANTINE_REASONS, Reason, Table
from infra.schemas import INTERACTIONS as PAIRS
from infra.schemas import ITEMS as ITEMS_TABLE
from infra.schemas import STEPS as STEPS_TABLE
from infra.settings import load_settings
from infra.shop_home import ensure_home
from infra.storage import Storage
from tests.conftest import SECRET
from tests.expectations import lake
from tests.expectations.lake import (
    AS_OF,
    CUT,
    WRITTEN,
    event,
    held_out,
    item,
    pair,
    pairs,
    step,
    top,
)

RUN = "run=judging"
Put = Callable[[Storage, str], None]
Cases = dict[str, tuple[Put, Put]]
SECOND = timedelta(seconds=1)


def batch(*more: dict[str, Any], good: int = 98, **facts: Any) -> Put:
    return lambda shop, name: lake.put_batch(shop, name, lake.events(good, *more), **facts)


def missing(column: str) -> tuple[Put, Put]:
    return batch(), batch(event(98, **{column: None}))


def refused(reason: str) -> tuple[Put, Put]:
    """Refuse as many rows of a thousand as the limit allows, and one more."""
    limit = limits_of("events", EVENT_MEASURES)[f"quarantined_{reason}"].max
    most = round(1000 * (limit or 0))
    return tuple(
        batch(rows_read=1000, quarantined={reason: rows, **({} if rows else {"x": 0})})
        for rows in (most, most + 1)
    )  # type: ignore[return-value]


def after(past: lake.Rows, now: lake.Rows) -> Put:
    """Put a batch that was accepted, and one that comes after it."""

    def write(shop: Storage, name: str) -> None:
        before = name.replace("-000001", "-000000")
        lake.put_batch(shop, before, past, written_at=WRITTEN - timedelta(days=1), run="run=old")
        decide(shop, before, BatchDecision(decision="accepted", by="gate", run="run=old"))
        lake.put_batch(shop, name, now)

    return write


def mix(count: int, others: int, kind: str, other: str, time: datetime, column: str) -> lake.Rows:
    """Return events of which some are of another kind."""
    kinds = [other] * others + [kind] * (count - others)
    return [event(n, event_time=time, **{column: one}) for n, one in enumerate(kinds)]


def shifted(column: str, kind: str, other: str) -> tuple[Put, Put]:
    """Move one half of a thousand events to 739 and 740: an index of 0.2487 and 0.2510."""
    before = mix(1000, 500, kind, other, WRITTEN - timedelta(days=1), column)
    return tuple(
        after(before, mix(1000, moved, kind, other, WRITTEN, column)) for moved in (739, 740)
    )  # type: ignore[return-value]


def vanishing() -> tuple[Put, Put]:
    """Let 20 purchases be expected, and one or none come."""
    before = mix(1000, 20, "view", "purchase", WRITTEN - timedelta(days=1), "event_type")
    return tuple(
        after(before, mix(1000, bought, "view", "purchase", WRITTEN, "event_type"))
        for bought in (1, 0)
    )  # type: ignore[return-value]


def stranger(number: int, **changes: Any) -> dict[str, Any]:
    """Return an event of a visitor without a user id."""
    return event(number, **{"user_key": None, "visitor_key": f"v{number % 3}", **changes})


def bought(count: int) -> lake.Rows:
    return [event(n, event_type="purchase", unit_price=1.0) for n in range(count)]


def crowd(of_one: int, of_others: int, **changes: Any) -> Put:
    """Put events of a robot beside those of as many people as there are other events."""
    people = [event(n, user_key=f"p{n}", **changes) for n in range(of_others)]
    robot = [event(of_others + n, user_key="robot", **changes) for n in range(of_one)]
    return batch(*people, *robot, good=0)


def volume(*counts: int) -> tuple[Put, ...]:
    """Let 100 events come in this hour of each of seven days, and then so many."""
    past = [
        event(100 * day + number, event_time=WRITTEN - timedelta(days=day))
        for day in range(1, 8)
        for number in range(100)
    ]
    return tuple(after(past, mix(n, 0, "view", "", WRITTEN, "event_type")) for n in counts)


EVENTS: Cases = {
    "wrong_columns": (batch(drop="visitor_key market order_id position"), batch(drop="placement")),
    "rows": (batch(good=1), batch(good=0, rows_read=1)),
    **{
        f"{column}_missing_share": missing(column)
        for column in ("event_id", "event_time", "event_type", "item_id")
    },
    "person_missing_share": (
        batch(stranger(98)),
        batch(stranger(98, visitor_key=None)),
    ),
    "stranger_share": (
        batch(*map(stranger, range(99)), event(99), good=0),
        batch(*map(stranger, range(100)), good=0),
    ),
    "repeated_ids": (batch(event(98)), batch(event(97))),
    "unknown_type_share": (batch(event(98, event_type="rating")), batch(event(98, event_type="x"))),
    "wrong_ratings": (batch(event(98, rating=5)), batch(event(98, rating=6))),
    "wrong_quantities": (
        batch(event(98, quantity=1), event(99, event_type="return", quantity=-1)),
        batch(event(98, quantity=0)),
    ),
    "wrong_currencies": (batch(event(98, currency="EUR")), batch(event(98, currency="eur"))),
    "negative_prices": (batch(event(98, unit_price=0.0)), batch(event(98, unit_price=-0.01))),
    "unpriced_purchase_share": (
        batch(*bought(99), event(99, event_type="purchase")),
        batch(*bought(98), event(98, event_type="purchase"), event(99, event_type="purchase")),
    ),
    "first_year": (
        batch(event(98, event_time=datetime(2000, 1, 1, tzinfo=UTC))),
        batch(event(98, event_time=datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC))),
    ),
    "minutes_ahead": (
        batch(event(98, event_time=WRITTEN + timedelta(minutes=5))),
        batch(event(98, event_time=WRITTEN + timedelta(minutes=5) + SECOND)),
    ),
    "busiest_person_share": (crowd(50, 450), crowd(51, 450)),
    "one_person_of_item_share": (crowd(25, 25, item_id="i0"), crowd(26, 25, item_id="i0")),
    "users": (batch(stranger(1), event(2), good=0), batch(event(1, user_key=None), good=0)),
    "items": (batch(good=2), batch(good=1)),
    "quarantined_share": (
        batch(rows_read=1000, quarantined={"a": 50, "b": 50}),
        batch(rows_read=1000, quarantined={"a": 50, "b": 51}),
    ),
    "quarantined_share ": (
        batch(rows_read=1000, duplicates=500, not_events={"x": 400}, quarantined={"a": 10}),
        batch(rows_read=1000, duplicates=500, not_events={"x": 400}, quarantined={"a": 11}),
    ),
    "files_out_of_time": (
        batch(out_of_time=[]),
        batch(out_of_time=[{"file": "events/a.jsonl", "reason": "too_old", "rows": 0}]),
    ),
    **{f"quarantined_{reason}": refused(reason) for reason in QUARANTINE_REASONS},
    "quarantined_any_other_reason": refused("any_other_reason"),
    "event_type_drift": shifted("event_type", "view", "cart"),
    "vanished_types": vanishing(),
    "category_drift": shifted("item_id", "i0", "i1"),
    "volume": volume(30, 29),  # type: ignore[dict-item]
    "volume ": volume(300, 301),  # type: ignore[dict-item]
}


def catalogue(*more: dict[str, Any], good: int = 98, **facts: Any) -> Put:
    rows = lake.items(good, *more)
    return lambda shop, run: lake.put_items(shop, run, lake.items(60), rows, **facts)


def learned(*more: dict[str, Any], good: int = 60, **facts: Any) -> Put:
    return lambda shop, run: lake.put_items(shop, run, lake.items(good, *more), **facts)


def lacking(most: int, **changes: Any) -> tuple[Put, Put]:
    """Let so many items of a hundred lack something, and one more."""
    return tuple(
        catalogue(*(item(n, **changes) for n in range(100 - bad, 100)), good=100 - bad)
        for bad in (most, most + 1)
    )  # type: ignore[return-value]


def lacking_each(rule: str, table: Table, put: Callable[..., Put]) -> Cases:
    """Put a whole row, and one without a value, for each value that every row must have."""
    return {rule + " " * at: (put(), put(**{name: None})) for at, name in enumerate(table.required)}


def told(**facts: Any) -> Put:
    """Put a catalogue of which the manifest says something."""
    return learned(about=facts)


BARE = {"brand": None, "category": None, "colour": None}
ITEMS: Cases = {
    "wrong_columns": (learned(), learned(drop="colour")),
    "catalogue_items": (catalogue(good=50), catalogue(good=49)),
    "learned_items": (learned(good=50), learned(good=49)),
    "repeated_items": (catalogue(item(98)), catalogue(item(97))),
    "repeated_learned_items": (learned(item(60)), learned(item(59))),
    **lacking_each("incomplete_catalogue", CATALOGUE, lambda **less: catalogue(item(98, **less))),
    **lacking_each("incomplete_items", ITEMS_TABLE, lambda **less: learned(item(60, **less))),
    "unusable_prices": (catalogue(item(98, price=0.01)), catalogue(item(98, price=0.0))),
    "unpriced_share": lacking(5, price=None),
    "picture_share": lacking(20, has_picture=False),
    "stock_share": lacking(50, in_stock=False),
    "untitled_share": lacking(5, title=" "),
    "attributes_filled_share": (
        learned(*(item(n, **BARE, title="x" if n < 40 else None) for n in range(50)), good=0),
        learned(*(item(n, **BARE, title="x" if n < 39 else None) for n in range(50)), good=0),
    ),
    "items_from_the_future": (
        learned(item(60, updated_at=CUT - SECOND)),
        learned(item(60, updated_at=CUT)),
    ),
    "items_from_the_future ": (learned(), learned(item(60, updated_at=None))),
    "refused_share": (
        learned(rows_read=1000, refused={"too_long": 100}),
        learned(rows_read=1000, refused={"too_long": 101}),
    ),
    "refused_share ": (told(newest_refused_share=0.1), told(newest_refused_share=0.101)),
    "catalogue_age_hours": (told(age_hours=336.0), told(age_hours=336.1)),
    **{name: (told(**{name: 0}), told(**{name: 1, f"{name}_named": ["i1"]})) for name in NAMED},
}


def taken(rows: lake.Rows, **facts: Any) -> Put:
    def write(shop: Storage, run: str) -> None:
        lake.put_interactions(shop, run, rows, **facts)
        lake.put_items(shop, run, lake.items(80))

    return write


GRID = pairs(range(10), range(10))


def robots(users: int, events: int) -> Put:
    return taken(GRID, left_out_users={"users": users, "events": events})


DIAGONAL = [pair(n, n) for n in range(10)]
INTERACTIONS: Cases = {
    "wrong_columns": (taken(GRID), taken(GRID, drop="weight")),
    "train_rows": (taken(pairs(range(20), range(50))), taken(pairs(range(27), range(37)))),
    "holdout_rows": (
        taken([held_out(1, n) for n in range(100)]),
        taken([*(held_out(1, n) for n in range(99)), held_out(1, 99, successes=0)]),
    ),
    "train_rows ": (
        taken(pairs(range(20), range(50))),
        taken([*pairs(range(20), range(50))[1:], pair(0, 0, weight=0.0)]),
    ),
    **lacking_each("incomplete_pairs", PAIRS, lambda **less: taken([*GRID, pair(10, 1, **less)])),
    "unknown_parts": (taken(GRID), taken([*GRID, pair(10, 1, part="test")])),
    "holdout_share": (
        taken([*pairs(range(10), range(3)), *(held_out(n, n) for n in range(70))]),
        taken([*pairs(range(10), range(3)), *(held_out(n, n) for n in range(71))]),
    ),
    "holdout_share ": (
        taken([*pairs(range(199), [1]), held_out(1, 2)]),
        taken([*pairs(range(200), [1]), held_out(1, 2)]),
    ),
    "users": (taken(pairs(range(100), [1])), taken(pairs(range(99), [1]))),
    "items": (taken(pairs([1], range(50))), taken(pairs([1], range(49)))),
    "density": (
        taken([one for one in GRID if one["user_key"][1:] != one["item_id"][1:]]),
        taken(GRID),
    ),
    "density ": (
        taken([pair(n, n) for n in range(100_000)]),
        taken([pair(n, n) for n in range(100_001)]),
    ),
    "known_users_share": (
        taken([pair(0, 1), *(held_out(n, 2) for n in range(20))]),
        taken([pair(0, 1), *(held_out(n, 2) for n in range(21))]),
    ),
    "unusable_weights": (
        taken([*GRID, pair(10, 1, weight=1e-30)]),
        taken([*GRID, pair(10, 1, weight=nan)]),
    ),
    "unusable_weights ": (
        taken([*GRID, pair(10, 1, weight=0.0, successes=0, purchases=1)]),
        taken([*GRID, pair(10, 1, weight=0.0, successes=0)]),
    ),
    "unusable_weights  ": (taken(GRID), taken([*GRID, pair(10, 1, weight=-1.0)])),
    "repeated_pairs": (taken([*GRID, held_out(1, 1)]), taken([*GRID, pair(1, 1)])),
    "future_rows_in_train": (
        taken([*GRID, pair(10, 1, last_time=CUT - SECOND)]),
        taken([*GRID, pair(10, 1, last_time=CUT)]),
    ),
    "past_rows_in_holdout": (
        taken([*GRID, held_out(1, 1)]),
        taken([*GRID, pair(1, 1, part="holdout")]),
    ),
    "past_rows_in_holdout ": (
        taken([*GRID, pair(1, 1, part="holdout", last_time=AS_OF - SECOND)]),
        taken([*GRID, pair(1, 1, part="holdout", last_time=AS_OF)]),
    ),
    "past_rows_in_holdout  ": (
        taken([*GRID, held_out(1, 1)]),
        taken([*GRID, pair(1, 1, part="holdout", last_time=None)]),
    ),
    "unknown_item_share": (taken(pairs([1], range(100))), taken(pairs([1], range(101)))),
    "unknown_item_event_share": (
        taken([*pairs(range(9), range(10)), pair(9, 80, events=10)]),
        taken([*pairs(range(9), range(10)), pair(9, 80, events=11)]),
    ),
    "widest_user_share": (taken(pairs([1], range(40))), taken(pairs([1], range(41)))),
    "left_out_users": (robots(20, 20), robots(21, 21)),
    "left_out_events": (robots(1, 1_000_000), robots(1, 1_000_001)),
}

LENGTH = 5
FULL = range(LENGTH)


def shown(
    *lists: dict[str, Any],
    users: int = 0,
    stock: int = 20,
    more: lake.Rows | None = None,
    bought: datetime | None = None,
    **put: Any,
) -> Put:
    """Put lists for users beside their interactions: as many users as lists unless given."""

    def write(shop: Storage, run: str) -> None:
        lake.put_lists(shop, run, list(lists), **put)
        known = [pair(user, 1, bought_time=bought) for user in range(users or len(lists))]
        lake.put_interactions(shop, run, known)
        lake.put_items(shop, run, [], lake.items(stock, *(more or [])))

    return write


def same(users: int) -> lake.Rows:
    return [top(user, FULL) for user in range(users)]


def short(first: int, end: int) -> lake.Rows:
    return [top(user, range(LENGTH - 1)) for user in range(first, end)]


SCORES = {"down": [5.0, 4.0, 4.0, 2.0, 1.0], "up": [5.0, 4.0, 4.5, 2.0, 1.0]}
AGAIN, LONG_AGO = top(0, [1], placement="larder"), AS_OF - timedelta(days=60)
HIDDEN = [item(99, in_stock=False), item(98, has_picture=False)]
RECOMMENDATIONS: Cases = {
    "wrong_columns": (shown(*same(2)), shown(*same(2), drop="scores")),
    "lists": (shown(top(0, FULL)), shown(users=1)),
    "users_share": (shown(*same(3)), shown(*same(3), users=4)),
    "full_lists_share": (
        shown(*same(10), *short(10, 12)),  # two of 2,000, however small the shop
        shown(*same(10), *short(10, 13)),
    ),
    "full_lists_share ": (
        shown(*same(2997), *short(2997, 3000)),
        shown(*same(2996), *short(2996, 3000)),
    ),
    "short_lists": (shown(*same(100)), shown(*same(99), *short(99, 100))),
    "left_out_items": (
        shown(*same(2), bought=AS_OF - timedelta(days=30) - SECOND),
        shown(*same(2), bought=AS_OF - timedelta(days=30)),
    ),
    "not_own_items": (
        shown(*same(1), AGAIN, users=1, bought=LONG_AGO),
        shown(*same(1), AGAIN, users=1),
    ),
    "unknown_placements": (shown(*same(2)), shown(*same(2), top(0, FULL, placement="start"))),
    "repeated_users": (shown(*same(2)), shown(*same(2), top(1, FULL))),
    "lists_for_strangers": (shown(*same(2)), shown(*same(3), users=2)),
    "lists_with_repeats": (shown(*same(2)), shown(top(0, [1, 2, 3, 4, 1]))),
    "unordered_lists": (
        shown(top(0, FULL, scores=SCORES["down"])),
        shown(top(0, FULL, scores=SCORES["up"])),
    ),
    "unordered_lists ": (shown(*same(1)), shown(top(0, FULL, scores=[nan] * LENGTH))),
    "unordered_lists  ": (shown(*same(1)), shown(top(0, FULL, scores=[2.0, 1.0]))),
    "unknown_items": (shown(top(0, range(15, 20))), shown(top(0, range(16, 21)))),
    "unavailable_items": (
        shown(*same(1), more=HIDDEN),
        shown(top(0, [0, 1, 2, 3, 99]), more=HIDDEN),
    ),
    "unavailable_items ": (
        shown(*same(1), more=HIDDEN),
        shown(top(0, [0, 1, 2, 3, 98]), more=HIDDEN),
    ),
    "catalogue_share": (shown(*same(1), stock=250), shown(*same(1), stock=251)),
    "distinct_lists_share": (shown(*same(20)), shown(*same(21))),
}


def walked(*more: dict[str, Any], good: int = 100, drop: str = "") -> Put:
    """Put steps of visits of two events, and more."""

    def write(shop: Storage, run: str) -> None:
        lake.put_steps(shop, run, lake.steps(good, *more), drop)

    return write


def alone(count: int) -> lake.Rows:
    """Return visits of one event each."""
    return [step(2 * number, session="alone") for number in range(count)]


STEPS: Cases = {
    "wrong_columns": (walked(), walked(drop="session")),
    "rows": (walked(good=1000), walked(good=999)),
    "persons": (walked(good=200), walked(good=198)),
    **lacking_each("incomplete_steps", STEPS_TABLE, lambda **less: walked(step(100, **less))),
    "unknown_types": (walked(), walked(step(100, event_type="stare"))),
    "unknown_parts": (walked(), walked(step(100, part="test"))),
    "repeated_places": (walked(step(1, position=2)), walked(step(1))),
    "visits_with_gaps": (walked(step(100)), walked(step(101))),
    "visits_with_gaps ": (walked(step(1, position=2)), walked(step(1, position=3))),
    "steps_out_of_order": (
        walked(step(1, position=2)),
        walked(step(1, position=2, event_time=CUT - timedelta(hours=1))),
    ),
    "lone_steps_share": (walked(*alone(19), good=2), walked(*alone(20), good=2)),
    "future_steps_in_train": (
        walked(step(100, event_time=CUT - SECOND)),
        walked(step(100, event_time=CUT)),
    ),
    "past_steps_in_holdout": (
        walked(step(100, part="holdout", event_time=CUT)),
        walked(step(100, part="holdout", event_time=CUT - SECOND)),
    ),
    "past_steps_in_holdout ": (
        walked(step(100, part="holdout", event_time=AS_OF - SECOND)),
        walked(step(100, part="holdout", event_time=AS_OF)),
    ),
}


def short_lists(folder: Path) -> Path:
    """Write a placements file of lists of `LENGTH` places: personal ones, and of own items."""
    home = {"answers": "personal", "length": LENGTH, "leave_out": "bought", "within_days": 30}
    larder = {"answers": "again", "length": LENGTH, "leave_out": "nothing"}
    places = {"home": {**home, "why": "a test"}, "larder": {**larder, "why": "a test"}}
    content = {"success": ["purchase"], "placements": places}
    file = folder / "placements.yaml"
    file.write_text(json.dumps(content))
    return file


@pytest.fixture(scope="module")
def shop_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CATWALK_HOME", str(tmp_path_factory.mktemp("rules") / "shop"))
        patch.setenv("CATWALK_USER_KEY_SECRET", SECRET)
        patch.setenv("CATWALK_PLACEMENTS", str(short_lists(tmp_path_factory.mktemp("placements"))))
        patch.setenv("CATWALK_SOURCES", "fresh,stale,stopped,few,many")
        settings = load_settings()
        ensure_home(settings)
        yield Storage(settings)


def label(rule: str, end: int) -> str:
    return f"{rule.replace(' ', 'x').replace('_', '')}{'pf'[end]}"


def put_all(shop: Storage, cases: Cases, name: str) -> list[str]:
    """Write all cases under the names that a pattern gives them."""
    names = []
    for rule, ends in cases.items():
        for end, write in enumerate(ends):
            names.append(name.format(label(rule, end)))
            write(shop, names[-1])
    return names


@pytest.fixture(scope="module")
def found(shop_of_module: Storage) -> dict[str, dict[str, list[Check]]]:
    """Return the checks of all cases, by gate and partition."""
    shop = shop_of_module
    judged = {"events": judge_events(shop)}
    of_runs = [(items.GATE, ITEMS), (interactions.GATE, INTERACTIONS), (steps.GATE, STEPS)]
    for gate, cases in of_runs:
        judged[gate.name] = judge(shop, gate, cases)
    judged["recommendations"] = judge(shop, recommendations.GATE, RECOMMENDATIONS)
    return judged


def judge_events(shop: Storage) -> dict[str, list[Check]]:
    old = [item(0, category="coats"), item(1, category="shoes")]
    lake.put_items(shop, "run=before", old)
    put_all(shop, EVENTS, "batch={}-000001")
    for source, hours in (("fresh", 36), ("stale", 37)):
        times = {"event_time": AS_OF - timedelta(hours=hours)}
        rows = [event(0, **times), event(1, **times)]
        lake.put_batch(shop, f"batch={source}-000000", rows)
    for source, rows_read in (("few", 100), ("many", 101)):
        lake.put_batch(shop, f"batch={source}-000000", lake.events(100))
        declared = {"rows_read": rows_read, "not_events": {"heartbeat": rows_read}}
        lake.put_batch(shop, f"batch={source}-000001", [], **declared)
    lake.put_batch(shop, "batch=stopped-000000", lake.events(1))  # a shop of one item
    with pytest.raises(GateError, match="The events gate"):
        gate_events(shop, RUN, AS_OF)
    record = RunRecords(shop, RUN).load_gate("events")
    assert record is not None
    by_partition: dict[str, list[Check]] = {}
    for one in record.checks:
        by_partition.setdefault(one.partition, []).append(one)
    return by_partition


def judge(shop: Storage, gate: Gate, cases: Cases) -> dict[str, list[Check]]:
    """Measure each case as the gate does, and hold all of them to its limits in one call."""
    runs = put_all(shop, cases, f"run={gate.name}" + "-{}")
    with open_reader(shop) as reader:
        profiles = [measure(reader, gate, run) for run in runs]
        checks = check_limits(profiles, gate.measures, limits_of(gate.name, gate.measures))
        size = len(gate.measures)
        return {
            run: illustrate(reader, gate, run, checks[size * at : size * (at + 1)])
            for at, run in enumerate(runs)
        }


def measure(reader: Reader, gate: Gate, run: str) -> Profile:
    with reader.open(dict.fromkeys(gate.tables, run)) as opened:
        return gate.profile(opened, reader.storage, run)


def illustrate(reader: Reader, gate: Gate, run: str, checks: list[Check]) -> list[Check]:
    with reader.open(dict.fromkeys(gate.tables, run)) as opened:
        inform(opened, gate.tables, gate.facts(reader.storage, run))
        return list(with_examples(opened, checks, gate.measures))


ALL = {
    "events": (EVENTS, "batch={}-000001"),
    "items": (ITEMS, "run=items-{}"),
    "interactions": (INTERACTIONS, "run=interactions-{}"),
    "steps": (STEPS, "run=steps-{}"),
    "recommendations": (RECOMMENDATIONS, "run=recommendations-{}"),
}


@pytest.mark.parametrize(
    ("gate", "rule"), [(gate, rule) for gate, (cases, _) in ALL.items() for rule in cases]
)
def test_data_that_just_passes_and_data_that_just_fails(
    found: dict[str, dict[str, list[Check]]], gate: str, rule: str
) -> None:
    ends = [found[gate][ALL[gate][1].format(label(rule, end))] for end in (0, 1)]
    passes, fails = ({one.name: one for one in checks}[rule.strip()] for checks in ends)
    assert passes.passed, passes
    assert fails.failed, fails
    assert fails.value is not None
    assert not passes.examples


@pytest.mark.parametrize(
    ("rule", "source", "passes"),
    [
        ("hours_since_last_event", "fresh", True),
        ("hours_since_last_event", "stale", False),
        ("accepted_batches", "fresh", True),
        ("accepted_batches", "stopped", False),
        ("not_events_share", "few", True),
        ("not_events_share", "many", False),
    ],
)
def test_a_rule_of_a_source_just_passes_and_just_fails(
    found: dict[str, dict[str, list[Check]]], rule: str, source: str, passes: bool
) -> None:
    rules = {one.name: one for one in found["events"][f"source={source}"]}
    assert set(rules) == set(OF_SOURCE)
    assert (rules[rule].passed, rules[rule].failed) == (passes, not passes)


@pytest.mark.parametrize("gate", ALL)
def test_no_rule_is_without_its_two_cases(gate: str) -> None:
    measures = {
        "events": EVENT_MEASURES,
        "items": items.MEASURES,
        "interactions": interactions.MEASURES,
        "steps": steps.MEASURES,
        "recommendations": recommendations.MEASURES,
    }[gate]
    elsewhere = {*OF_SOURCE, *OF_LANDING} if gate == "events" else set()
    assert {rule.strip() for rule in ALL[gate][0]} | elsewhere == set(measures)
    assert set(limits_of(gate, measures)) == set(measures)


def test_what_breaks_a_rule_is_shown_but_for_texts(
    found: dict[str, dict[str, list[Check]]],
) -> None:
    def examples(gate: str, rule: str) -> list[dict[str, Any]]:
        checks = found[gate][ALL[gate][1].format(label(rule, 1))]
        return [dict(row) for one in checks if one.name == rule for row in one.examples]

    assert examples("events", "repeated_ids") == [{"event_id": "e97", "times": 2}]
    assert examples("events", "wrong_columns") == [{"column": "events.placement"}]
    assert examples("events", "quarantined_too_old") == [{"reason": "too_old", "file": "bad.jsonl"}]
    assert examples("recommendations", "users_share") == [{"placement": "home", "user_key": "u3"}]
    assert examples("recommendations", "unknown_items") == [{"item_id": "i20", "shown": 1}]
    assert [row["item_id"] for row in examples("items", "unusable_prices")] == ["i98"]
    assert "b'raw'" not in str(found)


def test_only_parts_of_a_whole_are_written_in_percent() -> None:
    """An index of 0.25 is no quarter of anything."""
    every = {
        **EVENT_MEASURES,
        **items.MEASURES,
        **interactions.MEASURES,
        **recommendations.MEASURES,
    }
    percent = {name for name, measure in every.items() if unit_of(name, measure.says) is SHARE}
    parts = {name for name in every if name.endswith("_share") or name.startswith("quarantined_")}
    assert percent == parts | {"density"}


def test_every_reason_of_ingestion_has_a_limit() -> None:
    """That ingestion makes no other reason: tests/jobs/cleaning/test_row_outcome_reasons.py."""
    limits = limits_of("events", EVENT_MEASURES)
    assert [reason for reason in Reason if f"quarantined_{reason}" not in limits] == []


def test_refused_rows_of_a_catalogue_are_in_the_record_of_its_gate(shop: Storage) -> None:
    row = {"reason": "wrong_type", "file": "1.jsonl", "fields": {"price": "x"}, "shape": ""}
    facts = {"refused": {"wrong_type": 1}, "rows_read": 60, "refused_examples": [row]}
    lake.put_items(shop, "run=judging", lake.items(60), **facts)
    record = gate_items(shop, "run=judging")
    assert record.refused.counts == {"wrong_type": 1}
    assert [example.fields for example in record.refused.examples] == [{"price": "x"}]
