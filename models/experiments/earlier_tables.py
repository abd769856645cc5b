"""Cuts the tables of a run once more, earlier: a search is scored there, never on the hold-out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from infra.errors import InputError
from infra.schemas import EVENT_TYPES
from models.data.pairs import Pairs, Past
from models.data.run_tables import RunTables
from models.recommender import NONE, Interactions, Matrix, positions
from models.recommenders.habits import DAY, before
from models.steps import Steps

LAST_DAYS = 7.0  # what a search is scored on; a third of shorter tables
PURCHASE = EVENT_TYPES.index("purchase")


def earlier(
    tables: RunTables, steps: Steps, success: Collection[str], half_life_days: float
) -> tuple[RunTables, Steps]:
    """Move the cut to before the last days of the train part.

    Parameters
    ----------
    tables : RunTables
        Of a run; its hold-out is not read.
    steps : Steps
        Before the cut of the run, over the same items.
    success : collection of str
        Event types that count as a success.

    Returns
    -------
    RunTables
        Its train part is made of the steps before the new cut, its hold-out of those after it.
    Steps
        Before the new cut.

    Raises
    ------
    InputError
        There are no steps.
    """
    times = steps.times
    if not len(times):
        raise InputError("The run has no steps before its cut.", "Choose another run.")
    cut = times.max() - min(LAST_DAYS * DAY, (times.max() - times.min()) / 3)
    train, past = before(tables.train, steps, cut, half_life_days)
    moved = replace(
        tables,
        train=train,
        past=_past(train, past),
        holdout=_holdout(train, steps.of_steps(times >= cut), success),
        cut=cut.astype("datetime64[us]").item().replace(tzinfo=UTC),
        as_of=tables.cut,
    )
    return moved, past


def _past(train: Interactions, steps: Steps) -> Past:
    users, items = _places(train, steps)
    known = (users != NONE) & (items != NONE)
    bought = known & (steps.kind == PURCHASE)
    shape = train.weights.shape
    seen = csr_matrix((np.ones(int(known.sum()), bool), (users[known], items[known])), shape=shape)
    return Past(seen, _latest(users[bought], items[bought], steps.times[bought], shape))


def _latest(
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    times: NDArray[np.datetime64],
    shape: tuple[int, int],
) -> Matrix:
    """Return the last time of each pair, csr of int64, in microseconds."""
    codes, place = np.unique(users * shape[1] + items, return_inverse=True)
    last = np.zeros(len(codes), dtype=np.int64)
    np.maximum.at(last, place, times.astype("datetime64[us]").astype(np.int64))
    return csr_matrix((last, (codes // shape[1], codes % shape[1])), shape=shape, dtype=np.int64)


def _holdout(train: Interactions, steps: Steps, success: Collection[str]) -> Pairs:
    """Count the successes of users and items that are known before the steps."""
    users, items = _places(train, steps)
    known = (users != NONE) & (items != NONE)
    width = train.weights.shape[1]
    codes, place = np.unique(users[known] * width + items[known], return_inverse=True)
    kinds = steps.kind[known]
    wanted = np.isin(kinds, [EVENT_TYPES.index(name) for name in success])
    successes, purchases = (
        np.bincount(place[chosen], minlength=len(codes)).astype(np.int32)
        for chosen in (wanted, kinds == PURCHASE)
    )
    return Pairs(train.users[codes // width], train.items[codes % width], successes, purchases)


def _places(train: Interactions, steps: Steps) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the user and the item of every step as positions in `train`; -1 where it has none."""
    users = positions(train.users, steps.persons)[steps.visitors][steps.visits]
    return users.astype(np.int64), steps.item
