"""Who is answered by what: of all kinds of models, for all kinds of questions, rules and stocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from infra.errors import InputError
from infra.records.serving import Override
from infra.storage import Storage
from models.candidates import candidate_named, make
from models.merchandising.shop_rules import NO_RULES, ShopRules
from models.recommenders.todays_model import TodaysModel
from models.serving.answering import answer
from models.serving.engine.frames import Frames
from models.serving.engine.scorer import Scorer
from models.serving.question import SOURCES, Answer, Question, Reason
from models.serving.version import Version
from tests.models.conftest import AS_OF, arrays, tastes
from tests.models.serving.bundles import MARKETS, write_bundle

NOW = AS_OF
MODELS = ("also_bought", "lightfm_hybrid", "again", "popularity")
USERS = [f"user{number:03d}" for number in range(60)]
ITEMS = [f"item{number:03d}" for number in range(40)]
SLOW = "slow"
HIDDEN = {"item038", "item039"}  # out of stock, without picture
NO_PICTURE = "item039"

_OPENED: dict[str, Version] = {}


@pytest.fixture(params=[*MODELS, SLOW])
def version(request: pytest.FixtureRequest, shop: Storage, tmp_path: Path) -> Version:
    """Return a bundle of each kind of model, written and opened once for all tests."""
    return opened(request.param, shop, tmp_path)


@pytest.fixture(params=MODELS)
def quick(request: pytest.FixtureRequest, shop: Storage, tmp_path: Path) -> Version:
    """Return those that answer at once."""
    return opened(request.param, shop, tmp_path)


@pytest.fixture
def slow(shop: Storage, tmp_path: Path) -> Version:
    """Return the one whose model answers nothing at once."""
    return opened(SLOW, shop, tmp_path)


@pytest.fixture
def liked(shop: Storage, tmp_path: Path) -> Version:
    """Return the bundle of a model that knows which items are alike, and why."""
    return opened("also_bought", shop, tmp_path)


def opened(name: str, shop: Storage, folder: Path) -> Version:
    if name not in _OPENED:
        candidate = candidate_named("also_bought" if name == SLOW else name)
        pairs, catalogue = tastes()
        train, items = arrays(pairs, catalogue)
        model = make(candidate, shop.settings).fit(train, items)
        version = Version.open(write_bundle(folder / name, model, candidate, train, catalogue))
        _OPENED[name] = _slow(version) if name == SLOW else version
    return _OPENED[name]


ASKED = ("items", "recommendable", "recommend", "recommend_sessions", "similar_items", "save")


def _slow(version: Version) -> Version:
    """Let a version ask its model what any model can, and nothing at once."""
    model = SimpleNamespace(**{name: getattr(version.scorer.model, name) for name in ASKED})
    scorer = Scorer(model, version.items.ids)
    frames = Frames(version.assortment, scorer, version.bestsellers)
    return replace(version, scorer=scorer, frames=frames)


def ask(version: Version, placement: str = "home", **asked: Any) -> Answer:
    return answer(version, asked.pop("rules", NO_RULES), Question(placement, **asked), NOW)


def rule(number: int, action: str, *items: str, place: int | None = None, **scope: Any) -> Override:
    times = {"at": NOW, "since": NOW - timedelta(1), "until": NOW + timedelta(1)}
    said = {"number": number, "by": "ada", "action": action, "item_ids": items, "reason": "sale"}
    return Override.model_validate({**said, **times, "place": place, **scope})


def left_out(version: Version, user: str, placement: str) -> set[str]:
    rule = version.placements.placements[placement].rule
    history = version.histories.of(user)
    return set(version.items.ids[history.left_out(rule, version.as_of)].tolist())


def test_home_is_the_ready_list_also_with_a_session(version: Version) -> None:
    for user in USERS:
        ready, scores = version.lists.of(version.lists.row(user), version.placements.home.rule)
        for session in ((), ("item001",)):
            given = ask(version, user_key=user, session_items=session)
            assert given.item_ids == version.items.ids[ready].tolist()
            assert given.scores == scores and not given.applied_rules
        assert ask(version, user_key=user, k=3).item_ids == given.item_ids[:3]
    assert len(given.item_ids) == 10


def test_beyond_the_ready_list_the_model_goes_on_and_then_what_sells(version: Version) -> None:
    for user in USERS[:10]:
        short, long = (ask(version, user_key=user, k=k) for k in (10, 40))
        assert long.item_ids[:10] == short.item_ids
        assert set(long.item_ids) == set(ITEMS) - HIDDEN - left_out(version, user, "home")
        order = [SOURCES.index(source) for source in long.sources]
        assert order == sorted(order)
    assert len(long.item_ids) > 30


def test_what_the_model_answers_now_is_its_list_within_the_scope(liked: Version) -> None:
    model, shoes = liked.scorer.model, liked.items.categories == "shoes"
    todays = TodaysModel(model, liked.items.ids, liked.items.recommendable & shoes)
    for user in USERS[:20]:
        seen = todays.marks([left_out(liked, user, "catalogue")])
        slow = todays.recommend(np.array([user]), 10, exclude_seen=False, seen=seen)
        given = ask(liked, "catalogue", user_key=user, category="shoes")
        own = int(slow.own[0].sum())
        assert given.item_ids[:own] == slow.item_ids(0)[:own] and len(given.item_ids) == 10
        assert given.sources == ["personal"] * own + ["bestseller"] * (10 - own)
    assert len(given.item_ids) == 10


def test_the_user_counts_before_the_visitor_and_nobody_is_a_stranger(version: Version) -> None:
    expected = ask(version, user_key=USERS[0])
    assert ask(version, user_key=USERS[0], visitor_key=USERS[1]) == expected
    assert ask(version, user_key="new", visitor_key=USERS[0]) == expected
    stranger = ask(version, user_key="new", visitor_key="also new")
    best = version.items.ids[version.bestsellers[:10]].tolist()
    assert stranger.item_ids == best and set(stranger.sources) == {"bestseller"}
    assert ask(version) == stranger


def test_a_stranger_with_a_session(liked: Version) -> None:
    given = ask(liked, session_items=("item001", "item004", "never heard of"))
    assert given.sources == ["session"] * 10 and not {"item001", "item004"} & set(given.item_ids)
    assert np.mean([name < "item020" for name in given.item_ids]) > 0.6
    assert ask(liked, item_ids=("item001", "item004")).item_ids == given.item_ids
    longest = ask(liked, session_items=("item001", "item004"), k=40)
    assert set(longest.item_ids) == set(ITEMS) - HIDDEN - {"item001", "item004"}
    assert set(ask(liked, session_items=("never heard of",)).sources) == {"bestseller"}


def test_a_product_page_and_a_cart(version: Version) -> None:
    page = ask(version, "product_page", item_ids=("item002", "item030"))
    assert "item002" not in page.item_ids and len(page.item_ids) == 10
    cart = ask(version, "cart", item_ids=("item002", "item003"))
    assert not {"item002", "item003"} & set(cart.item_ids) and len(cart.item_ids) == 10
    if hasattr(version.scorer.model, "similar_items"):
        assert page.sources[0] == "similar" and cart.sources[0] == "session"
    assert ask(version, "product_page").item_ids == ask(version).item_ids


def test_a_page_of_the_same_brand_never_leaves_it(version: Version) -> None:
    given = ask(version, "same_brand", item_ids=("item002",))
    brands = dict(zip(version.items.ids, version.items.brands, strict=True))
    assert given.item_ids and {brands[name] for name in given.item_ids} == {brands["item002"]}
    assert set(given.item_ids) == {
        name for name in ITEMS if brands[name] == brands["item002"]
    } - HIDDEN - {"item002"}


def test_what_was_bought_again_and_what_was_only_looked_at(version: Version) -> None:
    for user in USERS[:10]:
        history = version.histories.of(user)
        ids = version.items.ids[history.items]
        bought = [str(name) for name, at in zip(ids, history.bought_at, strict=True) if at > 0]
        shown = [name for name in bought if name not in HIDDEN]
        again = ask(version, "again", user_key=user, k=20)
        assert again.item_ids[: len(shown)] == shown
        assert [source == "again" for source in again.sources[: len(shown) + 1]] == [
            *[True] * len(shown),
            False,
        ]
        looked = ask(version, "retargeting", user_key=user, k=20)
        expected = [str(name) for name in ids if name not in bought and name not in HIDDEN]
        assert looked.item_ids[: len(expected)] == expected
        assert not set(looked.item_ids) & left_out(version, user, "retargeting")
    assert set(ask(version, "again", user_key="new").sources) == {"bestseller"}


def test_reasons_name_what_was_bought_and_what_was_looked_at(liked: Version) -> None:
    given = ask(liked, user_key="user003", explain=True)
    assert given.reasons is not None and len(given.reasons) == 10
    history = liked.histories.of("user003")
    had = {
        str(liked.items.ids[item]): at > 0
        for item, at in zip(history.items, history.bought_at, strict=True)
    }
    assert {reason.event for reason in given.reasons} == {"bought", "looked at"}
    for reason in given.reasons:
        assert reason.event == ("bought" if had[reason.item_id] else "looked at")
        assert reason.words == f"because you {reason.event} {reason.item_id.title()}"
    assert ask(liked, explain=True).reasons == [Reason()] * 10
    assert ask(liked).reasons is None


def test_reasons_of_sessions_pages_and_own_items(liked: Version) -> None:
    session = ask(liked, session_items=("item001",), explain=True).reasons
    assert session == [Reason("because you looked at Item001", "item001", "looked at")] * 10
    page = ask(liked, "product_page", item_ids=("item001",), explain=True, k=2).reasons
    assert page == session[:2]
    again = ask(liked, "again", user_key="user003", explain=True, k=1)
    name = again.item_ids[0]
    assert again.reasons == [Reason(f"because you bought {name.title()}", name, "bought")]
    looked = ask(liked, "retargeting", user_key="user003", explain=True, k=1)
    name = looked.item_ids[0]
    assert looked.reasons == [Reason(f"because you looked at {name.title()}", name, "looked at")]


def test_an_override_and_the_stock_count_at_once_and_end_by_themselves(version: Version) -> None:
    before = ask(version, user_key=USERS[0])
    first, second, _, _, fifth = before.item_ids[:5]
    rules = ShopRules((rule(3, "block", first), rule(4, "pin", fifth, place=2)), {second: False})
    given = ask(version, user_key=USERS[0], rules=rules)
    assert not {first, second} & set(given.item_ids) and given.item_ids[1] == fifth
    assert given.sources[1] == "pinned" and len(given.item_ids) == 10
    assert given.applied_rules == ["block:3", "pin:4", "stock"]
    over = answer(version, rules, Question("home", user_key=USERS[0]), NOW + timedelta(2))
    assert over.applied_rules == ["stock"] and first in over.item_ids
    assert ask(version, user_key=USERS[0]) == before


def test_what_is_in_stock_again_is_shown_if_it_has_a_picture(liked: Version) -> None:
    rules = ShopRules(in_stock={"item038": True, NO_PICTURE: True})
    pins = (rule(1, "pin", "item038", NO_PICTURE, place=1),)
    given = ask(liked, user_key=USERS[0], rules=replace(rules, overrides=pins))
    assert given.item_ids[0] == "item038" and NO_PICTURE not in given.item_ids
    assert "item038" not in ask(liked, user_key=USERS[0], rules=ShopRules(pins)).item_ids


def test_a_boost_reaches_beyond_the_ready_list(liked: Version) -> None:
    far = ask(liked, user_key=USERS[0], k=20).item_ids[15]
    given = ask(liked, user_key=USERS[0], rules=ShopRules((rule(1, "boost", far),)))
    assert given.item_ids[0] == far and given.applied_rules == ["boost:1"]
    assert given.item_ids[1:] == ask(liked, user_key=USERS[0]).item_ids[:9]


def test_questions_that_cannot_be_answered(liked: Version) -> None:
    with pytest.raises(InputError, match="no placement"):
        ask(liked, "never heard of")
    with pytest.raises(InputError, match="needs a category"):
        ask(liked, "catalogue")


def test_a_long_id_is_a_stranger_and_costs_no_copy_of_all_others(version: Version) -> None:
    given = ask(version, user_key="x" * 10_000, item_ids=("y" * 10_000,), exclude=("z" * 500,))
    assert given.item_ids == ask(version).item_ids


ids = some.sampled_from([*ITEMS, "never heard of"])
questions = some.builds(
    Question,
    placement=some.sampled_from(
        ["home", "product_page", "same_brand", "cart", "again", "retargeting", "catalogue"]
    ),
    user_key=some.sampled_from(["", "new", *USERS[:4]]),
    visitor_key=some.sampled_from(["", USERS[7]]),
    item_ids=some.lists(ids, max_size=4).map(tuple),
    session_items=some.lists(ids, max_size=3).map(tuple),
    market=some.sampled_from(["", *MARKETS, "FR"]),
    category=some.sampled_from(["coats", "shoes", "never heard of"]),
    k=some.integers(0, 45),
    exclude=some.lists(ids, max_size=5).map(tuple),
    explain=some.booleans(),
)
overrides = some.builds(
    lambda action, items, place, placement, category: rule(
        1,
        action,
        *items,
        place=place if action == "pin" else None,
        placement=placement,
        category=category,
    ),
    action=some.sampled_from(["pin", "boost", "block"]),
    items=some.lists(ids, min_size=1, max_size=5, unique=True),
    place=some.integers(1, 12),
    placement=some.sampled_from(["", "home", "cart"]),
    category=some.sampled_from(["", "coats"]),
)
shop_rules = some.builds(
    ShopRules,
    some.lists(overrides, max_size=4).map(tuple),
    some.dictionaries(ids, some.booleans(), max_size=12),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(questions, shop_rules)
def test_no_answer_ever_breaks_a_rule(quick: Version, question: Question, rules: ShopRules) -> None:
    require_sound(quick, question, rules)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(questions, shop_rules)
def test_nor_does_that_of_a_model_that_answers_nothing_at_once(
    slow: Version, question: Question, rules: ShopRules
) -> None:
    require_sound(slow, question, rules)


def require_sound(version: Version, question: Question, rules: ShopRules) -> None:
    given = answer(version, rules, question, NOW)
    again = answer(version, rules, question, NOW)
    assert again == given
    k = question.k or 10
    items = given.item_ids
    assert len(items) == len(given.scores) == len(given.sources) <= k
    assert len(set(items)) == len(items) and set(given.sources) <= set(SOURCES)
    may_be = allowed(version, question, rules)
    assert set(items) <= may_be
    if question.placement != "same_brand":  # the others are filled while there is anything left
        user = question.user_key if question.user_key in USERS else question.visitor_key
        out = left_out(version, user, question.placement) if user in USERS else set()
        back = {name for name, is_in in rules.in_stock.items() if is_in} & HIDDEN
        assert len(items) >= min(k, len(may_be - out - back))
    assert question.explain == (given.reasons is not None)
    assert given.reasons is None or len(given.reasons) == len(items)


def allowed(version: Version, question: Question, rules: ShopRules) -> set[str]:
    """Return what an answer may hold, item by item."""
    blocked = {
        name
        for override in rules.overrides
        if override.action == "block"
        and override.concerns(question.placement, question.market, question.category)
        for name in override.item_ids
    }
    stranger = question.user_key not in USERS and not question.visitor_key
    of_items = question.placement in {"product_page", "same_brand", "cart"}
    about = set(question.item_ids) if of_items else set()
    if stranger and not of_items:
        about = (set(question.session_items) & set(ITEMS)) or set(question.item_ids)
    found = set()
    rows = zip(
        version.items.ids.tolist(),
        version.items.categories.tolist(),
        version.items.markets.tolist(),
        version.items.recommendable.tolist(),
        strict=True,
    )
    for name, category, markets, shown in rows:
        in_stock = rules.in_stock.get(name, shown)
        in_scope = category == question.category and (
            not question.market or not markets or question.market in markets.split(",")
        )
        hidden = name in blocked or name in question.exclude or name in about
        if in_stock and in_scope and not hidden and name != NO_PICTURE:
            found.add(name)
    return found
