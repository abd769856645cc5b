"""Every metric against a library that others wrote, through the lists the models really give.

Where definitions differ, the case is chosen in which they agree: LightFM's reciprocal rank knows no
k, so the lists are whole; scikit-learn's top-k accuracy knows one wanted item per user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from implicit.als import AlternatingLeastSquares
from implicit.evaluation import ranking_metrics_at_k
from lightfm import evaluation
from scipy.sparse import csr_matrix, random_array
from sklearn.metrics import log_loss, ndcg_score, top_k_accuracy_score
from sklearn.metrics.pairwise import cosine_distances
from threadpoolctl import threadpool_limits

from models.benches.costs import as_lightfm
from models.metrics.lists import (
    catalogue_coverage,
    diversity,
    novelty,
    popularity_share,
    user_coverage,
)
from models.metrics.ranking import RANKING, auc, marked, mean_reciprocal_rank
from models.recommender import Recommendations
from models.recommenders.top_k import top_k

USERS, ITEMS, D = 40, 60, 6
EVERY = np.ones(ITEMS, dtype=bool)


@dataclass(frozen=True)
class Case:
    """Random vectors; what users had, and what they wanted, never the same."""

    users: Any
    items: Any
    seen: csr_matrix
    wanted: csr_matrix

    def hits(self, k: int) -> Any:
        """Return where the k best unseen items of every user hit."""
        found, _ = top_k(self.users, self.items, k, EVERY, self.seen)
        return marked(self.wanted, found)

    @property
    def relevant(self) -> Any:
        """Return how many items every user wanted."""
        return np.diff(self.wanted.indptr).astype(np.int64)


@pytest.fixture
def case() -> Case:
    random = np.random.default_rng(5)
    drawn = random.random((USERS, ITEMS))
    drawn[np.arange(USERS), random.integers(0, ITEMS, USERS)] = 0.99  # everyone wants something
    return Case(
        users=random.normal(size=(USERS, D)).astype(np.float32),
        items=random.normal(size=(ITEMS, D)).astype(np.float32),
        seen=csr_matrix((drawn < 0.2).astype(np.float32)),
        wanted=csr_matrix((drawn > 0.9).astype(np.float32)),
    )


def test_lightfm(case: Case) -> None:
    model = as_lightfm(case.users, case.items)
    given = {"test_interactions": case.wanted, "train_interactions": case.seen}
    for k in (10, 20):
        hits = case.hits(k)
        for name in ("precision", "recall"):
            theirs = getattr(evaluation, f"{name}_at_k")(model, k=k, **given)
            mine = RANKING[f"{name}_at_{k}"](hits, case.relevant)
            np.testing.assert_allclose(mine, theirs, atol=1e-6)
    whole, _ = top_k(case.users, case.items, ITEMS, EVERY, case.seen)
    hits = marked(case.wanted, whole)
    places, ranked = (hits * np.arange(ITEMS)).sum(axis=1), (whole >= 0).sum(axis=1)
    mine = auc(hits.sum(axis=1), places, ranked, case.relevant)
    np.testing.assert_allclose(mine, evaluation.auc_score(model, **given), atol=1e-5)
    theirs = evaluation.reciprocal_rank(model, **given)
    np.testing.assert_allclose(mean_reciprocal_rank(hits, case.relevant), theirs, atol=1e-6)


def test_implicit(case: Case) -> None:
    with threadpool_limits(1, "blas"):  # it warns of more threads
        model = AlternatingLeastSquares(factors=D)
    model.user_factors, model.item_factors = case.users, case.items
    for k in (10, 20):
        theirs = ranking_metrics_at_k(
            model, case.seen, case.wanted, K=k, show_progress=False, num_threads=1
        )
        hits = case.hits(k)
        for name in ("map", "ndcg"):
            mine = RANKING[f"{name}_at_{k}"](hits, case.relevant).mean()
            assert mine == pytest.approx(theirs[name], abs=1e-6), (name, k)


def test_scikit_learn(case: Case) -> None:
    scores = case.users @ case.items.T
    scores[case.seen.toarray() > 0] = scores.min() - 1
    first_wanted = np.array([row.indices[0] for row in case.wanted])
    single = csr_matrix((np.ones(USERS), (np.arange(USERS), first_wanted)), shape=(USERS, ITEMS))
    for k in (10, 20):
        found, _ = top_k(case.users, case.items, k, EVERY, case.seen)
        mine = RANKING[f"hit_rate_at_{k}"](marked(single, found), np.ones(USERS, dtype=np.int64))
        theirs = top_k_accuracy_score(first_wanted, scores, k=k, labels=np.arange(ITEMS))
        assert mine.mean() == pytest.approx(theirs)
        theirs = ndcg_score(case.wanted.toarray(), scores, k=k)
        mine = RANKING[f"ndcg_at_{k}"](case.hits(k), case.relevant)
        assert mine.mean() == pytest.approx(theirs)


def test_what_lists_are_like(case: Case) -> None:
    items, scores = top_k(case.users, case.items, 10, EVERY, case.seen)
    ids = np.array([f"i{number:02d}" for number in range(ITEMS)])
    asked = np.array([f"u{number}" for number in range(USERS)])
    given = Recommendations(asked, ids, items, scores, np.zeros(USERS, dtype=bool))
    takers = np.bincount(case.seen.indices, minlength=ITEMS)
    attributes = csr_matrix(random_array((ITEMS, 8), density=0.4, rng=np.random.default_rng(2)))
    shown = pd.DataFrame(items).melt(ignore_index=False)["value"]

    distances = cosine_distances(attributes.toarray())
    above = np.triu_indices(10, 1)
    theirs = np.mean([distances[np.ix_(row, row)][above].mean() for row in items])
    assert diversity(given, attributes) == pytest.approx(theirs)

    chances = np.maximum(takers[shown], 1) / USERS
    bits = log_loss(np.ones(len(shown)), chances, labels=[0, 1]) / np.log(2)
    assert novelty(given, takers, USERS) == pytest.approx(bits)

    popular = pd.Series(takers).nlargest(1, keep="first").index
    assert popularity_share(given, takers) == pytest.approx(shown.isin(popular).mean())
    assert catalogue_coverage(given, EVERY) == shown.nunique() / ITEMS
    full = shown.groupby(level=0).nunique() == 10
    assert user_coverage(given, EVERY) == full.mean()
