"""What a bundle leaves out of the answers to each user: the rule of the placement `home`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from infra.errors import BundleError, InputError
from infra.placements import ListRule
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from infra.utc import in_utc
from models.recommender import NONE, ItemIds, Matrix, UserIds, positions, texts
from models.recommenders.model_files import load_arrays

AGAIN = "Build the bundle again."


@dataclass(frozen=True)
class LeftOut:
    """Items by user; whoever has none has no entry.

    Attributes
    ----------
    users : array of bytes, shape (n,)
        Keys as UTF-8, sorted: a quarter of the size of text.
    starts : array of int64, shape (n + 1,)
        Where the items of each user start in `items`.
    items : array of int32
        Positions in the ids of the bundle's `items.npz`, of which there are `n_items`.
    """

    FILE: ClassVar[str] = "left_out.npz"

    users: NDArray[Any]
    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    n_items: int

    def of(self, users: UserIds) -> Matrix:
        """Return what each of these users is not shown: a csr matrix with a row for each."""
        keys: NDArray[Any] = np.char.encode(users, "utf-8")
        places = positions(self.users, keys)
        return self._matrix[np.where(places == NONE, len(self.users), places)]

    @cached_property
    def _matrix(self) -> Matrix:
        """A row per user, and an empty one for all others, shape (n + 1, n_items)."""
        starts = np.append(self.starts, len(self.items))
        ones = np.ones(len(self.items), dtype=np.int8)
        return csr_matrix((ones, self.items, starts), shape=(len(starts) - 1, self.n_items))

    def save(self, folder: Path) -> None:
        """Write `left_out.npz`; equal arrays give equal bytes."""
        np.savez(folder / self.FILE, users=self.users, starts=self.starts, items=self.items)

    @classmethod
    def load(cls, folder: Path, n_items: int) -> LeftOut:
        """Read `left_out.npz`; raise `BundleError` if it cannot be, or does not fit the items."""
        file = folder / cls.FILE
        left_out = cls(**load_arrays(file, ("users", "starts", "items"), AGAIN), n_items=n_items)
        fits = (
            left_out.starts.shape == (len(left_out.users) + 1,)
            and left_out.starts[0] == 0
            and left_out.starts[-1] == len(left_out.items)
            and (np.diff(left_out.starts) > 0).all()
            and ((left_out.items >= 0) & (left_out.items < n_items)).all()
        )
        if not fits:
            raise BundleError(f"{file} does not fit the items of its bundle.", AGAIN)
        return left_out


def read_left_out(storage: Storage, run: str, rule: ListRule, items: ItemIds) -> LeftOut:
    """Return what a rule leaves out as of the end of a run's data; `items` are those of the bundle.

    Raises
    ------
    StorageError
        The interactions of the run were never finished.
    InputError
        They were written before it was noted what was bought.
    """
    rows = _pairs(storage, run, rule)
    users, codes = np.unique(np.char.encode(texts(rows["user_key"]), "utf-8"), return_inverse=True)
    places = positions(items, texts(rows["item_id"]))
    known = places != NONE
    pairs = csr_matrix(
        (np.ones(int(known.sum()), dtype=np.int8), (codes[known], places[known])),
        shape=(len(users), len(items)),
    )
    pairs.sum_duplicates()
    has_any = np.diff(pairs.indptr) > 0
    starts = np.concatenate([[0], pairs.indptr[1:][has_any]]).astype(np.int64)
    return LeftOut(users[has_any], starts, pairs.indices.astype(np.int32), len(items))


def _pairs(storage: Storage, run: str, rule: ListRule) -> Any:
    """Read the pairs that a rule leaves out, of both parts: nothing else is held in memory."""
    dataset = storage.lake.dataset(INTERACTIONS.name, run)
    columns = ["user_key", "item_id"]
    if rule.leave_out == "seen":
        return dataset.to_table(columns)
    if "bought_time" not in dataset.schema.names:
        raise InputError(f"The interactions of {run} lack bought_time.", "Build them again.")
    if rule.leave_out == "nothing":
        return dataset.schema.empty_table().select(columns)
    as_of = in_utc(datetime.fromisoformat(storage.lake.manifest(INTERACTIONS.name, run)["as_of"]))
    return dataset.to_table(columns, filter=pc.field("bought_time") >= rule.bought_since(as_of))
