"""The order of the shop's rules: block, stock and picture, pin, boost, fill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some

from models.merchandising.arrange import CANDIDATES, Ranked, arrange
from models.merchandising.scope import Pin, Scope

N = 12
EVERYTHING = np.ones(N, dtype=np.bool_)


def ranked(*items: int, source: str = "personal") -> Ranked:
    return Ranked(source, list(items), [10.0 - place for place in range(len(items))])


def test_a_list_without_rules_stays_as_it_is() -> None:
    found = arrange([ranked(3, 1, 2)], Scope(EVERYTHING), 2)
    assert (found.items, found.scores) == ([3, 1], [10.0, 9.0])
    assert found.sources == ["personal", "personal"] and not found.rules


def test_what_is_blocked_sold_out_or_out_of_scope_goes_and_is_named() -> None:
    open_ = EVERYTHING.copy()
    open_[3] = False
    scope = Scope(open_, frozenset({2}), {1: "block:7", 9: "block:8"})
    found = arrange([ranked(1, 2, 3, 4), ranked(5, source="bestseller")], scope, 2)
    assert found.items == [4, 5] and found.sources == ["personal", "bestseller"]
    assert found.rules == {"block:7", "stock", "scope"}


def test_block_comes_before_stock_and_both_before_a_pin_and_a_boost() -> None:
    both = Scope(EVERYTHING, frozenset({1}), {1: "block:7"})
    assert arrange([ranked(1, 2)], both, 2).rules == {"block:7"}
    for hidden in ({"blocked": {1: "block:7"}}, {"sold_out": frozenset({1})}):
        scope = Scope(EVERYTHING, pins=(Pin(0, 1, "pin:3"),), boosted={1: "boost:4"}, **hidden)
        found = arrange([ranked(2, 1, 3)], scope, 3)
        assert found.items == [2, 3] and not found.rules & {"pin:3", "boost:4"}


def test_pins_stand_before_what_is_boosted() -> None:
    scope = Scope(EVERYTHING, pins=(Pin(0, 9, "pin:3"),), boosted={4: "boost:4", 3: "boost:4"})
    found = arrange([ranked(1, 3, 4, 2)], scope, 4)
    assert found.items == [9, 3, 4, 1] and found.sources[0] == "pinned"
    assert found.rules == {"pin:3", "boost:4"}


def test_of_two_pins_to_a_place_the_first_gets_it_and_the_other_the_next() -> None:
    scope = Scope(EVERYTHING, pins=(Pin(1, 7, "pin:5"), Pin(1, 8, "pin:2"), Pin(9, 6, "pin:1")))
    found = arrange([ranked(1, 2, 3, 8)], scope, 4)
    assert found.items == [1, 7, 8, 2] and found.rules == {"pin:5", "pin:2"}


def test_a_pin_beyond_a_short_list_stands_at_its_end() -> None:
    found = arrange([ranked(1)], Scope(EVERYTHING, pins=(Pin(3, 7, "pin:5"),)), 5)
    assert found.items == [1, 7]


def test_a_boost_reaches_as_far_as_the_candidates() -> None:
    n = 3 * CANDIDATES
    scope = Scope(np.ones(n, dtype=np.bool_), boosted={CANDIDATES - 1: "boost:1", CANDIDATES: "b"})
    found = arrange([ranked(*range(n))], scope, 3)
    assert found.items == [CANDIDATES - 1, 0, 1] and found.rules == {"boost:1"}


def test_a_boost_that_moves_nothing_is_not_named() -> None:
    found = arrange([ranked(1, 2, 3)], Scope(EVERYTHING, boosted={1: "boost:1"}), 3)
    assert found.items == [1, 2, 3] and not found.rules


def test_a_source_is_asked_only_while_places_are_empty() -> None:
    asked = []

    def parts() -> Iterator[Ranked]:
        for number in range(3):
            asked.append(number)
            yield ranked(2 * number, 2 * number + 1)

    assert arrange(parts(), Scope(EVERYTHING), 3).items == [0, 1, 2]
    assert asked == [0, 1]


items = some.integers(0, N - 1)
worlds = some.fixed_dictionaries(
    {
        "open": some.lists(some.booleans(), min_size=N, max_size=N),
        "sold_out": some.frozensets(items, max_size=3),
        "blocked": some.dictionaries(items, some.sampled_from(["block:1", "block:2"]), max_size=3),
        "pins": some.lists(some.tuples(some.integers(0, 8), items), max_size=4),
        "boosted": some.dictionaries(items, some.just("boost:3"), max_size=4),
        "parts": some.lists(some.lists(items, max_size=8, unique=True), max_size=3),
        "k": some.integers(1, 8),
        "excluded": some.frozensets(items, max_size=3),
    }
)


@settings(max_examples=400, deadline=None)
@given(worlds)
def test_any_list_is_what_the_rules_say_one_after_the_other(world: dict[str, Any]) -> None:
    pins = tuple(Pin(place, item, f"pin:{item}") for place, item in world["pins"])
    names = ("sold_out", "blocked", "boosted")
    rules = {name: world[name] for name in names}
    scope = Scope(np.array(world["open"]), pins=pins, **rules)
    parts = [ranked(*part) for part in world["parts"]]
    found = arrange(parts, scope, world["k"], world["excluded"])
    assert found.items == slowly(world)
    assert len(found.items) == len(found.scores) == len(found.sources)


def slowly(world: dict[str, Any]) -> list[int]:
    """Obey one rule after the other, on whole lists."""
    everything = [item for part in world["parts"] for item in part]

    def may_be_shown(item: int) -> bool:
        hidden = item in world["blocked"] or item in world["sold_out"] or item in world["excluded"]
        return world["open"][item] and not hidden

    shown = [item for item in dict.fromkeys(everything) if may_be_shown(item)]
    shown.sort(key=lambda item: item not in world["boosted"])
    places: dict[int, int] = {}
    for place, item in world["pins"]:
        if may_be_shown(item) and item not in places.values():
            free = next(number for number in range(place, 99) if number not in places)
            if free < world["k"]:
                places[free] = item
    rest = iter([item for item in shown if item not in places.values()])
    listed = []
    for place in range(99):
        item = places.get(place)
        listed.append(next(rest, None) if item is None else item)
    return [item for item in listed if item is not None][: world["k"]]
