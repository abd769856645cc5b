"""New items are placed by their attributes: planted tastes, and the mapping against a slow one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.candidates import candidate_named
from models.metrics.ranking import K, marked, ndcg
from models.recommender import Interactions, ItemFeatures, Matrix
from models.recommenders.factors import Factors
from models.recommenders.lightfm_hybrid import LightFMHybrid
from models.recommenders.new_items import RIDGE, by_attributes
from models.recommenders.top_k import top_k

USERS, ITEMS, CATEGORIES, NEW, EACH = 800, 400, 8, 40, 10
PARAMETERS = candidate_named("lightfm_hybrid").parameters


@dataclass(frozen=True)
class Planted:
    """Customers who take items of one category alone; some items nobody took yet."""

    train: Interactions
    items: ItemFeatures
    wanted: Matrix
    new: NDArray[np.bool_]
    own: NDArray[np.bool_]  # user x item: of the user's category


def planted(seed: int = 5) -> Planted:
    random = np.random.default_rng(seed)
    category, brand = random.integers(CATEGORIES, size=ITEMS), random.integers(12, size=ITEMS)
    new = np.isin(np.arange(ITEMS), random.choice(ITEMS, NEW, replace=False))
    popularity = (1.0 + random.permutation(ITEMS)) ** -0.7
    taste = random.integers(CATEGORIES, size=USERS)
    own = category == taste[:, None]
    chances = popularity * own * ~new
    taken = np.stack(
        [random.choice(ITEMS, EACH, replace=False, p=row / row.sum()) for row in chances]
    )
    rows = np.repeat(np.arange(USERS), EACH - 2)
    pairs = (rows, taken[:, 2:].ravel())
    weights = csr_matrix((np.ones(len(rows), np.float32), pairs), shape=(USERS, ITEMS))
    weights.sort_indices()
    later = (np.repeat(np.arange(USERS), 2), taken[:, :2].ravel())
    marks = np.tile(np.arange(ITEMS), 2), np.concatenate([category, CATEGORIES + brand])
    shown = np.ones(ITEMS, dtype=np.bool_)
    names = np.array([f"item{number:03d}" for number in range(ITEMS)])
    start = np.datetime64("2026-11-01", "us")
    days = random.integers(20, size=weights.nnz).astype("timedelta64[D]")
    return Planted(
        Interactions(
            np.array([f"user{number:03d}" for number in range(USERS)]), names, weights, start + days
        ),
        ItemFeatures(
            items=names,
            names=tuple(f"category={number}" for number in range(CATEGORIES))
            + tuple(f"brand={number}" for number in range(12)),
            matrix=csr_matrix((np.ones(2 * ITEMS, np.float32), marks), dtype=np.float32),
            has_picture=shown,
            in_stock=shown,
        ),
        csr_matrix((np.ones(2 * USERS, dtype=bool), later), shape=(USERS, ITEMS)),
        new,
        own,
    )


def fitted(shop: Planted, own_pairs: float) -> Factors:
    recipe = LightFMHybrid.model_validate({**PARAMETERS, "own_pairs": own_pairs, "epochs": 20})
    return recipe.fit(shop.train, shop.items)


def places(model: Factors) -> NDArray[np.float64]:
    """Return where each item is in each user's ranking of all items: 0 the best, 1 the last."""
    scores = model.user_vectors @ model.item_vectors.T
    return np.asarray((-scores).argsort(axis=1).argsort(axis=1) / (scores.shape[1] - 1))


def quality(model: Factors, shop: Planted) -> float:
    lists, _ = top_k(
        model.user_vectors, model.item_vectors, K, shop.items.recommendable, shop.train.weights
    )
    return float(ndcg(marked(shop.wanted, lists), np.diff(shop.wanted.indptr)).mean())


@pytest.fixture(scope="module")
def shop() -> Planted:
    return planted()


