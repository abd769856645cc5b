"""Ranking metrics, vectorised over hit matrices; every one averages over users.

Shapes: `hits` is bool (n_users, k), True where the item at that rank was wanted; `relevant` is
int (n_users,), how many items the user wanted in all, at least 1. n_users is at least 1.
The slow, obvious version of each stands in `tests/models/test_metrics.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.recommender import NONE, Recommendations

Hits: TypeAlias = NDArray[np.bool_]
Counts: TypeAlias = NDArray[np.int64]

K = 10


def ndcg(hits: Hits, relevant: Counts) -> float:
    """Normalised discounted cumulative gain: sum of 1/log2(rank + 1) of hits, over the best sum.

    Best means: the first min(k, relevant) ranks are all hits.
    Source: K. Järvelin, J. Kekäläinen, Cumulated gain-based evaluation of IR techniques, 2002.

    Examples
    --------
    One hit at rank 2 of 2, one item wanted: 1 / log2(3).

    >>> round(ndcg(np.array([[False, True]]), np.array([1])), 4)
    0.6309
    """
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant, hits.shape[1])]
    return float(((hits @ discounts) / ideal).mean())


def precision(hits: Hits, relevant: Counts) -> float:
    """Share of the k places that are hits; empty places count as misses.

    Source: Manning, Raghavan, Schütze, Introduction to Information Retrieval, 2008, ch. 8.4.

    Examples
    --------
    >>> precision(np.array([[True, False], [False, False]]), np.array([1, 3]))
    0.25
    """
    return float(hits.mean())


def recall(hits: Hits, relevant: Counts) -> float:
    """Share of the wanted items that are among the k.

    Source: Manning, Raghavan, Schütze, Introduction to Information Retrieval, 2008, ch. 8.3.

    Examples
    --------
    >>> recall(np.array([[True, False], [False, False]]), np.array([2, 3]))
    0.25
    """
    return float((hits.sum(axis=1) / relevant).mean())


def hit_rate(hits: Hits, relevant: Counts) -> float:
    """Share of users with at least one hit.

    Source: M. Deshpande, G. Karypis, Item-based top-N recommendation algorithms, 2004.

    Examples
    --------
    >>> hit_rate(np.array([[True, True], [False, False]]), np.array([2, 3]))
    0.5
    """
    return float(hits.any(axis=1).mean())


def mean_average_precision(hits: Hits, relevant: Counts) -> float:
    """Mean over users of: sum of precision at each hit's rank, over min(k, relevant).

    Source: Manning, Raghavan, Schütze, 2008, ch. 8.4; cut at k as in the KDD Cup 2012.

    Examples
    --------
    Hits at ranks 1 and 3, two wanted: (1/1 + 2/3) / 2.

    >>> round(mean_average_precision(np.array([[True, False, True]]), np.array([2])), 4)
    0.8333
    """
    precisions = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    totals = (precisions * hits).sum(axis=1)
    return float((totals / np.minimum(relevant, hits.shape[1])).mean())


def mean_reciprocal_rank(hits: Hits, relevant: Counts) -> float:
    """Mean over users of 1 / rank of the first hit, 0 without one.

    Source: E. Voorhees, The TREC-8 question answering track report, 1999.

    Examples
    --------
    >>> mean_reciprocal_rank(np.array([[False, True], [False, False]]), np.array([1, 1]))
    0.25
    """
    return float((hits.any(axis=1) / (hits.argmax(axis=1) + 1)).mean())


def user_coverage(given: Recommendations, recommendable: NDArray[np.bool_]) -> float:
    """Share of users with a full row of k different recommendable items that is their own.

    A row of the fallback list, or one filled up with bestsellers, does not count: it says too
    little of the user.

    Examples
    --------
    >>> ids, scores = np.array(["a", "b"]), np.zeros((2, 1), np.float32)
    >>> row = Recommendations(ids, ids, np.int32([[0], [1]]), scores, np.array([False, True]))
    >>> user_coverage(row, np.array([True, True]))
    0.5
    """
    shown = given.own & recommendable[given.items]
    ordered = np.sort(given.items, axis=1)
    different = (np.diff(ordered, axis=1) > 0).all(axis=1)
    return float((shown.all(axis=1) & different).mean())


def catalogue_coverage(given: Recommendations, recommendable: NDArray[np.bool_]) -> float:
    """Share of the recommendable items that stand in anybody's row.

    Source: M. Ge, C. Delgado-Battenfeld, D. Jannach, Beyond accuracy, 2010.

    Examples
    --------
    >>> ids, scores = np.array(["a", "b"]), np.zeros((2, 1), np.float32)
    >>> rows = Recommendations(ids, ids, np.int32([[0], [0]]), scores, np.array([False, False]))
    >>> catalogue_coverage(rows, np.array([True, True]))
    0.5
    """
    shown = np.unique(given.items[given.items != NONE])
    return float(recommendable[shown].sum() / recommendable.sum())


RANKING: dict[str, Callable[[Hits, Counts], float]] = {
    f"ndcg_at_{K}": ndcg,
    f"precision_at_{K}": precision,
    f"recall_at_{K}": recall,
    f"hit_rate_at_{K}": hit_rate,
    f"map_at_{K}": mean_average_precision,
    f"mrr_at_{K}": mean_reciprocal_rank,
}
HIGHER_IS_BETTER = (*RANKING, "user_coverage", "catalogue_coverage")
LOWER_IS_BETTER = ("training_minutes",)
METRICS = (*HIGHER_IS_BETTER, *LOWER_IS_BETTER)
