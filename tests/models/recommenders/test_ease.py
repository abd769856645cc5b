"""EASE against the slow way it comes from, and what bounds it."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from models.recommenders import ease
from models.recommenders.ease import Ease, gram, inverted, strongest
from tests.models.conftest import arrays, interaction, item, tastes

ALL = np.ones(9, dtype=np.bool_)


def some_weights(seed: int) -> csr_matrix:
    weights = random_array((14, 9), density=0.4, rng=np.random.default_rng(seed), format="csr")
    return csr_matrix(weights, dtype=np.float32)


def slow(weights: np.ndarray, place: int, regularisation: float) -> np.ndarray:
    """Regress one item on all others, as the paper states the problem."""
    others = np.delete(weights, place, axis=1)
    normal = others.T @ others + regularisation * np.eye(others.shape[1])
    return np.insert(np.linalg.solve(normal, others.T @ weights[:, place]), place, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_a_ridge_regression_of_each_item_on_the_others(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ease, "BLOCK", 4)
    weights, regularisation = some_weights(seed), 0.5 + seed
    found = strongest(inverted(gram(weights), regularisation), ALL, 9).toarray()
    dense = weights.toarray().astype(np.float64)
    expected = np.stack([slow(dense, place, regularisation) for place in range(9)], axis=1)
    assert (expected < 0).any(), "some items speak against others"
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_the_strongest_of_both_signs_are_kept_of_what_may_be_shown() -> None:
    inverse = inverted(gram(some_weights(1)), 0.5)
    shown = np.arange(9) % 4 != 3
    every = strongest(inverse, ALL, 9).toarray()
    few = strongest(inverse, shown, 3).toarray()
    for row in range(9):
        there = np.abs(np.where(shown, every[row], 0))
        expected = set(np.argsort(-there)[:3].tolist())
        assert set(np.flatnonzero(few[row]).tolist()) == expected
        np.testing.assert_array_equal(few[row][list(expected)], every[row][list(expected)])


def test_one_taste_is_not_shown_to_the_other() -> None:
    train, items = arrays(*tastes())
    given = Ease(regularisation=5.0).fit(train, items).recommend(train.users, 8)
    assert given.own[:, :6].all()
    halves = (given.items[:, :6] >= 20) == (np.arange(60) % 2 == 1)[:, None]
    assert halves.all(), "even users like the first half"


def test_what_does_not_fit_into_memory_is_left_to_what_sells() -> None:
    pairs = [interaction(*pair) for pair in ["ax", "ay", "bx", "by", "cx", "cz", "dz", "dy"]]
    train, items = arrays(pairs, [item(name) for name in "xyz"])
    few = Ease(regularisation=0.1, most_items=2).fit(train, items)
    rows, columns = few.similar.nonzero()
    assert set(rows.tolist()) == set(columns.tolist()) == {0, 1}, "z has the fewest users"
    assert few.recommend(np.array(["a"]), 1).item_ids(0) == ["z"], "what sells fills the place"
    recipe = Ease(memory_mb=64)
    assert recipe._amount(10**6) == 2896 and 8 * 2896**2 <= 64 * 2**20


def test_worked_examples() -> None:
    tried = doctest.testmod(ease)
    assert tried.failed == 0 and tried.attempted > 0