def test_new_items_of_a_customers_own_category_come_before_what_she_does_not_want(
    shop: Planted,
) -> None:
    """Without the mapping they come after it, however much the categories tell."""
    before, model = fitted(shop, 0), fitted(shop, float(str(PARAMETERS["own_pairs"])))
    new, own = shop.new, shop.own
    assert places(before)[:, new][own[:, new]].mean() > 0.5
    after = places(model)
    unwanted = after[:, ~new][~own[:, ~new]].mean()
    assert after[:, new][own[:, new]].mean() <= 0.3 < unwanted
    assert after[:, new][~own[:, new]].mean() > 0.3, "and only those"
    assert quality(model, shop) >= 0.98 * quality(before, shop)


def slow(vectors: Matrix, pairs: Matrix, attributes: Matrix, own_pairs: float) -> Matrix:
    """Solve the normal equations with dense arrays, an item and an output at a time."""
    dense = attributes.toarray().astype(np.float64)
    learnt = [item for item in range(len(pairs)) if pairs[item] > 0 and dense[item].any()]
    weights = {item: pairs[item] / np.mean(pairs[learnt]) for item in learnt}
    mean = sum(weights[item] * vectors[item] for item in learnt) / sum(weights.values())
    left = sum(weights[item] * np.outer(dense[item], dense[item]) for item in learnt)
    right = sum(weights[item] * np.outer(dense[item], vectors[item] - mean) for item in learnt)
    parts = np.linalg.solve(left + RIDGE * np.eye(dense.shape[1]), right)
    answer = vectors.copy()
    for item in range(len(pairs)):
        if dense[item].any():
            told = mean + dense[item] @ parts
            answer[item] = (pairs[item] * vectors[item] + own_pairs * told) / (
                pairs[item] + own_pairs
            )
    return answer


@pytest.mark.parametrize("own_pairs", [0.5, 4, 100])
def test_the_same_vectors_as_by_the_normal_equations(own_pairs: float) -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(50, 7)).astype(np.float32)
    pairs = random.poisson(3, size=50)
    attributes = csr_matrix((random.random((50, 9)) < 0.2).astype(np.float32))
    mixed = by_attributes(vectors, pairs, attributes, own_pairs)
    assert mixed.dtype == np.float32
    expected = slow(vectors.astype(np.float64), pairs, attributes, own_pairs)
    np.testing.assert_allclose(mixed, expected, atol=1e-4)


def test_an_item_without_attributes_keeps_its_vector() -> None:
    vectors = np.random.default_rng(2).normal(size=(6, 3)).astype(np.float32)
    attributes = csr_matrix(np.eye(6, 4, dtype=np.float32))
    mixed = by_attributes(vectors, np.array([9, 0, 2, 0, 0, 5]), attributes, 4)
    np.testing.assert_array_equal(mixed[4:], vectors[4:])
    assert not np.allclose(mixed[:4], vectors[:4])


@pytest.mark.parametrize("marks", [0, 1])
def test_where_nothing_can_be_learnt_all_vectors_stay(marks: int) -> None:
    """No item has an attribute, or none with attributes was taken."""
    vectors = np.ones((3, 2), dtype=np.float32)
    attributes = csr_matrix(np.diag([0, 0, marks]).astype(np.float32))
    kept = by_attributes(vectors, np.array([3, 1, 0]), attributes, 4)
    np.testing.assert_array_equal(kept, vectors)


def test_many_pairs_speak_for_themselves() -> None:
    vectors = np.random.default_rng(3).normal(size=(40, 3)).astype(np.float32)
    attributes = csr_matrix(np.tile(np.eye(4, dtype=np.float32), (10, 1)))
    mixed = by_attributes(vectors, np.full(40, 10_000), attributes, 4)
    np.testing.assert_allclose(mixed, vectors, atol=1e-2)


def test_two_fits_are_equal_to_the_bit(shop: Planted) -> None:
    small = replace(
        shop.train,
        users=shop.train.users[:99],
        weights=shop.train.weights[:99],
        last_times=shop.train.last_times[: shop.train.weights.indptr[99]],
    )
    recipe = LightFMHybrid(own_pairs=4, epochs=3, components=8)
    one, two = (recipe.fit(small, shop.items) for _ in range(2))
    np.testing.assert_array_equal(one.item_vectors, two.item_vectors)
