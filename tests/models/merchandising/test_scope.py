"""What rules, stock, markets and categories allow."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from infra.records.serving import Override
from models.merchandising import assortment as module
from models.merchandising.assortment import Assortment
from models.merchandising.scope import Pin, Scope, Stock, scope_of, stock_of
from models.merchandising.shop_rules import NO_RULES, ShopRules

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
IDS = ("bag", "coat", "hat", "scarf", "shoe")
ITEMS = Assortment(
    ids=np.array(IDS),
    shown=np.array([True, True, True, False, False]),
    has_picture=np.array([True, True, True, True, False]),
    categories=np.array(["bags", "coats", "", "coats", "shoes"]),
    markets=np.array(["", "AT,DE", "DE", "", "AT"]),
)


def rule(number: int, action: str, *items: str, **scope: Any) -> Override:
    place = 1 if action == "pin" else None
    said = {"number": number, "at": NOW, "by": "ada", "action": action, "item_ids": items}
    times = {"since": NOW - HOUR, "until": NOW + HOUR, "reason": "sale", "place": place}
    return Override.model_validate({**said, **times, **scope})


def named(flags: np.ndarray) -> set[str]:
    return {IDS[place] for place in np.flatnonzero(flags)}


def scope(*rules: Override, **asked: str) -> Scope:
    return scope_of(ITEMS, Stock(), rules, asked.pop("placement", "home"), **asked)


@pytest.mark.parametrize(
    ("market", "category", "allowed"),
    [
        ("", "", {"bag", "coat", "hat"}),
        ("AT", "", {"bag", "coat"}),
        ("DE", "coats", {"coat"}),
        ("FR", "", {"bag"}),
        ("A", "", {"bag"}),
        ("", "shoes", set()),
        ("", "never heard of", set()),
    ],
)
def test_market_and_category_leave_nothing_else(
    market: str, category: str, allowed: set[str]
) -> None:
    found = scope(market=market, category=category)
    assert named(found.open) == allowed


def test_a_shop_without_markets_sells_everything_everywhere() -> None:
    everywhere = Assortment(ITEMS.ids, ITEMS.shown, ITEMS.has_picture, ITEMS.categories, ITEMS.ids)
    nowhere = np.full(5, "")
    for items, amount in ((everywhere, 0), (ITEMS, 2)):
        assert scope_of(items, Stock(), (), "home", "AT").open.sum() == amount
    free = Assortment(ITEMS.ids, ITEMS.shown, ITEMS.has_picture, ITEMS.categories, nowhere)
    assert scope_of(free, Stock(), (), "home", "AT").open.sum() == 3


def test_stock_hides_and_brings_back_but_never_without_a_picture() -> None:
    told = {"coat": False, "scarf": True, "shoe": True, "hat": True, "no item of ours": True}
    stock = stock_of(ITEMS, told)
    assert stock == Stock(frozenset({1}), (3,))
    found = scope_of(ITEMS, stock, (), "home")
    assert named(found.open) == {"bag", "coat", "hat", "scarf"}
    assert named(found.clear) == {"bag", "hat", "scarf"}
    assert stock_of(ITEMS, {"scarf": False}) == Stock()
    assert stock_of(ITEMS, NO_RULES.in_stock) == Stock()


def test_rules_become_positions_and_keep_their_names() -> None:
    found = scope(
        rule(1, "block", "coat", "no item of ours"),
        rule(2, "pin", "hat", "bag", place=3),
        rule(3, "boost", "scarf"),
        rule(4, "pin", "coat"),
    )
    assert found.blocked == {1: "block:1"} and found.boosted == {3: "boost:3"}
    assert found.pins == (Pin(0, 1, "pin:4"), Pin(2, 2, "pin:2"), Pin(3, 0, "pin:2"))
    assert named(found.clear) == {"bag", "hat"}


@pytest.mark.parametrize("part", ["placement", "market", "category"])
def test_a_rule_counts_in_its_scope_alone(part: str) -> None:
    own = {"placement": "home", "market": "AT", "category": "coats"}[part]
    blocked = rule(1, "block", "coat", **{part: own})
    assert scope(blocked, **{part: own}).blocked == {1: "block:1"}
    assert not scope(blocked, **{part: "another"}).blocked
    if part != "placement":
        assert not scope(blocked).blocked


def test_rules_begin_and_end_by_themselves() -> None:
    early, late = rule(1, "block", "coat"), rule(2, "block", "hat", since=NOW + HOUR / 2)
    rules = ShopRules((early, late))
    assert rules.in_force(NOW) == (early,) and rules.next_change(NOW) == NOW + HOUR / 2
    assert rules.in_force(NOW + HOUR / 2) == (early, late)
    assert rules.in_force(NOW + HOUR) == () and rules.next_change(NOW + HOUR) > NOW + 999 * HOUR


def test_worked_examples() -> None:
    tried = doctest.testmod(module)
    assert tried.failed == 0 and tried.attempted > 0
