"""Who is judged on what: the hold-out as arrays, and one model's lists held against it.

Judged are users with train history who took at least one new item after the cut. New means: not
among the user's train items, as those are left out of the lists. A wanted item that may not be
shown (no picture, out of stock) stays wanted, so it counts as a miss for every model. What no
model can know is left out and counted: users first seen after the cut, items unknown at the cut.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from infra.errors import InputError
from models.metrics import RANKING, Counts, Hits, K, catalogue_coverage, user_coverage
from models.recommender import (
    NONE,
    Matrix,
    Recommendations,
    Recommender,
    UserIds,
    positions,
    stacked,
)
from models.tables import RunTables

ASKED_OF_CHAMPION = 10 * K  # what was seen or sold out since its cut is taken out
BLOCK_USERS = 50_000  # 60 MB at a time for a champion's lists


@dataclass(frozen=True)
class Holdout:
    """The eligible users and what they wanted.

    Attributes
    ----------
    users : array of str, shape (n,)
        Sorted.
    wanted : csr_matrix of bool, shape (n, n_items)
        At least one entry per row.
    seen : csr_matrix, shape (n, n_items)
        What the same users did before the cut.
    cold_users, unknown_items : int
        Users without train history, and items unknown at the cut, that were left out.
    """

    users: UserIds
    wanted: Matrix
    seen: Matrix
    cold_users: int
    unknown_items: int


def select(tables: RunTables) -> Holdout:
    """Choose whom to judge on what.

    Raises
    ------
    InputError
        Nobody is left to judge by.
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
    judged = np.flatnonzero(np.diff(wanted.indptr))
    if not judged.size:
        raise InputError(
            f"None of {len(np.unique(users))} hold-out users has train history and a new item.",
            "Widen CATWALK_TRAINING_WINDOW_DAYS or CATWALK_HOLDOUT_DAYS.",
        )
    return Holdout(
        users=tables.train.users[judged],
        wanted=wanted[judged].astype(bool),
        seen=tables.train.weights[judged],
        cold_users=len(np.unique(users[rows == NONE])),
        unknown_items=len(np.unique(items[columns == NONE])),
    )


def measure(model: Recommender, holdout: Holdout, tables: RunTables) -> dict[str, float]:
    """Return every metric of `models.metrics` but the training time."""
    given = stacked([model.recommend(holdout.users[rows], K) for rows in _blocks(holdout)])
    return _metrics(given, holdout, tables)


def measure_champion(model: Recommender, holdout: Holdout, tables: RunTables) -> dict[str, float]:
    """Judge a model that was trained for an earlier run, by the same users and items.

    It does not know what users did and what sold out since, so it is asked for ten times as many
    items, and those that must not be shown today are taken out before the first ten are judged.
    """
    given = stacked([_todays(model, holdout, tables, rows) for rows in _blocks(holdout)])
    return _metrics(given, holdout, tables)


def _blocks(holdout: Holdout) -> list[slice]:
    starts = range(0, len(holdout.users), BLOCK_USERS)
    return [slice(start, start + BLOCK_USERS) for start in starts]


def _todays(
    model: Recommender, holdout: Holdout, tables: RunTables, rows: slice
) -> Recommendations:
    """Return a champion's first K of what may be shown today, by the items of this run."""
    given = model.recommend(holdout.users[rows], ASKED_OF_CHAMPION)
    places = np.append(positions(tables.items.items, given.catalogue), NONE)
    today = places[given.items].astype(np.int32)  # position -1 reads the NONE at the end
    shown = (today != NONE) & tables.items.recommendable[today]
    shown &= ~_marked(holdout.seen[rows], today)
    return replace(given, catalogue=tables.items.items, items=today).kept(shown, K)


def _metrics(given: Recommendations, holdout: Holdout, tables: RunTables) -> dict[str, float]:
    hits, relevant = hits_of(given, holdout)
    shown = tables.items.recommendable
    return {
        **{name: metric(hits, relevant) for name, metric in RANKING.items()},
        "user_coverage": user_coverage(given, shown),
        "catalogue_coverage": catalogue_coverage(given, shown),
    }


def hits_of(given: Recommendations, holdout: Holdout) -> tuple[Hits, Counts]:
    """Return where the lists hit, (n, k), and how many items each user wanted, (n,)."""
    return _marked(holdout.wanted, given.items), np.diff(holdout.wanted.indptr).astype(np.int64)


def _marked(matrix: Matrix, items: NDArray[np.integer]) -> Hits:
    """Tell for item positions (n, k) whether row i of a csr matrix stores them; -1 is never."""
    n, k = items.shape
    pairs = np.repeat(np.arange(n), k) * matrix.shape[1] + items.ravel()
    rows = np.repeat(np.arange(n), np.diff(matrix.indptr))
    stored = rows * matrix.shape[1] + matrix.indices
    marked: Hits = (np.isin(pairs, stored) & (items.ravel() != NONE)).reshape(n, k)
    return marked
