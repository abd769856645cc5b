"""Every metric against the slow version one would write on a blackboard."""

from __future__ import annotations

import doctest
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import metrics, recommender, tables
from models.metrics import RANKING, catalogue_coverage, user_coverage
from models.recommender import Recommendations

User = tuple[list[bool], int]  # hits by rank, items wanted in all


def slow_ndcg(hits: list[bool], wanted: int) -> float:
    gain = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits, 1) if hit)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(wanted, len(hits)) + 1))
    return gain / best


def slow_precision(hits: list[bool], wanted: int) -> float:
    return sum(hits) / len(hits)


def slow_recall(hits: list[bool], wanted: int) -> float:
    return sum(hits) / wanted


def slow_hit_rate(hits: list[bool], wanted: int) -> float:
    return 1.0 if True in hits else 0.0


def slow_map(hits: list[bool], wanted: int) -> float:
    total = 0.0
    for rank, hit in enumerate(hits, 1):
        if hit:
            total += sum(hits[:rank]) / rank
    return total / min(wanted, len(hits))


def slow_mrr(hits: list[bool], wanted: int) -> float:
    return 1 / (hits.index(True) + 1) if True in hits else 0.0


SLOW: dict[str, Callable[[list[bool], int], float]] = {
    "ndcg_at_10": slow_ndcg,
    "precision_at_10": slow_precision,
    "recall_at_10": slow_recall,
    "hit_rate_at_10": slow_hit_rate,
    "map_at_10": slow_map,
    "mrr_at_10": slow_mrr,
}


@st.composite
def judged(draw: st.DrawFn) -> list[User]:
    k = draw(st.integers(1, 12))
    rows = draw(st.lists(st.lists(st.booleans(), min_size=k, max_size=k), min_size=1, max_size=6))
    return [(row, max(1, sum(row) + draw(st.integers(0, 20)))) for row in rows]


@pytest.mark.parametrize("name", RANKING)
@settings(max_examples=60, deadline=None)
@given(users=judged())
def test_ranking_metrics(name: str, users: list[User]) -> None:
    hits = np.array([row for row, _ in users])
    wanted = np.array([count for _, count in users])
    expected = sum(SLOW[name](*user) for user in users) / len(users)
    found = RANKING[name](hits, wanted)
    assert found == pytest.approx(expected, abs=1e-12) and 0 <= found <= 1 + 1e-12


def some_lists(seed: int) -> tuple[Recommendations, np.ndarray]:
    random = np.random.default_rng(seed)
    items = random.integers(-1, 7, (6, 3)).astype(np.int32)
    recommendable = random.random(7) < 0.7
    recommendable[0] = True
    fallback = random.random(6) < 0.3
    ids = np.array(list("abcdefg"))
    return Recommendations(
        ids[:6], ids, items, np.zeros((6, 3), np.float32), fallback
    ), recommendable


@pytest.mark.parametrize("seed", range(60))
def test_coverages(seed: int) -> None:
    lists, recommendable = some_lists(seed)
    full, shown = 0, set()
    for row in range(6):
        places = [int(place) for place in lists.items[row]]
        good = [place for place in places if place >= 0 and recommendable[place]]
        full += len(set(good)) == len(places) and not lists.fallback[row]
        shown |= set(good)
    assert user_coverage(lists, recommendable) == full / 6
    assert catalogue_coverage(lists, recommendable) == len(shown) / recommendable.sum()


@pytest.mark.parametrize("module", [metrics, recommender, tables])
def test_worked_examples(module: object) -> None:
    tried = doctest.testmod(module)  # type: ignore[arg-type]
    assert tried.failed == 0 and tried.attempted > 0
