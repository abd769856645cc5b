"""Draws a share of the users, the same ones every time."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from models.data.pairs import Past
from models.data.run_tables import RunTables
from models.recommender import UserIds

Users: TypeAlias = NDArray[np.bool_]


def sampled(tables: RunTables, share: float) -> RunTables:
    """Keep a share of the users, the same at every call; items stay as they are."""
    if share == 1:
        return tables
    train, past = tables.train, tables.past
    kept, held_out = in_sample(train.users, share), in_sample(tables.holdout.users, share)
    pairs = np.repeat(kept, np.diff(train.weights.indptr))
    part = replace(
        train,
        users=train.users[kept],
        weights=train.weights[np.flatnonzero(kept)],
        last_times=train.last_times[pairs],
    )
    rows = np.flatnonzero(kept)
    return replace(
        tables,
        train=part,
        past=Past(past.seen[rows], past.bought[rows]),
        holdout=tables.holdout.of_users(held_out),
    )


def in_sample(users: UserIds, share: float) -> Users:
    """Tell by a hash of their keys who is in; a larger share has everyone of a smaller one.

    Examples
    --------
    >>> in_sample(np.array(["a", "b", "c", "d"]), 0.5).tolist()
    [False, True, True, False]
    """
    limit = share * 2**32
    return np.array([crc32(user.encode()) < limit for user in users.tolist()], dtype=np.bool_)
