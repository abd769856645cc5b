"""Says when to stop training: by the NDCG of each epoch on the last day of some users.

Source: L. Prechelt, Early Stopping - But When?, 1998.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.metrics.ranking import K, marked, ndcg
from models.recommender import Interactions, Matrix
from models.recommenders.top_k import Vectors, top_k

DAY = np.timedelta64(1, "D")
MOST_WATCHED = 500  # users; what they did is missing from all but the last epoch
FEWEST_WATCHED = 50  # fewer would stop by chance

Model = TypeVar("Model")


@dataclass(frozen=True)
class Watched:
    """The validation day of some users.

    Attributes
    ----------
    weights : csr_matrix, shape (n_users, n_items)
        Train weights without the pairs kept back.
    users : array of int
        Positions of the watched users; each has an older pair too.
    wanted : csr_matrix, shape (len(users), n_items)
        What they took on the last day.
    """

    weights: Matrix
    users: NDArray[np.int64]
    wanted: Matrix

    def ndcg(self, users: Vectors, items: Vectors, recommendable: NDArray[np.bool_]) -> float:
        """Rank everything that the watched users had not before; vectors of all users and items."""
        seen = self.weights[self.users]
        lists, _ = top_k(users[self.users], items, K, recommendable, seen)
        return float(ndcg(marked(self.wanted, lists), np.diff(self.wanted.indptr)).mean())


def watch(train: Interactions) -> Watched | None:
    """Keep back the last day of up to 500 users; None if fewer than 50 could be watched."""
    late = train.last_times > train.last_times.max() - DAY
    rows = np.repeat(np.arange(len(train.users)), np.diff(train.weights.indptr))
    amount = len(train.users)
    late_pairs = np.bincount(rows[late], minlength=amount)
    both = np.flatnonzero((late_pairs > 0) & (late_pairs < np.diff(train.weights.indptr)))
    if len(both) < FEWEST_WATCHED:
        return None
    spread = np.linspace(0, len(both) - 1, min(len(both), MOST_WATCHED)).astype(np.intp)
    users = both[spread]
    kept_back = late & np.isin(rows, users)
    return Watched(_part(train, rows, ~kept_back), users, _part(train, rows, kept_back)[users])


def train_until_worse(
    model: Model,
    epoch: Callable[[Model], object],
    quality: Callable[[Model], float],
    most: int,
    patience: int,
) -> tuple[Model, list[float]]:
    """Train epoch by epoch until `patience` epochs brought nothing better.

    Returns
    -------
    model
        As it was after the best epoch.
    list of float
        The quality after each epoch, also of those after the best.
    """
    best, curve, best_epoch = model, list[float](), 0
    for number in range(1, most + 1):
        epoch(model)
        curve.append(quality(model))
        if not best_epoch or curve[-1] > curve[best_epoch - 1]:
            best, best_epoch = deepcopy(model), number
        elif number - best_epoch >= patience:
            break
    return best, curve


def _part(train: Interactions, rows: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Matrix:
    places = (rows[chosen], train.weights.indices[chosen])
    return csr_matrix((train.weights.data[chosen], places), shape=train.weights.shape)
