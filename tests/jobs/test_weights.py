"""Weights halve with age, count once a day, and a returned piece takes back its own."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.errors import SettingsError
from infra.schemas import EVENT_TYPES, EVENTS
from jobs import weights
from jobs.cut import Times

CUT = datetime(2026, 11, 20, tzinfo=UTC)
TIMES = Times(CUT - timedelta(days=60), CUT, CUT + timedelta(days=3))
HALF_LIFE = 30.0
WEIGHTS = weights.load_weights()
SUCCESS = ("purchase", "cart", "wishlist")
DAY = timedelta(days=1)
Pairs = dict[tuple[str, str, str], dict[str, Any]]


class Event(NamedTuple):
    """One event of a test."""

    user: str
    item: str
    kind: str
    time: datetime
    pieces: int | None = None


def frame(spark: Any, events: Iterable[Event]) -> Any:
    rows = []
    for number, event in enumerate(events):
        row: dict[str, Any] = dict.fromkeys(EVENTS.columns)
        row |= {"event_id": f"{number:06d}", "user_key": event.user, "item_id": event.item}
        row |= {"event_type": event.kind, "event_time": event.time, "quantity": event.pieces}
        rows.append((*(row[name] for name in EVENTS.columns), event.kind in SUCCESS))
    return spark.createDataFrame(rows, f"{EVENTS.ddl}, is_success BOOLEAN")


def pairs(spark: Any, *events: Event) -> Pairs:
    rows = weights.pairs_of(frame(spark, events), TIMES, HALF_LIFE).collect()
    return {(row["user_key"], row["item_id"], row["part"]): row.asDict() for row in rows}


def of_anna(spark: Any, *events: tuple[str, float, int | None]) -> dict[str, Any] | None:
    """Return Anna's train row of one item: events by their type, age in days and pieces."""
    rows = [Event("anna", "i1", kind, CUT - age * DAY, pieces) for kind, age, pieces in events]
    return pairs(spark, *rows).get(("anna", "i1", "train"))


def bought(age: float, pieces: int | None = None) -> tuple[str, float, int | None]:
    return ("purchase", age, pieces)


def returned(age: float, pieces: int | None = None) -> tuple[str, float, int | None]:
    return ("return", age, pieces)


def of_age(weight: float, age: float) -> object:
    return pytest.approx(weight * 0.5 ** (age / HALF_LIFE), rel=1e-6)


def test_weights_add_up_and_halve_with_age(spark: Any) -> None:
    row = of_anna(spark, ("view", 30, None), bought(60))
    assert row is not None and row["weight"] == 1 * 0.5 + 5 * 0.25


def test_a_later_event_never_changes_a_train_weight(spark: Any) -> None:
    before = Event("anna", "i1", "purchase", CUT - DAY)
    later = Event("anna", "i1", "return", CUT + DAY)
    alone, both = pairs(spark, before), pairs(spark, before, later)
    assert alone == both and set(both) == {("anna", "i1", "train")}


def test_a_return_takes_back_what_its_piece_weighs_and_no_more(spark: Any) -> None:
    """It was +1.98 for the purchase and -3.79 for the return."""
    row = of_anna(spark, bought(40), returned(12))
    assert row is not None and row["weight"] == 0
    assert (row["purchases"], row["bought_time"]) == (1, CUT.replace(tzinfo=None) - 40 * DAY)
    row = of_anna(spark, ("view", 41, None), bought(40), returned(12))
    assert row is not None and row["weight"] == of_age(1, 41)


def test_of_two_purchases_the_later_one_was_returned(spark: Any) -> None:
    row = of_anna(spark, bought(40), bought(20), returned(12))
    assert row is not None and row["weight"] == of_age(5, 40)
    assert (row["purchases"], row["bought_time"]) == (2, CUT.replace(tzinfo=None) - 20 * DAY)


def test_a_return_before_a_purchase_is_of_an_earlier_one(spark: Any) -> None:
    row = of_anna(spark, bought(40), returned(12), bought(5))
    assert row is not None and row["weight"] == of_age(5, 5)
    row = of_anna(spark, returned(12), bought(5))
    assert row is not None and row["weight"] == of_age(5, 5)


def test_one_of_three_pieces_takes_back_a_third(spark: Any) -> None:
    row = of_anna(spark, bought(30, 3), returned(10, 1))
    assert row is not None and row["weight"] == of_age(5 * 2 / 3, 30)


def test_pieces_of_a_return_come_from_several_purchases(spark: Any) -> None:
    """Two of the 4 pieces are of the second purchase, two of the first, which keeps one of 3."""
    row = of_anna(spark, bought(40, 3), bought(20, 2), returned(10, -4))
    assert row is not None and row["weight"] == of_age(5 / 3, 40)


def test_a_return_of_something_bought_before_the_window_takes_nothing(spark: Any) -> None:
    row = of_anna(spark, ("view", 3, None), returned(2))
    assert row is not None and (row["weight"], row["events"]) == (of_age(1, 3), 1)
    assert of_anna(spark, returned(2)) is None


