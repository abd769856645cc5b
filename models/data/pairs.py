"""Pairs of user and item as arrays: what users did before the cut, and after it.

Models learn from those with a weight (`models.recommender.Interactions`). What a user bought and
sent back has none; it still counts as bought.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.text_columns import coded
from models.recommender import NONE, Interactions, ItemIds, Matrix, UserIds, positions, texts


@dataclass(frozen=True)
class Past:
    """What the train users did before the cut, whether models learn from it or not.

    Attributes
    ----------
    seen : csr_matrix of bool, shape (n_users, n_items)
        They did anything with the item.
    bought : csr_matrix of int64, shape (n_users, n_items)
        When they last bought it, also if it was sent back: microseconds since 1970, UTC.
    """

    seen: Matrix
    bought: Matrix


@dataclass(frozen=True)
class Pairs:
    """What users did after the cut, one entry per pair of user and item.

    Attributes
    ----------
    users, items : arrays of str, shape (n,)
    successes, purchases : arrays of int, shape (n,)
        See the table `interactions`.
    """

    users: UserIds
    items: ItemIds
    successes: NDArray[np.int32]
    purchases: NDArray[np.int32]

    def of_users(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Return some of the pairs; `chosen` has the shape of `users`."""
        return Pairs(
            self.users[chosen], self.items[chosen], self.successes[chosen], self.purchases[chosen]
        )


def learnt(rows: pa.Table) -> pa.Table:
    """Return the rows that models learn from; weight 0 says that all was sent back."""
    return rows.filter(pc.greater(rows["weight"], 0))


def past_of(rows: pa.Table, train: Interactions) -> Past:
    """Turn all rows before the cut into arrays; users and items that `train` lacks are left out."""
    (keys, of_key), (ids, of_id) = coded(rows["user_key"]), coded(rows["item_id"])
    users, items = positions(train.users, keys)[of_key], positions(train.items, ids)[of_id]
    times = rows["bought_time"].cast(pa.timestamp("us")).cast(pa.int64()).fill_null(0).to_numpy()
    known, shape = (users != NONE) & (items != NONE), train.weights.shape
    places, marks = (users[known], items[known]), np.ones(int(known.sum()), dtype=np.bool_)
    bought = csr_matrix((times[known], places), shape=shape, dtype=np.int64)
    bought.eliminate_zeros()
    return Past(csr_matrix((marks, places), shape=shape), bought)


def pairs_of(rows: pa.Table) -> Pairs:
    """Turn the rows after the cut into arrays."""
    numbers = (rows[name].to_numpy() for name in ("successes", "purchases"))
    return Pairs(texts(rows["user_key"]), texts(rows["item_id"]), *numbers)
