"""Metrics of lists: how many users and items they reach, how new, varied and popular they are.

Every metric takes the lists of at least one user; the slow, obvious version of each is in
`tests/models/metrics/test_lists.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from models.recommender import NONE, Matrix, Recommendations, positions
from models.ties import hashes

POPULAR = 0.01  # the part of the items that counts as the most popular


def user_coverage(lists: Recommendations, recommendable: NDArray[np.bool_]) -> float:
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
    shown = lists.own & recommendable[lists.items]
    ordered = np.sort(lists.items, axis=1)
    different = (np.diff(ordered, axis=1) > 0).all(axis=1)
    return float((shown.all(axis=1) & different).mean())


def catalogue_coverage(lists: Recommendations, recommendable: NDArray[np.bool_]) -> float:
    """Share of the recommendable items that appear in at least one row.

    Source: M. Ge, C. Delgado-Battenfeld, D. Jannach, Beyond accuracy, 2010.

    Examples
    --------
    >>> ids, scores = np.array(["a", "b"]), np.zeros((2, 1), np.float32)
    >>> rows = Recommendations(ids, ids, np.int32([[0], [0]]), scores, np.array([False, False]))
    >>> catalogue_coverage(rows, np.array([True, True]))
    0.5
    """
    shown = np.unique(lists.items[lists.items != NONE])
    return float(recommendable[shown].sum() / recommendable.sum())


def fallback_share(lists: Recommendations) -> float:
    """Share of the filled places that hold what sells most, for lack of anything personal.

    0 where no place holds an item.

    Examples
    --------
    >>> ids, scores = np.array(["a", "b"]), np.zeros((2, 1), np.float32)
    >>> row = Recommendations(ids, ids, np.int32([[0], [1]]), scores, np.array([False, True]))
    >>> fallback_share(row)
    0.5
    """
    shown = int((lists.items != NONE).sum())
    return 1 - int(lists.own.sum()) / shown if shown else 0.0


def overlap(first: Recommendations, second: Recommendations) -> NDArray[np.float64]:
    """Share of the places that two answers to the same users fill with the same items, by user.

    The order within a row does not count; catalogues may differ; two empty rows share everything.

    Examples
    --------
    >>> ids, scores = np.array(["a", "b", "c"]), np.zeros((1, 2), np.float32)
    >>> row = Recommendations(ids[:1], ids, np.int32([[0, 1]]), scores, np.array([False]))
    >>> same = Recommendations(ids[:1], ids[1:], np.int32([[1, 0]]), scores, np.array([False]))
    >>> overlap(row, same).tolist()
    [0.5]
    """
    places = np.append(positions(first.catalogue, second.catalogue), NONE)
    translated = places[second.items]  # position -1 reads the NONE at the end
    same = (first.items[:, :, None] == translated[:, None, :]) & (first.items != NONE)[:, :, None]
    longest = np.maximum((first.items != NONE).sum(axis=1), (second.items != NONE).sum(axis=1))
    shared: NDArray[np.int64] = same.any(axis=2).sum(axis=1)
    return np.where(longest > 0, shared / np.maximum(longest, 1), 1.0)


def novelty(lists: Recommendations, takers: NDArray[np.int64], n_users: int) -> float:
    """Mean surprise of the shown items in bits: -log2 of the share of users who had the item.

    An item nobody had counts as one had by one user. 0 where no place holds an item.
    Source: T. Zhou et al., Solving the apparent diversity-accuracy dilemma, 2010; S. Vargas,
    P. Castells, Rank and relevance in novelty and diversity metrics, 2011.

    Parameters
    ----------
    takers : array of int, shape (n_items,)
        How many of the `n_users` train users had each item.

    Examples
    --------
    Half of the users had the first item, an eighth the second.

    >>> ids, scores = np.array(["a", "b"]), np.zeros((1, 2), np.float32)
    >>> row = Recommendations(ids[:1], ids, np.int32([[0, 1]]), scores, np.array([False]))
    >>> novelty(row, np.array([4, 1]), 8)
    2.0
    """
    shown = lists.items[lists.items != NONE]
    if not shown.size:
        return 0.0
    return float(-np.log2(np.maximum(takers[shown], 1) / n_users).mean())


def diversity(lists: Recommendations, attributes: Matrix) -> float:
    """Mean over users of the mean distance of two items of their list: 1 - cosine of attributes.

    An item without attributes is like nothing. Lists of fewer than two items are left out; 0 where
    all are.
    Source: C. Ziegler et al., Improving Recommendation Lists Through Topic Diversification, 2005.

    Parameters
    ----------
    attributes : csr_matrix, shape (n_items, n_features)
        Not negative.

    Examples
    --------
    One of two attributes is shared.

    >>> ids, scores = np.array(["a", "b"]), np.zeros((1, 2), np.float32)
    >>> row = Recommendations(ids[:1], ids, np.int32([[0, 1]]), scores, np.array([False]))
    >>> round(diversity(row, csr_matrix(np.float32([[1, 1, 0], [1, 0, 1]]))), 4)
    0.5
    """
    units = _units(attributes)
    users, places = (lists.items != NONE).nonzero()
    shown = lists.items[users, places]
    shape = (len(lists.items), attributes.shape[0])
    marks = csr_matrix((np.ones(len(users)), (users, shown)), shape=shape)
    sums = marks @ units
    lengths = np.asarray(sums.multiply(sums).sum(axis=1)).ravel()
    own = marks @ np.asarray(units.multiply(units).sum(axis=1)).ravel()
    counts = np.asarray(marks.sum(axis=1)).ravel()
    pairs = counts * (counts - 1)
    several = pairs > 0
    if not several.any():
        return 0.0
    return float((1 - (lengths - own)[several] / pairs[several]).mean())


def popularity_share(lists: Recommendations, takers: NDArray[np.int64]) -> float:
    """Share of the filled places that hold one of the most popular 1% of the items.

    At least one item counts as most popular; a hash of the id chooses among equally popular ones.
    0 where no place holds an item.
    Source: H. Abdollahpouri, R. Burke, B. Mobasher, Managing Popularity Bias in Recommender
    Systems with Personalized Re-ranking, 2019 (their short head).

    Examples
    --------
    >>> ids, scores = np.array(["a", "b"]), np.zeros((1, 2), np.float32)
    >>> row = Recommendations(ids[:1], ids, np.int32([[0, 1]]), scores, np.array([False]))
    >>> popularity_share(row, np.array([4, 1]))
    0.5
    """
    shown = lists.items[lists.items != NONE]
    ranked = np.lexsort((hashes(lists.catalogue), -takers))
    popular = ranked[: int(np.ceil(POPULAR * len(takers)))]
    return float(np.isin(shown, popular).mean()) if shown.size else 0.0


def _units(attributes: Matrix) -> Matrix:
    lengths = np.sqrt(np.asarray(attributes.multiply(attributes).sum(axis=1))).ravel()
    inverse = np.divide(1.0, lengths, out=np.zeros(len(lengths)), where=lengths > 0)
    return csr_matrix(diags_array(inverse) @ attributes)
