"""What is known of people, items and pairs at a time, as numbers that a ranker learns from.

Everything is made of what came before that time: `before` cuts steps and pairs, and all features
are of what it returns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from infra.schemas import EVENT_TYPES
from models.recommender import NONE, Interactions, ItemFeatures, Matrix, positions
from models.recommenders.top_k import Vectors
from models.steps import Steps

DAY = np.timedelta64(1, "D")
WEIGHTS = {
    "scroll": 0.5,
    "view": 1,
    "click": 1,
    "wishlist": 3,
    "cart": 4,
    "purchase": 5,
    "rating": 1,
}
BY_KIND = np.array([WEIGHTS.get(name, 0) for name in EVENT_TYPES], dtype=np.float64)
LATELY, SOON = 28, 7  # days by which takers of an item are counted
OF_PAIR = ("share", "strength", "age", "days", "gap", "due")
OF_ITEM = ("takers", "lately", "trend", "repeats")
OF_USER = ("items", "idle", "loyalty")


@dataclass(frozen=True)
class Habits:
    """Numbers of every pair, item and user; in the order of the interactions they are made of.

    Attributes
    ----------
    pairs : array of float32, shape (n_pairs, len(OF_PAIR))
        Share of the user's weight, logarithm of the weight, days since the last touch, days on
        which there was one, mean gap between them, and the age over the gap.
    items : array of float32, shape (n_items, len(OF_ITEM))
        Logarithms of takers ever and in 28 days, share of these in 7 days, share of takers who took
        it on two days.
    users : array of float32, shape (n_users, len(OF_USER))
        Logarithm of the number of items, days since the last touch, share of items touched on
        two days.
    """

    pairs: Vectors
    items: Vectors
    users: Vectors


def habits_of(train: Interactions, steps: Steps | None) -> Habits:
    """Describe pairs as of their latest touch of all; without steps each was touched on one day."""
    lengths, columns = np.diff(train.weights.indptr), train.weights.indices
    rows = np.repeat(np.arange(len(train.users)), lengths)
    now = train.last_times.max()
    age = (now - train.last_times) / DAY
    days, first = _days(train, rows, steps, now, age)
    gap = np.where(days > 1, (first - age) / np.maximum(days - 1, 1), 0.0)
    due = np.where(days > 1, age / np.maximum(gap, 1.0), NONE)
    weights = train.weights.data.astype(np.float64)
    totals = np.bincount(rows, weights, len(train.users))
    pairs = [weights / totals[rows], np.log(weights), age, days, gap, due]
    n_items, twice = len(train.items), (days > 1).astype(np.float64)
    takers = np.bincount(columns, minlength=n_items)
    late, soon = (np.bincount(columns[age < most], minlength=n_items) for most in (LATELY, SOON))
    items = [np.log1p(takers), np.log1p(late), soon / np.maximum(late, 1)]
    items.append(np.bincount(columns, twice, n_items) / np.maximum(takers, 1))
    idle = np.full(len(train.users), np.inf)
    np.minimum.at(idle, rows, age)
    users = [np.log1p(lengths), idle, np.bincount(rows, twice, len(train.users)) / lengths]
    return Habits(*(np.stack(part, axis=1).astype(np.float32) for part in (pairs, items, users)))


def before(
    train: Interactions, steps: Steps, cut: np.datetime64, half_life_days: float
) -> tuple[Interactions, Steps]:
    """Return what had been known before a time; nobody may be left.

    The weights are made of the steps alone: what came later is part of the weights of `train`.
    """
    past = steps.of_steps(steps.times < cut)
    rows, columns, kinds, times = _touches(train, past)
    strength = BY_KIND[kinds]
    day = times.astype("datetime64[D]").astype(np.int64)
    order = np.lexsort((times, day, kinds, columns, rows))
    keys = np.stack([rows, columns, kinds, day])[:, order]
    last = np.append((np.diff(keys, axis=1) != 0).any(axis=0), True) if len(order) else order
    once = order[last.astype(np.bool_)]
    once = once[strength[once] > 0]
    faded = strength[once] * 0.5 ** ((cut - times[once]) / DAY / half_life_days)
    return _interactions(train, rows[once], columns[once], faded, times[once]), past


def affinity(train: Interactions, attributes: Matrix) -> Matrix:
    """Return the share of each attribute in what every user did, csr (n_users, n_features)."""
    profile = csr_matrix(train.weights @ attributes, dtype=np.float64)
    totals = np.asarray(train.weights.sum(axis=1)).ravel()
    profile.data /= np.repeat(totals, np.diff(profile.indptr))
    return profile


def kinds_of_attributes(items: ItemFeatures) -> dict[str, NDArray[np.intp]]:
    """Return the columns of each kind of attribute, such as `brand`."""
    kinds = np.array([name.partition("=")[0] for name in items.names], dtype=np.str_)
    return {str(kind): np.flatnonzero(kinds == kind) for kind in np.unique(kinds)}


def _touches(
    train: Interactions, steps: Steps
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8], NDArray[np.datetime64]]:
    """Return user, item, kind and time of the steps of users and items that `train` has."""
    rows = positions(train.users, steps.persons)[steps.visitors][steps.visits]
    known = (rows != NONE) & (steps.item != NONE)
    return rows[known], steps.item[known], steps.kind[known], steps.times[known]


def _interactions(
    train: Interactions,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    values: NDArray[np.float64],
    times: NDArray[np.datetime64],
) -> Interactions:
    """Add up rows by pair; users without one are left out, items stay."""
    codes, place = np.unique(
        rows.astype(np.int64) * len(train.items) + columns, return_inverse=True
    )
    weights = np.bincount(place, values, len(codes)).astype(np.float32)
    last = np.full(len(codes), np.iinfo(np.int64).min)
    np.maximum.at(last, place, times.astype("datetime64[us]").astype(np.int64))
    users, of_user = np.unique(codes // len(train.items), return_inverse=True)
    starts = np.searchsorted(of_user, np.arange(len(users) + 1))
    shape = (len(users), len(train.items))
    matrix = csr_matrix((weights, codes % len(train.items), starts), shape=shape)
    return Interactions(train.users[users], train.items, matrix, last.astype("datetime64[us]"))


def _days(
    train: Interactions,
    rows: NDArray[np.int64],
    steps: Steps | None,
    now: np.datetime64,
    age: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count the days on which each pair was touched, and say how old the first touch is."""
    days, first = np.ones(len(rows)), age.copy()
    if steps is None:
        return days, first
    users, items, kinds, times = _touches(train, steps)
    wanted = BY_KIND[kinds] > 0
    old = (now - times[wanted]) / DAY
    codes = rows * len(train.items) + train.weights.indices
    place = positions_of(codes, users[wanted] * len(train.items) + items[wanted])
    there = place != NONE
    np.maximum.at(first, place[there], old[there])
    whole = np.unique(np.stack([place[there], np.floor(old[there]).astype(np.int64)]), axis=1)
    return np.maximum(np.bincount(whole[0], minlength=len(rows)), 1.0), first


def positions_of(codes: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find numbers in a sorted array; -1 where they are not in it.

    >>> positions_of(np.array([2, 5]), np.array([5, 3])).tolist()
    [1, -1]
    """
    places = np.searchsorted(codes, wanted).clip(max=max(0, len(codes) - 1))
    if not len(codes):
        return np.full(len(wanted), NONE, dtype=np.int64)
    return np.where(codes[places] == wanted, places, NONE).astype(np.int64)
