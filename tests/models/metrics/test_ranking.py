"""Every metric against the slow version one would write on a blackboard."""

from __future__ import annotations

import doctest
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import recommender
from models.data import run_tables as tables
from models.metrics import ranking as metrics
from models.metrics.ranking import RANKING, Counts, Hits, Values, auc

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


BY_NAME: dict[str, Callable[[list[bool], int], float]] = {
    "ndcg": slow_ndcg,
    "precision": slow_precision,
    "recall": slow_recall,
    "hit_rate": slow_hit_rate,
    "map": slow_map,
    "mrr": slow_mrr,
}
SLOW = {f"{name}_at_{k}": slow for k in (10, 20) for name, slow in BY_NAME.items()}


def slow_auc(ranking: list[bool], wanted: int) -> float:
    right = sum(
        not other for place, hit in enumerate(ranking) for other in ranking[place + 1 :] if hit
    )
    pairs = wanted * ranking.count(False)
    return right / pairs if pairs else 0.5


@st.composite
def judged(draw: st.DrawFn) -> list[User]:
    k = draw(st.integers(1, 24))
    rows = draw(st.lists(st.lists(st.booleans(), min_size=k, max_size=k), min_size=1, max_size=6))
    return [(row, max(1, sum(row) + draw(st.integers(0, 20)))) for row in rows]


@pytest.mark.parametrize("name", RANKING)
@settings(max_examples=60, deadline=None)
@given(users=judged())
def test_ranking_metrics(name: str, users: list[User]) -> None:
    hits = np.array([row for row, _ in users])
    wanted = np.array([count for _, count in users])
    k = int(name.rpartition("_")[2])
    found = RANKING[name](hits, wanted)
    assert found.shape == (len(users),)
    for value, (row, count) in zip(found.tolist(), users, strict=True):
        assert value == pytest.approx(SLOW[name](row[:k], count), abs=1e-12)
        assert 0 <= value <= 1 + 1e-12


def test_every_slow_version_is_used() -> None:
    assert set(SLOW) == set(RANKING)


@settings(max_examples=60, deadline=None)
@given(users=judged(), short=st.integers(0, 5))
def test_auc(users: list[User], short: int) -> None:
    places = max(0, len(users[0][0]) - short)
    hits = np.array([row for row, _ in users])[:, :places]
    wanted = np.array([count for _, count in users])
    expected = [slow_auc(row[:places], count) for row, count in users]
    assert auc_of(hits, wanted).tolist() == pytest.approx(expected, abs=1e-12)


def auc_of(hits: Hits, wanted: Counts) -> Values:
    """Return it of whole rankings, where they hit and how many items are wanted."""
    places = (hits * np.arange(hits.shape[1])).sum(axis=1)
    return auc(hits.sum(axis=1), places, np.full(len(hits), hits.shape[1]), wanted)


@pytest.mark.parametrize("seed", range(10))
def test_the_same_as_scikit_learn(seed: int) -> None:
    library = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    hits = random.random((8, 30)) < 0.2
    hits[:, 7] = True
    falling = -np.arange(30.0)
    found = auc_of(hits, hits.sum(axis=1))
    ndcg = RANKING["ndcg_at_20"](hits, hits.sum(axis=1))
    map_ = metrics.mean_average_precision(hits, hits.sum(axis=1))
    assert len(hits) == 8
    for row, wanted in enumerate(hits):
        assert found[row] == pytest.approx(library.roc_auc_score(wanted, falling))
        theirs = library.ndcg_score(wanted[None], falling[None], k=20)
        assert ndcg[row] == pytest.approx(theirs)
        assert map_[row] == pytest.approx(library.average_precision_score(wanted, falling))


@pytest.mark.parametrize("module", [metrics, recommender, tables])
def test_worked_examples(module: object) -> None:
    tried = doctest.testmod(module)  # type: ignore[arg-type]
    assert tried.failed == 0 and tried.attempted > 0
