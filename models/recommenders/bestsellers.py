"""What sells most now: the list for strangers, what fills short lists, and the baseline.

An item counts by the different users who touched it in the last days, so a user who takes it a
hundred times counts once. How many days is chosen on the days before the cut, by the window whose
first ten items most users took in the two weeks after it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.metrics.ranking import K
from models.recommender import Interactions, UserIds
from models.recommenders.capabilities import NOBODY
from models.recommenders.top_k import Best, Vectors, top_k
from models.ties import Hashes, Ties, hashes

WINDOWS = (28, 14, 7, 3)  # days; of equally good ones the first
WEEK, WEEKS = 7, 2  # the windows are tried on the last two weeks, one after the other
AGES = max(WINDOWS) + WEEK * WEEKS
DAY = np.timedelta64(1, "D")

Takers = NDArray[np.int64]


def popularity(train: Interactions) -> Vectors:
    """Rank items by their different users in the best window, shape (n_items,).

    Only the last time of a pair is known, and it is enough: whoever touched an item in the days
    before the end did so last in them. For windows that end earlier, users who came back later are
    missing, from all windows alike.
    """
    return of_takers(takers_by_age(train))


def takers_by_age(train: Interactions) -> Takers:
    """Count users by the age of their last touch of an item, shape (AGES + 1, n_items).

    Row d counts the ages of d to d + 1 days before the last touch of all; the last row counts all
    that are older.
    """
    ages = (train.last_times.max() - train.last_times) // DAY
    places = np.minimum(ages, AGES) * len(train.items) + train.weights.indices
    counts = np.bincount(places, minlength=(AGES + 1) * len(train.items))
    return counts.reshape(AGES + 1, -1).astype(np.int64)


def of_takers(by_age: Takers) -> Vectors:
    """Return the users in the best window, and below 1 those of all time: they order the rest."""
    now = by_age[: best_window(by_age)].sum(axis=0)
    ever = by_age.sum(axis=0)
    users: Vectors = (now + ever / (ever.max() + 1)).astype(np.float32)
    return users


def best_window(by_age: Takers) -> int:
    """Choose among `WINDOWS` by the discounted share of later takers that its best items get.

    Examples
    --------
    Ten items were in fashion a month ago, and ten others have sold in the last three weeks.

    >>> by_age = np.zeros((AGES + 1, 20), dtype=np.int64)
    >>> by_age[25:35, :10], by_age[:20, 10:] = 9, 5
    >>> best_window(by_age)
    14
    """
    gains = dict.fromkeys(WINDOWS, 0.0)
    for week in range(1, WEEKS + 1):
        end = week * WEEK
        later = by_age[end - WEEK : end].sum(axis=0)
        for window in WINDOWS:
            before = by_age[end : end + window].sum(axis=0)
            gains[window] += _gain(before, later / max(1, later.sum()))
    return max(gains, key=gains.__getitem__)


def bestsellers(
    popularity: Vectors, items: Hashes, recommendable: NDArray[np.bool_], k: int, amount: int
) -> Best:
    """Return the list for strangers `amount` times, as `top_k` would."""
    anybody = np.ones((1, 1), dtype=np.float32)
    ties = Ties(hashes(np.array([NOBODY])), items)
    best, scores = top_k(anybody, popularity[:, None], k, recommendable, ties=ties)
    return np.repeat(best, amount, axis=0), np.repeat(scores, amount, axis=0)


def with_strangers(
    asked: UserIds,
    known: NDArray[np.bool_],
    own: Vectors,
    sold: Vectors,
    items: Hashes,
    recommendable: NDArray[np.bool_],
) -> tuple[Vectors, Ties]:
    """Return what `capabilities.ScoresAll` promises.

    Parameters
    ----------
    own : array of float32, shape (known users, recommendable items)
        Of whom the model knows; all others have `sold`, the popularity of each item.
    """
    columns = np.flatnonzero(recommendable)
    scores = np.full((len(asked), len(recommendable)), -np.inf, dtype=np.float32)
    scores[:, columns] = sold[columns]
    scores[np.ix_(known, columns)] = own
    return scores, Ties(hashes(np.where(known, asked, NOBODY)), items)


def _gain(before: Takers, later: NDArray[np.float64]) -> float:
    first = np.argsort(-before, kind="stable")[:K]
    return float((later[first] / np.log2(np.arange(2, len(first) + 2))).sum())
