"""One row at once is what the slow way answers, of every candidate that can do both."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from models import ties
from models.candidates import Candidate
from models.recommender import NONE, Recommender
from models.recommenders import one_row
from models.recommenders.capabilities import recommend_sessions, similar_items
from models.recommenders.one_row import (
    AnswersItemsAtOnce,
    AnswersUserAtOnce,
    Row,
    best_of_all,
    one_hash,
)
from models.recommenders.todays_model import TodaysModel
from models.recommenders.top_k import top_k_of
from models.ties import Ties, hashes
from tests.models.conftest import arrays, everyone, tastes

TRAIN, _ = arrays(*tastes())
ALIKE_TO_NOTHING = {"again", "popularity"}


def allowed_items(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(len(TRAIN.items)) < 0.7


def same(row: Row | None, items: np.ndarray, scores: np.ndarray) -> None:
    assert row is not None and row.items.tolist() == items.tolist()
    np.testing.assert_allclose(row.scores, scores, rtol=1e-5, atol=1e-6)


@everyone
@pytest.mark.parametrize("k", [1, 5, 40])
def test_a_user_gets_her_own_places(fitted: Recommender, candidate: Candidate, k: int) -> None:
    assert isinstance(fitted, AnswersUserAtOnce)
    for number, user in enumerate(TRAIN.users[:20]):
        allowed = allowed_items(number) & fitted.recommendable
        slow = TodaysModel(fitted, fitted.items, allowed)
        answers = slow.recommend(np.array([user]), k, exclude_seen=False)
        own = answers.own[0] if candidate.name != "popularity" else np.zeros(k, dtype=np.bool_)
        same(
            fitted.row_of_user(str(user), k, allowed), answers.items[0][own], answers.scores[0][own]
        )
        shown = answers.items[0] != NONE
        expected = answers.own[0][shown].sum() if candidate.name != "popularity" else 0
        assert fitted.own_places(str(user), answers.scores[0][shown].tolist()) == expected
    assert fitted.row_of_user("nobody", k, allowed) is None


@everyone
def test_items_like_an_item_and_like_a_session(fitted: Recommender, candidate: Candidate) -> None:
    assert isinstance(fitted, AnswersItemsAtOnce) != (candidate.name in ALIKE_TO_NOTHING)
    if not isinstance(fitted, AnswersItemsAtOnce):
        return
    random = np.random.default_rng(1)
    for size in (1, 1, 2, 3, 7):
        places = random.choice(len(TRAIN.items), size, replace=False)
        allowed = allowed_items(size) & fitted.recommendable
        allowed[places] = False
        model = fitted.only(allowed)
        names = fitted.items[places]
        slow = (
            similar_items(model, names, 6) if size == 1 else recommend_sessions(model, [names], 6)
        )
        own = slow.own[0]
        same(fitted.row_of_items(places, 6, allowed), slow.items[0][own], slow.scores[0][own])


@settings(max_examples=200, deadline=None)
@given(some.integers(0, 2**32 - 1), some.integers(1, 400), some.integers(1, 120))
def test_the_best_of_all_is_what_top_k_finds(seed: int, width: int, k: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 9, width).astype(np.float32)  # many ties
    scores[random.random(width) < 0.3] = -np.inf
    ids = np.array([f"i{number}" for number in range(width)])
    of_items, of_user = hashes(ids), hashes(np.array(["u"]))
    items, best = top_k_of(
        lambda rows: scores[None].copy(),
        1,
        k,
        np.ones(width, dtype=np.bool_),
        ties=Ties(of_user, of_items),
    )
    found = best_of_all(scores, k, one_hash("u"), of_items)
    shown = items[0] != NONE
    same(found, items[0][shown], best[0][shown])


@pytest.mark.parametrize("module", [one_row, ties])
def test_worked_examples(module: object) -> None:
    tried = doctest.testmod(module)
    assert tried.failed == 0 and tried.attempted > 0
