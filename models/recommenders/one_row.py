"""Answers one question in microseconds, where `top_k` is made for thousands of users at once.

Threads and sparse matrices cost a millisecond before the first product; here is numpy alone, on
arrays that may be mapped from files. The answers are those of the slow way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.recommender import NONE
from models.recommenders.top_k import GROUP, Vectors
from models.ties import STEP, Hashes, mixed, mixed_number

Places: TypeAlias = NDArray[np.int32] | NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
POWERS = np.array([pow(STEP, place + 1, 2**64) for place in range(256)], dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Row:
    """The best items of one question: positions in the model's items, and scores, best first."""

    items: NDArray[np.int64]
    scores: Vectors


@runtime_checkable
class AnswersUserAtOnce(Protocol):
    """Answers about one user faster than `recommend` answers about many."""

    def row_of_user(self, user: str, k: int, allowed: Flags) -> Row | None:
        """Return up to k allowed items of the user's own, none that fills; None for strangers.

        Parameters
        ----------
        allowed : array of bool, shape (n_items,)
            What may be named, in place of `recommendable`.
        """

    def own_places(self, user: str, scores: Sequence[float]) -> int:
        """Say how many of the first places of a user's list are the user's own, by its scores."""


@runtime_checkable
class AnswersItemsAtOnce(Protocol):
    """Answers about a few items faster than `recommend_sessions` and `similar_items`."""

    def row_of_items(self, items: list[int], k: int, allowed: Flags) -> Row | None:
        """Return up to k allowed items that are like these; None if none of them says anything.

        Of one item it is what `similar_items` answers, of several what `recommend_sessions` does.

        Parameters
        ----------
        items : list of int
            At least one position; none of them is allowed.
        allowed : array of bool, shape (n_items,)
        """


def best_of(scores: Vectors, columns: NDArray[np.int64], k: int, row: int, ties: Hashes) -> Row:
    """Return the k highest of some scores, highest first, as `top_k` does.

    Parameters
    ----------
    scores : array of float32, shape (n,)
    columns : array of int64, shape (n,)
        Which items they are of.
    row : int
        Hash of the user, see `one_hash`.
    ties : array of uint64, shape (n_items,)
        Hashes of all items.
    """
    if 0 < k < len(scores):
        kept = np.flatnonzero(scores >= _floor(scores, k))
        scores, columns = scores[kept], columns[kept]
    keys = mixed(ties[columns] + np.uint64(row))
    order = np.lexsort((keys, -scores))[:k]
    return Row(columns[order], scores[order])


def best_of_all(scores: Vectors, k: int, row: int, ties: Hashes) -> Row:
    """Return what `best_of` does, of a score for every item; -inf is never returned."""
    floor = np.float32(np.finfo(np.float32).min)
    groups = len(scores) // GROUP
    if groups > k:  # at least k scores reach the k-th highest maximum of the groups
        maxima = scores[: groups * GROUP].reshape(GROUP, groups).max(axis=0)
        floor = max(floor, _floor(maxima, k))
    kept = np.flatnonzero(scores >= floor)
    return best_of(scores[kept], kept, k, row, ties)


def _floor(scores: Vectors, k: int) -> np.float32:
    kth: np.float32 = np.partition(scores, len(scores) - k)[len(scores) - k]
    return kth


def one_hash(name: str) -> int:
    """Return the hash of one id, as `models.ties.hashes` does.

    >>> from models.ties import hashes
    >>> one_hash("item7") == int(hashes(np.array(["item7"]))[0])
    True
    """
    letters = np.frombuffer(name[: len(POWERS)].encode("utf-32-le"), dtype=np.uint32)
    return mixed_number(int((letters * POWERS[: len(letters)]).sum()))


def place_of(names: NDArray[Any], name: str | bytes) -> int:
    """Return the place of a name in a sorted array of its kind; -1 if it is not there.

    A longer name than any is not looked for: numpy would copy all of them to its length.

    >>> place_of(np.array([b"a", b"c"]), b"c"), place_of(np.array(["a", "c"]), "longer")
    (1, -1)
    """
    width = names.dtype.itemsize if isinstance(name, bytes) else names.dtype.itemsize // 4
    if not names.size or len(name) > width:
        return NONE
    place = int(np.searchsorted(names, np.array(name, dtype=names.dtype)))
    return place if place < len(names) and names[place] == name else NONE


def stretches(
    rows: Places, starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of the entries of some rows of a csr matrix, one row after the other.

    Returns
    -------
    places : array of int64
    lengths : array of int64, shape (len(rows),)

    Examples
    --------
    >>> stretches(np.array([2, 0]), np.array([0, 2, 2, 5]))[0].tolist()
    [2, 3, 4, 0, 1]
    """
    first, lengths = starts[rows], starts[rows + 1] - starts[rows]
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(first - ends + lengths, lengths), lengths
