"""The hold-out as arrays: on which users, and on which of their items, models are scored.

These are users with train history who took at least one new item after the cut. New means: not
among the user's train items, as those are left out of the lists. A wanted item that may not be
shown (no picture, out of stock) stays wanted, so it counts as a miss for every model. What no
model can know is left out and counted: users first seen after the cut, items unknown at the cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from infra.errors import InputError
from models.data.run_tables import RunTables
from models.metrics.ranking import Counts
from models.recommender import NONE, Matrix, UserIds, positions


@dataclass(frozen=True)
class Holdout:
    """The eligible users and what they wanted.

    Attributes
    ----------
    users : array of str, shape (n,)
        Sorted.
    wanted : csr_matrix of bool, shape (n, n_items)
        At least one entry per row.
    left_out : csr_matrix, shape (n, n_items)
        What the same users may not be shown.
    cold_users, unknown_items : int
        Users without train history, and items unknown at the cut, that were left out.
    """

    users: UserIds
    wanted: Matrix
    left_out: Matrix
    cold_users: int
    unknown_items: int

    @property
    def relevant(self) -> Counts:
        """How many items each user wanted, shape (n,)."""
        counts: Counts = np.diff(self.wanted.indptr).astype(np.int64)
        return counts


def select(tables: RunTables) -> Holdout:
    """Choose the users and items to score on.

    Raises
    ------
    InputError
        Nobody is left to score on.
    """
    users, items = tables.holdout
    rows = positions(tables.train.users, users)
    columns = positions(tables.train.items, items)
    known = (rows != NONE) & (columns != NONE)
    shape = tables.train.weights.shape
    marks = np.ones(int(known.sum()), dtype=np.int8)
    taken = csr_matrix((marks, (rows[known], columns[known])), shape=shape)
    trained = tables.train.weights.astype(bool).astype(np.int8)
    wanted = csr_matrix(taken - taken.multiply(trained))
    wanted.eliminate_zeros()
    eligible = np.flatnonzero(np.diff(wanted.indptr))
    if not eligible.size:
        raise InputError(
            f"None of {len(np.unique(users))} hold-out users has train history and a new item.",
            "Widen CATWALK_TRAINING_WINDOW_DAYS or CATWALK_HOLDOUT_DAYS.",
        )
    return Holdout(
        users=tables.train.users[eligible],
        wanted=wanted[eligible].astype(bool),
        left_out=tables.train.weights[eligible],
        cold_users=len(np.unique(users[rows == NONE])),
        unknown_items=len(np.unique(items[columns == NONE])),
    )


def notes_of(holdout: Holdout, tables: RunTables) -> list[str]:
    """Say in sentences what the numbers of a run do not cover; nothing where all is covered."""
    bare = np.flatnonzero(np.diff(tables.items.matrix.indptr) == 0)
    amounts = {
        "hold-out users have no history before the cut": holdout.cold_users,
        "hold-out items were unknown at the cut": holdout.unknown_items,
        "items have no attributes, such as "
        f"{tables.items.items[bare[0]] if bare.size else ''}": len(bare),
    }
    return [f"{count} {what}." for what, count in amounts.items() if count]
