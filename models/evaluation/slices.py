"""Scores kinds of users and items on their own, as a mean over all can hide them.

| slice | who |
|---|---|
| new to the customer | users who wanted an item that they had done nothing with before the cut |
| repeated | users who wanted an item again |
| purchases | users who bought an item, and did not just put it into the cart |
| new customers | people without a history, by the next item of their visit: see `newcomers` |
| new users | users who last touched each of their items in the week before the cut |
| light, heavy users | the quarter of the users with the fewest, the most train items |
| new items | users who wanted an item last touched by all in the week before the cut, or never |
| category=X | users who wanted an item of it; the categories wanted most |

In a slice of items, or of pairs of user and item, only these count as wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from infra.records.evaluation import Slice
from models.data.holdout import Holdout, without
from models.data.run_tables import RunTables
from models.metrics.ranking import RANKING, K, Values, marked
from models.recommender import Matrix, Recommendations

FEWEST_USERS = 50  # below, an interval is wider than any difference worth acting on
NEW = np.timedelta64(7, "D")
CATEGORIES = 5
NEWCOMERS = "new customers"
SHOWN = (f"ndcg_at_{K}", f"recall_at_{K}", f"hit_rate_at_{K}")

Members = NDArray[np.bool_]


@dataclass(frozen=True)
class Kind:
    """One slice: its name, and the wanted items that count in it, csr (n_users, n_items)."""

    name: str
    wanted: Matrix


def kinds(holdout: Holdout, tables: RunTables) -> tuple[Kind, ...]:
    """Say who belongs to which slice; the same for every model of a run."""
    return (
        Kind("new to the customer", without(holdout.wanted, holdout.repeated)),
        Kind("repeated", holdout.repeated),
        Kind("purchases", holdout.purchased),
        *_user_kinds(holdout, tables),
        *_item_kinds(holdout, tables),
    )


def score_slices(
    lists: Recommendations, slices: tuple[Kind, ...], shown: tuple[str, ...] = SHOWN
) -> tuple[Slice, ...]:
    """Score every slice by some ranking metrics; one that is too small has no metrics."""
    return tuple(_scored(lists, kind, shown) for kind in slices)


def newcomers_slice(by_newcomer: Mapping[str, Values]) -> tuple[Slice, ...]:
    """Return the slice of people without a history, by metrics of its own; none without steps."""
    if not by_newcomer:
        return ()
    users = len(next(iter(by_newcomer.values())))
    if users < FEWEST_USERS:
        return (Slice(name=NEWCOMERS, users=users, too_small=True),)
    metrics = {name: float(values.mean()) for name, values in by_newcomer.items()}
    return (Slice(name=NEWCOMERS, users=users, too_small=False, metrics=metrics),)


def _scored(lists: Recommendations, kind: Kind, shown: tuple[str, ...]) -> Slice:
    rows = np.flatnonzero(np.diff(kind.wanted.indptr))
    if len(rows) < FEWEST_USERS:
        return Slice(name=kind.name, users=len(rows), too_small=True)
    wanted = kind.wanted[rows]
    hits, relevant = marked(wanted, lists.items[rows]), np.diff(wanted.indptr)
    metrics = {name: float(RANKING[name](hits, relevant).mean()) for name in shown}
    return Slice(name=kind.name, users=len(rows), too_small=False, metrics=metrics)


def _user_kinds(holdout: Holdout, tables: RunTables) -> Iterator[Kind]:
    had = np.diff(tables.train.weights.indptr)[holdout.rows]
    few, many = np.quantile(had, [0.25, 0.75], method="inverted_cdf")
    first = np.minimum.reduceat(tables.train.last_times, tables.train.weights.indptr[:-1])
    members = {
        "new users": (first >= _week_before(tables))[holdout.rows],
        f"light users (up to {few} items)": had <= few,
        f"heavy users ({many} items or more)": had >= many,
    }
    for name, users in members.items():
        yield Kind(name, _kept(diags_array(users.astype(np.float32)) @ holdout.wanted))


def _item_kinds(holdout: Holdout, tables: RunTables) -> Iterator[Kind]:
    train = tables.train
    old = train.weights.indices[train.last_times < _week_before(tables)]
    new = np.ones(len(train.items), dtype=np.bool_)
    new[old] = False
    for name, items in (("new items", new), *_categories(holdout, tables)):
        yield Kind(name, _kept(holdout.wanted @ diags_array(items.astype(np.float32))))


def _kept(product: Matrix) -> Matrix:
    wanted = csr_matrix(product, dtype=np.bool_)
    wanted.eliminate_zeros()
    return wanted


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
