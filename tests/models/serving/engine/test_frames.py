"""What is kept between questions, and when it is made anew."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import numpy as np

from models.merchandising.assortment import Assortment
from models.merchandising.shop_rules import NO_RULES, ShopRules
from models.serving.engine.frames import MOST, Frames
from models.serving.engine.scorer import Scorer
from tests.models.conftest import AS_OF

IDS = np.array(["a", "b", "c"])
ALL = np.ones(3, dtype=np.bool_)
NOWHERE = np.full(3, "")


def frames() -> Frames:
    model = SimpleNamespace(items=IDS, recommendable=ALL)
    items = Assortment(IDS, ALL, ALL, NOWHERE, NOWHERE)
    return Frames(items, Scorer(model, IDS), np.array([2, 0, 1], dtype=np.int32))


def test_a_frame_is_kept_as_long_as_the_rules_are_the_same() -> None:
    kept = frames()
    first = kept.of(NO_RULES, AS_OF, "home", "", "")
    assert kept.of(NO_RULES, AS_OF + timedelta(9), "home", "", "") is first
    assert kept.of(NO_RULES, AS_OF, "home", "AT", "") is not first
    other = ShopRules(in_stock={"a": False})
    assert kept.of(other, AS_OF, "home", "", "").scope.sold_out == {0}
    assert not kept.of(NO_RULES, AS_OF, "home", "", "").scope.sold_out


def test_names_that_questions_make_up_do_not_fill_the_memory() -> None:
    kept = frames()
    first = kept.of(NO_RULES, AS_OF, "home", "", "")
    others = [kept.of(NO_RULES, AS_OF, "home", f"m{number}", "") for number in range(2 * MOST)]
    made = kept._made
    assert made is not None and len(made.frames) <= MOST < len(others)
    assert kept.of(NO_RULES, AS_OF, "home", "", "") is not first


def test_the_stock_is_looked_up_once_and_before_it_counts() -> None:
    kept = frames()
    now, then = ShopRules(in_stock={"a": False}), ShopRules(in_stock={"b": False})
    old = kept.of(now, AS_OF, "home", "", "").scope.sold_out
    kept.prepare(then)
    assert kept.of(now, AS_OF, "home", "", "").scope.sold_out is old
    assert kept._stocks[0][1].sold_out is kept.of(then, AS_OF, "home", "", "").scope.sold_out == {1}


def test_bestsellers_of_a_scope_come_in_their_order() -> None:
    frame = frames().of(NO_RULES, AS_OF, "home", "", "")
    assert [item for part in frame.bestsellers for item in part] == [2, 0, 1]
    narrow = frame.only(np.array([True, False, True]))
    assert [item for part in narrow.bestsellers for item in part] == [2, 0]
