"""Ranking metrics such as NDCG: one number per user, so that two models compare user by user.

The metric of a model is their mean. Shapes: `hits` is bool (n_users, k), True where the item at
that rank was wanted; `relevant` is int (n_users,), how many items the user wanted in all, at
least 1. n_users is at least 1.
The slow, obvious version of each is in `tests/models/metrics/test_ranking.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from infra.errors import SettingsError
from models.recommender import NONE, Matrix

Hits: TypeAlias = NDArray[np.bool_]
Counts: TypeAlias = NDArray[np.int64]

Values: TypeAlias = NDArray[np.float64]
Metric: TypeAlias = Callable[[Hits, Counts], Values]

K = 10  # the length that pages show
LENGTHS = (K, 20)


def ndcg(hits: Hits, relevant: Counts) -> Values:
    """Normalised discounted cumulative gain: sum of 1/log2(rank + 1) of hits, over the best sum.

    Best means: the first min(k, relevant) ranks are all hits.
    Source: K. Järvelin, J. Kekäläinen, Cumulated gain-based evaluation of IR techniques, 2002.

    Examples
    --------
    One hit at rank 2 of 2, one item wanted: 1 / log2(3).

    >>> ndcg(np.array([[False, True]]), np.array([1])).round(4).tolist()
    [0.6309]
    """
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant, hits.shape[1])]
    values: Values = (hits @ discounts) / ideal
    return values


def precision(hits: Hits, relevant: Counts) -> Values:
    """Share of the k places that are hits; empty places count as misses.

    Source: Manning, Raghavan, Schütze, Introduction to Information Retrieval, 2008, ch. 8.4.

    Examples
    --------
    >>> precision(np.array([[True, False], [False, False]]), np.array([1, 3])).tolist()
    [0.5, 0.0]
    """
    values: Values = hits.mean(axis=1)
    return values


def recall(hits: Hits, relevant: Counts) -> Values:
    """Share of the wanted items that are among the k.

    Source: Manning, Raghavan, Schütze, Introduction to Information Retrieval, 2008, ch. 8.3.

    Examples
    --------
    >>> recall(np.array([[True, False], [False, False]]), np.array([2, 3])).tolist()
    [0.5, 0.0]
    """
    values: Values = hits.sum(axis=1) / relevant
    return values


def hit_rate(hits: Hits, relevant: Counts) -> Values:
    """1 where there is at least one hit.

    Source: M. Deshpande, G. Karypis, Item-based top-N recommendation algorithms, 2004.

    Examples
    --------
    >>> hit_rate(np.array([[True, True], [False, False]]), np.array([2, 3])).tolist()
    [1.0, 0.0]
    """
    values: Values = (hits.sum(axis=1) > 0).astype(np.float64)
    return values


def mean_average_precision(hits: Hits, relevant: Counts) -> Values:
    """Sum of precision at each hit's rank, over min(k, relevant).

    Source: Manning, Raghavan, Schütze, 2008, ch. 8.4; cut at k as in the KDD Cup 2012.

    Examples
    --------
    Hits at ranks 1 and 3, two wanted: (1/1 + 2/3) / 2.

    >>> mean_average_precision(np.array([[True, False, True]]), np.array([2])).round(4).tolist()
    [0.8333]
    """
    precisions = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    totals = (precisions * hits).sum(axis=1)
    values: Values = totals / np.minimum(relevant, hits.shape[1])
    return values


def mean_reciprocal_rank(hits: Hits, relevant: Counts) -> Values:
    """1 / rank of the first hit, 0 without one.

    Source: E. Voorhees, The TREC-8 question answering track report, 1999.

    Examples
    --------
    >>> mean_reciprocal_rank(np.array([[False, True], [False, False]]), np.array([1, 1])).tolist()
    [0.5, 0.0]
    """
    values: Values = hits.any(axis=1) / (hits.argmax(axis=1) + 1)
    return values


def auc(found: Counts, places: Counts, ranked: Counts, relevant: Counts) -> Values:
    """Chance that a wanted item comes before an unwanted one in the ranking of everything.

    Pairs in the right order over all pairs. A wanted item missing from the ranking, as it may
    not be shown, comes after everything; without any unwanted item the answer is 0.5.
    Source: J. Hanley, B. McNeil, The meaning and use of the area under a ROC curve, 1982.

    Parameters
    ----------
    found : array of int, shape (n_users,)
        How many of the wanted items are ranked.
    places : array of int, shape (n_users,)
        The sum of their places, from 0.
    ranked : array of int, shape (n_users,)
        How many items are ranked: all that may be shown to the user.
    relevant : array of int, shape (n_users,)

    Examples
    --------
    Wanted first and third of four: 2 + 1 right pairs of 2 x 2.

    >>> auc(np.array([2]), np.array([0 + 2]), np.array([4]), np.array([2])).tolist()
    [0.75]
    """
    unwanted = ranked - found
    before = places - found * (found - 1) // 2  # unwanted ones before each wanted one
    pairs = relevant * unwanted
    right = found * unwanted - before
    values: Values = np.divide(right, pairs, out=np.full(len(found), 0.5), where=pairs > 0)
    return values


def _cut(metric: Metric, k: int, hits: Hits, relevant: Counts) -> Values:
    return metric(hits[:, :k], relevant)


_BY_LENGTH: dict[str, Metric] = {
    "ndcg": ndcg,
    "precision": precision,
    "recall": recall,
    "hit_rate": hit_rate,
    "map": mean_average_precision,
    "mrr": mean_reciprocal_rank,
}
RANKING: dict[str, Metric] = {
    f"{name}_at_{k}": partial(_cut, metric, k)
    for k in LENGTHS
    for name, metric in _BY_LENGTH.items()
}
NEXT_ITEM: dict[str, Metric] = {  # of people without a history, who want one item at a time
    f"next_item_ndcg_at_{K}": ndcg,
    f"next_item_hit_rate_at_{K}": hit_rate,
}
OVERLAP = "list_overlap_vs_live"
HIGHER_IS_BETTER = (
    *RANKING,
    "auc",
    *NEXT_ITEM,
    "user_coverage",
    "catalogue_coverage",
    "novelty",
    "diversity",
    OVERLAP,
)
LOWER_IS_BETTER = (
    "fallback_share",
    "popularity_share",
    "training_minutes",
    "peak_memory_mb",
    "model_mb",
)
METRICS = (*HIGHER_IS_BETTER, *LOWER_IS_BETTER)


def require_ranking(metric: str, origin: str) -> None:
    """Refuse what cannot choose among candidates: it takes a number per user.

    Raises
    ------
    SettingsError
        `judged_by` of a placements file names no ranking metric that is measured.
    """
    if metric not in RANKING:
        names = ", ".join(RANKING)
        raise SettingsError(
            f"{origin}: 'judged_by' is '{metric}', which is not measured of every customer.",
            f"Choose one of {names}.",
        )


def marked(matrix: Matrix, items: NDArray[np.integer]) -> Hits:
    """Tell for item positions (n, k) whether row i of a csr matrix stores them; -1 is never."""
    n, k = items.shape
    pairs = (np.arange(n)[:, None] * matrix.shape[1] + items).ravel()
    rows = np.repeat(np.arange(n), np.diff(matrix.indptr))
    stored = np.sort(rows * matrix.shape[1] + matrix.indices, kind="stable")  # mostly sorted
    places = np.searchsorted(stored, pairs)
    equal = np.append(stored, NONE)[places] == pairs
    hits: Hits = equal.reshape(n, k) & (items != NONE)
    return hits
