"""What lists are like, against loops over places."""

from __future__ import annotations

import doctest
import math
from itertools import combinations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.metrics import lists as list_metrics
from models.metrics.lists import (
    catalogue_coverage,
    diversity,
    fallback_share,
    novelty,
    popularity_share,
    user_coverage,
)
from models.recommender import Recommendations

IDS = np.array(list("abcdefg"))
N_USERS = 50


def some_lists(seed: int) -> Recommendations:
    """Six lists of three; a list may hold an item twice, as no model should."""
    random = np.random.default_rng(seed)
    items = random.integers(-1, 7, (6, 3)).astype(np.int32)
    fallback, filled = random.random(6) < 0.3, random.random((6, 3)) < 0.1
    return Recommendations(
        IDS[:6], IDS, items, np.zeros((6, 3), np.float32), fallback, filled if seed % 2 else None
    )


def distinct_lists(seed: int) -> Recommendations:
    random = np.random.default_rng(seed)
    items = np.array([random.permutation(7)[:3] for _ in range(6)], dtype=np.int32)
    items[random.random((6, 3)) < 0.2] = -1
    scores = np.zeros((6, 3), np.float32)
    return Recommendations(IDS[:6], IDS, items, scores, np.zeros(6, dtype=bool))


def places(lists: Recommendations) -> list[tuple[int, int, bool]]:
    """Return row, item and whether it was chosen for the user, of every filled place."""
    return [
        (row, int(item), not lists.fallback[row] and not (_filled(lists, row, place)))
        for row in range(6)
        for place, item in enumerate(lists.items[row])
        if item >= 0
    ]


def _filled(lists: Recommendations, row: int, place: int) -> bool:
    return lists.filled is not None and bool(lists.filled[row, place])


@pytest.mark.parametrize("seed", range(60))
def test_coverages(seed: int) -> None:
    lists = some_lists(seed)
    recommendable = np.random.default_rng(seed).random(7) < 0.7
    recommendable[0] = True
    own: dict[int, set[int]] = {}
    for row, item, chosen in places(lists):
        if chosen and recommendable[item]:
            own.setdefault(row, set()).add(item)
    shown = {item for _, item, _ in places(lists) if recommendable[item]}
    full = sum(len(items) == 3 for items in own.values())
    assert user_coverage(lists, recommendable) == full / 6
    assert catalogue_coverage(lists, recommendable) == len(shown) / recommendable.sum()


@pytest.mark.parametrize("seed", range(30))
def test_fallback_novelty_and_popularity(seed: int) -> None:
    lists = some_lists(seed)
    takers = np.random.default_rng(seed).integers(0, N_USERS, 7)
    found = places(lists)
    theirs = [item for _, item, _ in found]
    assert fallback_share(lists) == pytest.approx(
        sum(not chosen for *_, chosen in found) / len(found)
    )
    bits = [-math.log2(max(int(takers[item]), 1) / N_USERS) for item in theirs]
    assert novelty(lists, takers, N_USERS) == pytest.approx(sum(bits) / len(bits))
    top = max(range(7), key=lambda item: (takers[item], -item))
    assert popularity_share(lists, takers) == pytest.approx(theirs.count(top) / len(theirs))


@pytest.mark.parametrize("seed", range(30))
def test_diversity(seed: int) -> None:
    lists = distinct_lists(seed)
    attributes = (np.random.default_rng(seed).random((7, 4)) < 0.5).astype(np.float32)

    def distance(item: int, other: int) -> float:
        left, right = attributes[item], attributes[other]
        lengths = math.sqrt(sum(left**2)) * math.sqrt(sum(right**2))
        return float(1 - sum(left * right) / lengths) if lengths else 1.0

    means = []
    for row in range(6):
        pairs = list(combinations([int(item) for item in lists.items[row] if item >= 0], 2))
        if pairs:
            means.append(sum(distance(*pair) for pair in pairs) / len(pairs))
    assert diversity(lists, csr_matrix(attributes)) == pytest.approx(sum(means) / len(means))


def test_empty_lists() -> None:
    items = np.full((2, 3), -1, dtype=np.int32)
    scores, takers = np.zeros((2, 3), np.float32), np.ones(7, dtype=np.int64)
    empty = Recommendations(IDS[:2], IDS, items, scores, np.zeros(2, dtype=bool))
    assert (
        fallback_share(empty) == novelty(empty, takers, 9) == popularity_share(empty, takers) == 0
    )
    assert diversity(empty, csr_matrix((7, 2))) == 0


def test_worked_examples() -> None:
    tried = doctest.testmod(list_metrics)
    assert tried.failed == 0 and tried.attempted > 0
