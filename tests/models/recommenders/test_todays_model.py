"""A model of some days ago names what customers may be shown today, and no more is computed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.recommender import NONE, ItemIds, Recommendations, Recommender, UserIds
from models.recommenders.also_bought import AlsoBought
from models.recommenders.capabilities import recommend_sessions
from models.recommenders.popularity import Popularity
from models.recommenders.todays_model import TodaysModel
from tests.models.conftest import arrays, tastes

K = 5
TRAIN, ITEMS = arrays(*tastes())
EVERYONE = np.append(TRAIN.users, "nobody")
MODELS: list[Recommender] = [AlsoBought().fit(TRAIN, ITEMS), Popularity().fit(TRAIN, ITEMS)]


@dataclass(frozen=True)
class Asked:
    """A model that remembers for how many users and places it was asked."""

    model: Recommender
    times: list[tuple[int, int]] = field(default_factory=list)

    @property
    def items(self) -> ItemIds:
        """Return those of the model."""
        return self.model.items

    @property
    def recommendable(self) -> np.ndarray:
        """Return those of the model."""
        return self.model.recommendable

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """Answer as the model does."""
        self.times.append((len(users), k))
        return self.model.recommend(users, k, exclude_seen=exclude_seen)


def slow(
    model: Recommender, items: ItemIds, shown: np.ndarray, seen: object, k: int, **asked: bool
) -> list:
    """Ask for everything, and leave out item by item."""
    allowed = set(items[shown].tolist())
    whole = model.recommend(EVERYONE, len(model.items), **asked)
    lists = []
    for row in range(len(EVERYONE)):
        taken = set() if seen is None else set(items[seen[row].indices].tolist())
        lists.append([name for name in whole.item_ids(row) if name in allowed - taken][:k])
    return lists


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("model", MODELS, ids=["also_bought", "popularity"])
@pytest.mark.parametrize("took", [False, True])
def test_the_lists_are_those_of_the_slow_way(model: Recommender, share: float, took: bool) -> None:
    random = np.random.default_rng(int(100 * share))
    items = np.sort(np.append(ITEMS.items[3:], ["a new one", "zzz"]))  # three are in no catalogue
    shown = random.random(len(items)) >= share
    marks = random.random((len(EVERYONE), len(items))) < 0.2
    seen = csr_matrix(marks) if took else None
    given = TodaysModel(model, items, shown).recommend(EVERYONE, K, seen=seen)
    assert np.array_equal(given.catalogue, items) and given.items.shape == (len(EVERYONE), K)
    lists = [given.item_ids(row) for row in range(len(EVERYONE))]
    assert lists == slow(model, items, shown, seen, K)
    assert np.array_equal(np.isneginf(given.scores), given.items == NONE)
    assert (np.diff(given.scores[given.items[:, -1] != NONE]) <= 0).all()
    left = model.only(np.isin(model.items, items[shown]))  # type: ignore[attr-defined]
    assert given.fallback.tolist() == left.recommend(EVERYONE, K).fallback.tolist()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("scores", [True, False], ids=["scores", "ranks only"])
@pytest.mark.parametrize("model", MODELS, ids=["also_bought", "popularity"])
def test_places_are_those_of_the_slow_way(model: Recommender, scores: bool, share: float) -> None:
    """Of a model that gives its scores, and of one that has to rank everything."""
    random = np.random.default_rng(int(100 * share))
    items = np.sort(np.append(ITEMS.items[3:], ["a new one", "zzz"]))
    shown = random.random(len(items)) >= share
    seen, wanted = (
        csr_matrix(random.random((len(EVERYONE), len(items))) < part) for part in (0.2, 0.3)
    )
    asked = Asked(model)
    todays = TodaysModel(model if scores else asked, items, shown)
    found, lengths = todays.places(EVERYONE, wanted, seen)
    assert bool(asked.times) != scores
    ranked = slow(model, items, shown, seen, len(items), exclude_seen=False)
    assert lengths.tolist() == [len(row) for row in ranked]
    names = [(user, items[item]) for user, item in zip(*wanted.nonzero(), strict=True)]
    places = [ranked[user].index(name) if name in ranked[user] else NONE for user, name in names]
    assert found.tolist() == places and len(places) > 100


@dataclass(frozen=True)
class Obliging(Asked):
    """One that can leave items out itself."""

    def only(self, shown: np.ndarray) -> Obliging:
        """Leave out as the model does; what it is asked is remembered in one place."""
        return Obliging(self.model.only(shown), self.times)  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", MODELS, ids=["also_bought", "popularity"])
def test_a_model_that_leaves_out_what_was_withdrawn_is_asked_once_for_k(model: Recommender) -> None:
    """Also at the end of a season, where what everybody had on top is withdrawn."""
    top = model.recommend(EVERYONE, 15).items
    shown = ~np.isin(np.arange(len(ITEMS.items)), top)
    asked, obliging = Asked(model), Obliging(model)
    slowly = TodaysModel(asked, ITEMS.items, shown).recommend(EVERYONE, K)
    answers = TodaysModel(obliging, ITEMS.items, shown).recommend(EVERYONE, K)
    assert obliging.times == [(len(EVERYONE), K)] and len(asked.times) > 1
    np.testing.assert_array_equal(answers.items, slowly.items)


@pytest.mark.parametrize("model", MODELS, ids=["also_bought", "popularity"])
def test_nothing_is_left_if_all_was_withdrawn(model: Recommender) -> None:
    nothing = np.zeros(len(ITEMS.items), dtype=np.bool_)
    answers = TodaysModel(model, ITEMS.items, nothing).recommend(EVERYONE, K)
    assert (answers.items == NONE).all()


def test_a_model_that_names_nothing_withdrawn_is_asked_once_for_k() -> None:
    model = Asked(MODELS[0])
    bare = ~ITEMS.recommendable
    TodaysModel(model, ITEMS.items, ~bare).recommend(EVERYONE, K)
    assert model.times == [(len(EVERYONE), K)], "hidden items that it never names cost nothing"


def test_only_short_rows_are_asked_for_again() -> None:
    model = Asked(MODELS[0])
    first = MODELS[0].recommend(EVERYONE[:1], 2 * K).item_ids(0)
    shown = ITEMS.recommendable & ~np.isin(ITEMS.items, first)
    given = TodaysModel(model, ITEMS.items, shown).recommend(EVERYONE, K)
    assert len(given.item_ids(0)) == K and not set(given.item_ids(0)) & set(first)
    (users, k), (again, more) = model.times[:2]
    assert (users, k) == (len(EVERYONE), 2 * K)
    assert 1 <= again < users / 2 and k < more <= K + len(first), "never for more than it may name"


def test_seen_items_come_back_when_asked_for() -> None:
    todays = TodaysModel(MODELS[0], ITEMS.items, ITEMS.recommendable)
    given = todays.recommend(EVERYONE, 40, exclude_seen=False)
    assert len(given.item_ids(0)) == 38


def test_nobody_and_nothing() -> None:
    todays = TodaysModel(MODELS[0], ITEMS.items[:0], ITEMS.recommendable[:0])
    assert (todays.recommend(EVERYONE, K).items == NONE).all()
    assert todays.recommend(EVERYONE[:0], K).items.shape == (0, K)


def test_sessions_are_answered_with_what_is_shown_today() -> None:
    """As by asking for everything, and leaving out what was withdrawn."""
    train, items = arrays(*tastes())
    model = AlsoBought().fit(train, items)
    shown = items.recommendable & (np.arange(len(items.items)) % 3 == 0)
    names = (["item001", "item004"], ["never heard of"], ["item030"])
    sessions = [np.array(visit) for visit in names]
    given = TodaysModel(model, items.items, shown).recommend_sessions(sessions, 6)
    everything = recommend_sessions(model, sessions, len(items.items))
    allowed = set(items.items[shown])
    for row in range(3):
        kept = [name for name in everything.item_ids(row) if name in allowed]
        assert given.item_ids(row) == kept[:6]
