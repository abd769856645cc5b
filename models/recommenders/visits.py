"""The items of many visits in the order in which people chose them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.schemas import EVENT_TYPES
from models.recommender import NONE, Interactions
from models.steps import NO_CHOICE, Steps


@dataclass(frozen=True)
class Visits:
    """Visits in the order in which they ended, each with the different items that were chosen.

    Attributes
    ----------
    starts : array of int64, shape (n_visits + 1,)
        Visit v has the items from `starts[v]` up to, and without, `starts[v + 1]`: one at least.
    items : array of int64
        Positions among the items; in the order of the last time of each, none twice in a visit.
    ends : array of datetime64[us], shape (n_visits,)
        Ascending.
    """

    starts: NDArray[np.int64]
    items: NDArray[np.int64]
    ends: NDArray[np.datetime64]

    def latest(self, visits: int, length: int) -> Visits:
        """Keep the latest visits, and the last items of each."""
        lengths = np.diff(self.starts)
        number = np.repeat(np.arange(len(lengths)), lengths)
        from_end = self.starts[number + 1] - 1 - np.arange(len(self.items))
        first = max(0, len(lengths) - visits)
        kept = (from_end < length) & (number >= first)
        starts = np.concatenate([[0], np.cumsum(np.minimum(lengths[first:], length))])
        return Visits(starts, self.items[kept], self.ends[first:])


def visits_of(steps: Steps) -> Visits:
    """Return what was chosen in each visit: not what the shop showed, nor what came back."""
    shown = [EVENT_TYPES.index(name) for name in NO_CHOICE]
    chosen = (steps.item != NONE) & ~np.isin(steps.kind, shown)
    return _visits(steps.visits[chosen], steps.item[chosen], steps.times[chosen])


def visits_of_pairs(train: Interactions) -> Visits:
    """Take all items of a user as one visit, for where nobody wrote down the steps."""
    users = np.repeat(np.arange(len(train.users)), np.diff(train.weights.indptr))
    return _visits(users, train.weights.indices.astype(np.int64), train.last_times)


def _visits(
    visits: NDArray[np.int64], items: NDArray[np.int64], times: NDArray[np.datetime64]
) -> Visits:
    """Order steps by the end of their visit, then by time; of an item the last step counts."""
    moments = times.astype(np.int64)
    latest = np.lexsort((np.arange(len(items)), moments, items, visits))
    same = (np.diff(visits[latest]) == 0) & (np.diff(items[latest]) == 0)
    once = latest[np.append(~same, True)] if len(latest) else latest
    visits, items, moments = visits[once], items[once], moments[once]
    names, rows = np.unique(visits, return_inverse=True)
    ends = np.full(len(names), np.iinfo(np.int64).min)
    np.maximum.at(ends, rows, moments)
    order = np.lexsort((items, moments, rows, ends[rows]))
    lengths = np.bincount(rows, minlength=len(names))[np.argsort(ends, kind="stable")]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Visits(starts, items[order], np.sort(ends).astype("datetime64[us]"))
