"""What each user did in the whole window: left out of lists, bought again, or looked at.

One file answers what every placement leaves out, and the placements that show customers their own
items. `jobs/recommend_users.py` publishes lists by the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from infra.errors import BundleError
from infra.placements import LOOKED_AT, ListRule
from infra.schemas import HISTORY
from infra.storage import Storage
from models.recommender import NONE, ItemIds, Matrix, UserIds, positions
from models.recommenders.model_files import load_arrays
from models.recommenders.one_row import place_of

if TYPE_CHECKING:  # a server that opens histories needs no Arrow
    import pyarrow as pa

REBUILD = "Build the bundle again."
NAMES = ("users", "starts", "items", "weights", "bought_at")


@dataclass(frozen=True)
class Histories:
    """The items of every user, those they want most first; of equal ones the first id.

    Attributes
    ----------
    users : array of bytes, shape (n,)
        Keys as UTF-8, sorted: a quarter of the size of text.
    starts : array of int64, shape (n + 1,)
        Where the items of each user start in the arrays below.
    items : array of int32, shape (m,)
        Positions in the ids of the bundle's `items.npz`, of which there are `n_items`.
    weights : array of float32, shape (m,)
        As in the table `history`, falling within a user; 0: all was sent back.
    bought_at : array of int64, shape (m,)
        Seconds since 1970 in UTC, of the last purchase, also if sent back; 0: never bought.
    """

    FILE: ClassVar[str] = "histories.npz"

    users: NDArray[Any]
    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    weights: NDArray[np.float32]
    bought_at: NDArray[np.int64]
    n_items: int

    def left_out(self, users: UserIds, rule: ListRule, as_of: datetime) -> Matrix:
        """Mark what a rule leaves out for some users, as of the end of the bundle's data.

        Returns
        -------
        csr_matrix of int8, shape (len(users), n_items)
        """
        if rule.leave_out == "nothing":
            return csr_matrix((len(users), self.n_items), dtype=np.int8)
        rows = self._pairs[self._rows_of(users)]
        hidden = rows
        if rule.leave_out == "bought":
            hidden = _at_or_after(rows, _since(rule, as_of))
        ones = np.ones(hidden.nnz, dtype=np.int8)
        return csr_matrix((ones, hidden.indices, hidden.indptr), shape=hidden.shape)

    def of(self, key: str) -> History:
        """Return the history of one user, empty for strangers."""
        row = place_of(self.users, key.encode()) if key else NONE
        part = slice(0, 0) if row == NONE else slice(self.starts[row], self.starts[row + 1])
        return History(self.items[part], self.weights[part], self.bought_at[part])

    def save(self, folder: Path) -> None:
        """Write `histories.npz`; equal arrays give equal bytes."""
        np.savez(folder / self.FILE, **{name: getattr(self, name) for name in NAMES})

    @classmethod
    def open(cls, folder: Path, n_items: int) -> Histories:
        """Read `histories.npz`, whose entries were looked at before; raise `BundleError` if not."""
        return cls(**load_arrays(folder / cls.FILE, NAMES, REBUILD), n_items=n_items)

    @classmethod
    def load(cls, folder: Path, n_items: int) -> Histories:
        """Read `histories.npz`; raise `BundleError` if it cannot be, or does not fit the items."""
        histories = cls.open(folder, n_items)
        if not histories._fits():
            raise BundleError(f"{folder / cls.FILE} does not fit the items of its bundle.", REBUILD)
        return histories

    def _fits(self) -> bool:
        amount = self.items.shape
        return bool(
            self.starts.shape == (len(self.users) + 1,)
            and self.starts[0] == 0
            and self.starts[-1] == len(self.items)
            and amount == self.weights.shape == self.bought_at.shape
            and (np.diff(self.starts) > 0).all()
            and ((self.items >= 0) & (self.items < self.n_items)).all()
        )

    def _rows_of(self, users: UserIds) -> NDArray[np.int64]:
        """Return the row of each user; the empty one after the last for those who are not there."""
        keys: NDArray[Any] = np.char.encode(users, "utf-8")
        rows = positions(self.users, keys)
        return np.where(rows == NONE, len(self.users), rows)

    @cached_property
    def _starts_of_all(self) -> NDArray[np.int64]:
        return np.append(self.starts, len(self.items))

    @cached_property
    def _pairs(self) -> Matrix:
        """When what was bought, plus 1 as no zero may be stored, shape (n + 1, n_items)."""
        shape = (len(self.users) + 1, self.n_items)
        return csr_matrix((self.bought_at + 1, self.items, self._starts_of_all), shape=shape)


@dataclass(frozen=True, slots=True)
class History:
    """What one user did: arrays as in `Histories`."""

    items: NDArray[np.int32]
    weights: NDArray[np.float32]
    bought_at: NDArray[np.int64]

    def left_out(self, rule: ListRule, as_of: datetime) -> list[int]:
        """Return the items that a rule leaves out as of the end of the bundle's data."""
        if rule.leave_out == "nothing" or not len(self.items):
            return []
        if rule.leave_out == "seen":
            return list(self.items.tolist())
        return list(self.items[self.bought_at >= _since(rule, as_of)].tolist())

    def own(self, answers: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return what the user has bought (`again`), or looked at and never bought (`looked_at`).

        What was sent back is neither.

        Returns
        -------
        items, weights : arrays of shape (p,)
            The most wanted first.
        """
        is_bought = self.bought_at > 0
        chosen = (self.weights > 0) & (~is_bought if answers == LOOKED_AT else is_bought)
        return self.items[chosen], self.weights[chosen]

    def has_bought(self, item: int) -> bool:
        """Tell whether an item was ever bought."""
        return bool((self.bought_at[self.items == item] > 0).any())


def _since(rule: ListRule, as_of: datetime) -> int:
    return floor(rule.bought_since(as_of).timestamp())


def _at_or_after(rows: Matrix, since: int) -> Matrix:
    late = rows.data - 1 >= since
    starts = np.concatenate([[0], np.cumsum(late)])[rows.indptr]
    return csr_matrix((late[late], rows.indices[late], starts), shape=rows.shape)


def read_histories(storage: Storage, run: str, items: ItemIds) -> Histories:
    """Return what the table `history` of a run says of the items of a bundle, sorted ids.

    Raises
    ------
    StorageError
        The table was never finished.
    InputError
        It lacks a column, or holds no value where one must be.
    """
    from models.data.run_tables import read_table
    from models.data.text_columns import coded

    rows = read_table(storage, HISTORY, run, by_code=("user_key", "item_id"))
    (keys, user_of), (ids, item_of) = coded(rows["user_key"]), coded(rows["item_id"])
    places = positions(items, ids)[item_of]
    known = places != NONE
    user_of, places = user_of[known], places[known]
    weights = rows["weight"].to_numpy().astype(np.float32)[known]
    order = np.lexsort((places, -weights, user_of))
    present, starts = np.unique(user_of[order], return_index=True)
    return Histories(
        users=np.char.encode(keys[present], "utf-8"),
        starts=np.append(starts, len(order)).astype(np.int64),
        items=places[order].astype(np.int32),
        weights=weights[order],
        bought_at=_seconds(rows["bought_time"])[known][order],
        n_items=len(items),
    )


def _seconds(times: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return whole seconds since 1970, 0 for null."""
    import pyarrow as pa

    micros = times.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(0).to_numpy()
    seconds: NDArray[np.int64] = micros // 1_000_000
    return seconds
