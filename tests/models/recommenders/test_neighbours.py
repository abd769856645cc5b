"""Counting and likeness against the slow versions, and what item-to-item models promise beyond."""

from __future__ import annotations

import doctest
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from models.metrics.lists import user_coverage
from models.recommenders import also_bought, content
from models.recommenders import nearest as near
from models.recommenders.also_bought import (
    BM25_B,
    BM25_K1,
    AlsoBought,
    bm25_weights,
    cosine_weights,
    latest,
)
from models.recommenders.content import Content, tf_idf, word_counts
from models.recommenders.nearest import nearest
from tests.models.conftest import arrays, interaction, item, tastes


def some_weights(seed: int) -> csr_matrix:
    weights = random_array((12, 9), density=0.4, rng=np.random.default_rng(seed), format="csr")
    return csr_matrix(weights, dtype=np.float32)


def slow_cosine(weights: Any, item: int, other: int) -> float:
    left, right = weights[:, item], weights[:, other]
    lengths = math.sqrt(sum(left**2)) * math.sqrt(sum(right**2))
    return float(sum(left * right) / lengths) if lengths else 0.0


def slow_bm25(weights: Any, user: int, item_: int) -> float:
    n_items = weights.shape[1]
    had = int((weights[user] > 0).sum())
    lengths = weights.sum(axis=0)
    norm = 1 - BM25_B + BM25_B * lengths[item_] / lengths[lengths > 0].mean()
    weight = weights[user, item_]
    idf = math.log(1 + (n_items - had + 0.5) / (had + 0.5))
    return float(idf * weight * (BM25_K1 + 1) / (weight + BM25_K1 * norm))


@pytest.mark.parametrize("seed", range(20))
def test_nearest_by_cosine_and_bm25(seed: int) -> None:
    weights = some_weights(seed)
    dense = weights.toarray().astype(np.float64)
    allowed = np.arange(9) % 4 != 3
    bm25 = bm25_weights(weights).toarray()
    for user, item_ in zip(*dense.nonzero(), strict=True):
        assert bm25[item_, user] == pytest.approx(slow_bm25(dense, user, item_), rel=1e-5)
    similar = nearest(cosine_weights(weights), np.array(list("abcdefghi")), allowed, 3).toarray()
    for place in range(9):
        likeness = {
            other: slow_cosine(dense, place, other)
            for other in range(9)
            if other != place and allowed[other]
        }
        expected = sorted((value for value in likeness.values() if value > 0), reverse=True)[:3]
        found = np.flatnonzero(similar[place])
        assert sorted(similar[place, found], reverse=True) == pytest.approx(expected, rel=1e-5)
        assert all(
            similar[place, other] == pytest.approx(likeness[other], rel=1e-5) for other in found
        )


def test_only_the_latest_items_of_a_heavy_user_are_counted() -> None:
    train, _ = arrays(*tastes())
    times = np.arange(train.weights.nnz).astype("datetime64[us]")
    kept = latest(train.weights, replace(train, last_times=times), 2)
    for user in range(len(train.users)):
        last_two = train.weights[user].indices[-2:]  # times grow along the stored order
        assert kept[user].indices.tolist() == last_two.tolist()
    assert latest(train.weights, train, 6) is train.weights


def test_scores_are_summed_likeness_then_what_sells() -> None:
    pairs = [interaction(*pair) for pair in ["ax", "ay", "bx", "by", "bz", "cv", "dv", "dw"]]
    catalogue = [item(name) for name in "vwxyz"]
    model = AlsoBought(weight_power=0.0).fit(*arrays(pairs, catalogue))
    given = model.recommend(np.array(["a", "c", "b"]), 3)
    assert [given.item_ids(row)[0] for row in range(3)] == ["z", "w", "v"]
    both = 1 / math.sqrt(2)  # z was had by one, x and y by two, one of them the same
    assert given.scores[0, 0] == pytest.approx(2 * both, rel=1e-5)
    assert given.own.tolist() == [[True, False, False], [True, False, False], [False] * 3]
    assert given.fallback.tolist() == [False, False, True]
    assert user_coverage(given, np.ones(5, dtype=bool)) == 0.0
    assert (given.scores[:, 1:] < 0).all(), "what fills a row stands below what is chosen"


def test_new_items_are_recommended_from_their_first_hour() -> None:
    pairs, catalogue = tastes()
    catalogue += [item("new", category="coats", brand="brand1", colour="blue", price=5.0)]
    train, items = arrays(pairs, catalogue)
    assert train.weights[:, np.flatnonzero(train.items == "new")].nnz == 0
    given = Content().fit(train, items).recommend(train.users, 12)
    got = [user for row, user in enumerate(given.users) if "new" in given.item_ids(row)]
    assert len(got) > 20 and all(int(user[4:]) % 2 == 0 for user in got), "even users like coats"


def test_words_of_titles_count() -> None:
    bare = {"brand": None, "category": None, "colour": None, "price": None}
    titles = {"a": "Wool coat", "b": "COAT, wool!", "c": "Glass jar", "d": None}
    catalogue = [item(name, title=title, **bare) for name, title in titles.items()]
    pairs = [interaction("u", "a"), interaction("v", "c")]
    given = Content().fit(*arrays(pairs, catalogue)).recommend(np.array(["u"]), 3)
    assert given.item_ids(0)[0] == "b" and given.own[0].tolist() == [True, False, False]


def test_no_titles_at_all() -> None:
    train, items = arrays(*tastes())
    model = Content().fit(train, replace(items, titles=None))
    assert not model.recommend(train.users, 3).fallback.any()
    assert word_counts(np.array(["", ""])).shape == (2, 0)


@pytest.mark.parametrize("seed", range(5))
def test_tf_idf_is_that_of_scikit_learn(seed: int) -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    counts = some_weights(seed)
    counts.data = np.ceil(counts.data * 3)
    expected = text.TfidfTransformer().fit_transform(counts).toarray()
    np.testing.assert_allclose(tf_idf(counts).toarray(), expected, rtol=1e-5)


@pytest.mark.parametrize("module", [also_bought, content])
def test_worked_examples(module: Any) -> None:
    tried = doctest.testmod(module)
    assert tried.failed == 0 and tried.attempted > 0


@pytest.mark.parametrize("seed", range(4))
def test_the_pairs_that_meet_give_what_all_pairs_give(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal scores are many, rows are empty, blocks end within a row's neighbours."""
    random = np.random.default_rng(seed)
    dense = random.integers(-1, 3, (70, 50)) * (random.random((70, 50)) < 0.08)
    dense[random.integers(0, 70, 9)] = 0
    vectors, allowed = csr_matrix(dense.astype(np.float32)), random.random(70) < 0.7
    ids = np.array([f"item{number}" for number in random.permutation(70)])
    monkeypatch.setattr(near, "BLOCK", 40)
    found = []
    for few in (0.0, 1e9):
        monkeypatch.setattr(near, "FEW", few)
        found.append(nearest(vectors, ids, allowed, 3))
    assert found[0].nnz == found[1].nnz > 60 and (found[0] != found[1]).nnz == 0
    assert len(list(near._blocks(near._met(vectors, allowed)))) > 5