def test_events_of_a_type_count_once_a_day(spark: Any) -> None:
    hour = 1 / 24
    looks = [("view", 30 - n * hour, None) for n in range(20)]
    row = of_anna(spark, *looks, ("click", 30, None))
    assert row is not None and row["events"] == 2
    assert row["weight"] == pytest.approx(0.5 + 0.5 ** ((30 - 19 * hour) / 30), rel=1e-6)


def test_the_pieces_of_a_days_purchases_add_up(spark: Any) -> None:
    row = of_anna(spark, bought(30), bought(30 - 1 / 24), returned(3))
    assert row is not None and row["purchases"] == 1
    assert row["weight"] == of_age(5 / 2, 30 - 1 / 24)


def test_what_was_only_shown_is_no_interest(spark: Any) -> None:
    assert of_anna(spark, ("impression", 1, None)) is None


def test_the_parts_count_their_own_successes(spark: Any) -> None:
    kinds = ("view", "cart", "purchase", "wishlist", "rating")
    both = [Event("anna", "i1", kind, CUT + side * DAY) for kind in kinds for side in (-1, 1)]
    found = pairs(spark, *both)
    for part in ("train", "holdout"):
        row = found[("anna", "i1", part)]
        assert (row["events"], row["successes"], row["purchases"]) == (5, 3, 1)


def test_weights_are_as_an_obvious_count_says(spark: Any) -> None:
    events = random_events(random.Random(5))
    found, expected = pairs(spark, *events), slow_pairs(events)
    assert found.keys() == expected.keys() and len(found) > 100
    for key, row in expected.items():
        same = {name: found[key][name] for name in row}
        assert same == {**row, "weight": pytest.approx(row["weight"], rel=1e-5)}, key
    assert any(row["weight"] == 0 for row in expected.values())


def random_events(choose: random.Random) -> list[Event]:
    """Return events that crowd on few pairs and few days, many of them at the same time."""
    kinds = (*EVENT_TYPES, *("purchase", "return") * 4)
    return [
        Event(
            f"u{choose.randrange(12)}",
            f"i{choose.randrange(8)}",
            choose.choice(kinds),
            CUT + timedelta(hours=choose.randrange(-24 * 8, 24 * 3)),
            choose.choice([None, 1, 2, 3]),
        )
        for _ in range(2000)
    ]


def slow_pairs(events: list[Event]) -> Pairs:
    """Weigh every pair by hand: a pile of pieces, from whose top returns are taken."""
    by_pair = defaultdict(list)
    for event in sorted(enumerate(events), key=lambda pair: (pair[1].time, pair[1].kind, pair[0])):
        part = "train" if event[1].time < CUT else "holdout"
        by_pair[event[1].user, event[1].item, part].append(event[1])
    rows = {key: slow_row(key[2], mine) for key, mine in by_pair.items()}
    return {key: row for key, row in rows.items() if row["events"]}


def slow_row(part: str, events: list[Event]) -> dict[str, Any]:
    pile: list[datetime] = []  # a purchase's time per piece
    for event in events:
        for _ in range(event.pieces or 1):
            if event.kind == "purchase":
                pile.append(event.time)
            elif event.kind == "return" and pile:
                pile.pop()
    days = [
        list(group)
        for _, group in groupby(
            sorted(events, key=lambda event: (event.kind, event.time)),
            key=lambda event: (event.kind, event.time.date()),
        )
    ]
    days = [day for day in days if WEIGHTS[day[0].kind]]
    times = [day[-1].time.replace(tzinfo=None) for day in days]
    end = TIMES.cut if part == "train" else TIMES.end
    weight = 0.0
    for day in days:
        kept = 1.0
        if day[0].kind == "purchase":
            left = sum(time.date() == day[0].time.date() for time in pile)
            kept = left / sum(event.pieces or 1 for event in day)
        age = (end - day[-1].time) / DAY
        weight += WEIGHTS[day[0].kind] * kept * 0.5 ** (age / HALF_LIFE)
    sold = [time for time, day in zip(times, days, strict=True) if day[0].kind == "purchase"]
    return {
        "weight": weight,
        "events": len(days),
        "successes": sum(day[0].kind in SUCCESS for day in days),
        "purchases": len(sold),
        "last_time": max(times, default=None),
        "bought_time": max(sold, default=None),
    }


def test_weights_name_every_event_type(tmp_path: Path) -> None:
    assert set(weights.load_weights()) == set(EVENT_TYPES)
    file = tmp_path / "weights.yaml"
    file.write_text('view: {weight: 1, why: "unit"}\n')
    with pytest.raises(SettingsError, match="is unknown or missing"):
        weights.load_weights(file)
    file.write_text('return: {weight: -5, why: "takes the purchase back"}\n')
    with pytest.raises(SettingsError, match=r"'return'.*'weight'.*greater than or equal to 0"):
        weights.load_weights(file)
