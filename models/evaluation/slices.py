"""Scores kinds of users and items on their own, as a mean over all can hide them.

| slice | who |
|---|---|
| new users | users who last touched each of their items in the week before the cut |
| light, heavy users | the quarter of the users with the fewest, the most train items |
| new items | users who wanted an item last touched by all in the week before the cut, or never |
| category=X | users who wanted an item of it; the categories wanted most |

In a slice of items, only these items count as wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from infra.records.evaluation import Slice
from models.data.holdout import Holdout
from models.data.run_tables import RunTables
from models.metrics.ranking import RANKING, K, marked
from models.recommender import Recommendations, positions

FEWEST_USERS = 50  # below, an interval is wider than any difference worth acting on
NEW = np.timedelta64(7, "D")
CATEGORIES = 5
SHOWN = (f"ndcg_at_{K}", f"recall_at_{K}", f"hit_rate_at_{K}")

Members = NDArray[np.bool_]


@dataclass(frozen=True)
class Kind:
    """One slice: its name, which users, and which wanted items of theirs count."""

    name: str
    users: Members
    items: Members | None = None


def kinds(holdout: Holdout, tables: RunTables) -> tuple[Kind, ...]:
    """Say who belongs to which slice; the same for every model of a run."""
    return (*_user_kinds(holdout, tables), *_item_kinds(holdout, tables))


def score_slices(
    lists: Recommendations, holdout: Holdout, slices: tuple[Kind, ...]
) -> tuple[Slice, ...]:
    """Score the first `K` of every user in every slice; one that is too small has no metrics."""
    return tuple(_scored(lists, holdout, kind) for kind in slices)


def _scored(lists: Recommendations, holdout: Holdout, kind: Kind) -> Slice:
    wanted = holdout.wanted
    if kind.items is not None:
        wanted = csr_matrix(wanted @ diags_array(kind.items.astype(np.float32)))
        wanted.eliminate_zeros()
    rows = np.flatnonzero(kind.users & (np.diff(wanted.indptr) > 0))
    if len(rows) < FEWEST_USERS:
        return Slice(name=kind.name, users=len(rows), too_small=True)
    part = replace(holdout, users=holdout.users[rows], wanted=wanted[rows])
    hits = marked(part.wanted, lists.items[rows])
    metrics = {name: float(RANKING[name](hits, part.relevant).mean()) for name in SHOWN}
    return Slice(name=kind.name, users=len(rows), too_small=False, metrics=metrics)


def _user_kinds(holdout: Holdout, tables: RunTables) -> Iterator[Kind]:
    places = positions(tables.train.users, holdout.users)
    had = np.diff(tables.train.weights.indptr)[places]
    few, many = np.quantile(had, [0.25, 0.75], method="inverted_cdf")
    first = np.minimum.reduceat(tables.train.last_times, tables.train.weights.indptr[:-1])
    yield Kind("new users", (first >= _week_before(tables))[places])
    yield Kind(f"light users (up to {few} items)", had <= few)
    yield Kind(f"heavy users ({many} items or more)", had >= many)


def _item_kinds(holdout: Holdout, tables: RunTables) -> Iterator[Kind]:
    everyone = np.ones(len(holdout.users), dtype=np.bool_)
    train = tables.train
    old = train.weights.indices[train.last_times < _week_before(tables)]
    new = np.ones(len(train.items), dtype=np.bool_)
    new[old] = False
    yield Kind("new items", everyone, new)
    for name, members in _categories(holdout, tables):
        yield Kind(name, everyone, members)


def _categories(holdout: Holdout, tables: RunTables) -> list[tuple[str, Members]]:
    names = np.array(tables.items.names, dtype=np.str_)
    columns = np.flatnonzero(np.char.startswith(names, "category="))
    times = np.asarray(holdout.wanted.sum(axis=0)).ravel()
    wanted = tables.items.matrix[:, columns].T @ times
    most = np.argsort(-wanted, kind="stable")[:CATEGORIES]
    members = tables.items.matrix[:, columns[most]].toarray() > 0
    return [(str(names[columns[place]]), members[:, rank]) for rank, place in enumerate(most)]


def _week_before(tables: RunTables) -> np.datetime64:
    return np.datetime64(tables.cut.replace(tzinfo=None)) - NEW
