"""Training stops when the watched day gets no better, and the day is learnt in the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.recommender import Interactions
from models.recommenders.early_stopping import train_until_worse, watch
from models.recommenders.lightfm_hybrid import LightFMHybrid
from tests.models.conftest import arrays, tastes

PAIRS, ITEMS = arrays(*tastes(users=120))


def with_late_pairs(late: int) -> Interactions:
    """Let the first `late` users take their first item on the last day."""
    times = np.full(PAIRS.weights.nnz, np.datetime64("2026-11-01T00:00:00", "us"))
    times[PAIRS.weights.indptr[:late]] += np.timedelta64(60, "h")
    return replace(PAIRS, last_times=times)


def test_the_last_day_is_kept_back() -> None:
    train = with_late_pairs(70)
    watched = watch(train)
    assert watched is not None and watched.users.tolist() == list(range(70))
    assert watched.wanted.nnz == 70 and watched.weights.nnz == train.weights.nnz - 70
    assert (watched.weights[watched.users].multiply(watched.wanted)).nnz == 0
    for user in range(70):
        assert watched.wanted[user].indices[0] == train.weights[user].indices[0]


def test_too_few_to_watch() -> None:
    assert watch(with_late_pairs(49)) is None
    assert watch(with_late_pairs(0)) is None, "all at one time: nobody has an older pair"


def test_a_perfect_ranking_is_watched_as_one() -> None:
    watched = watch(with_late_pairs(60))
    assert watched is not None
    ideal = np.zeros((120, 40), dtype=np.float32)
    ideal[watched.users] = watched.wanted.toarray()
    everything = np.ones(40, dtype=bool)
    assert watched.ndcg(ideal, np.eye(40, dtype=np.float32), everything) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("qualities", "patience", "trained", "best"),
    [
        ([1, 2, 3, 2, 2, 9], 2, 5, 3),
        ([1, 2, 3, 2, 4, 1], 2, 6, 5),
        ([3, 1, 9, 9, 9, 9], 1, 2, 1),
        ([1, 2, 3, 4, 5, 6], 1, 6, 6),
    ],
)
def test_stops_after_patience_and_returns_the_best(
    qualities: list[int], patience: int, trained: int, best: int
) -> None:
    model: list[int] = []

    def epoch(model: Any) -> None:
        model.append(qualities[len(model)])

    found, curve = train_until_worse(model, epoch, lambda model: model[-1], 6, patience)
    assert (len(model), curve, len(found)) == (trained, qualities[:trained], best)


def test_lightfm_stops_early_and_still_learns_the_last_day() -> None:
    train = with_late_pairs(70)
    short = LightFMHybrid(epochs=300, patience=2).fit(train, ITEMS)
    whole = LightFMHybrid(epochs=30).fit(train, ITEMS)
    curve = short.learning().curve
    assert short.settled["epochs"] == np.argmax(curve) + 2 <= len(curve)
    assert whole.learning().curve == ()
    asked = train.users[::5]
    early, late = (model.recommend(asked, 10, exclude_seen=False) for model in (short, whole))
    shared = [len(set(early.item_ids(row)) & set(late.item_ids(row))) for row in range(len(asked))]
    assert np.mean(shared) > 4
    again = LightFMHybrid(epochs=300, patience=2).fit(train, ITEMS).recommend(asked, 10)
    assert np.array_equal(again.items, short.recommend(asked, 10).items)
