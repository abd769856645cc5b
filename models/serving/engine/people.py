"""What a version holds of each customer: the lists made for her, and what she did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import floor
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from infra.placements import ListRule
from models.bundle.histories import NAMES, REBUILD, Histories
from models.bundle.lists import Lists
from models.recommender import NONE
from models.recommenders.model_files import load_arrays
from models.recommenders.one_row import place_of

Keys: TypeAlias = NDArray[np.bytes_]


@dataclass(frozen=True)
class ReadyLists:
    """The lists of known customers, one asked for at a time; see `models.bundle.lists`.

    Attributes
    ----------
    users : array of bytes, shape (n_users,)
        Keys, sorted.
    items, scores : dict of str to array of int32 and of float32, shape (n_users, longest)
        By rule; -1 where a list is shorter.
    """

    users: Keys
    items: dict[str, NDArray[np.int32]]
    scores: dict[str, NDArray[np.float32]]

    @classmethod
    def load(cls, folder: Path, rules: list[ListRule]) -> ReadyLists:
        """Read `lists.npz`; raise `BundleError` if it cannot be, or lacks a rule."""
        names = [rule.name for rule in rules]
        wanted = [f"{what}_{name}" for what in ("items", "scores") for name in names]
        arrays = load_arrays(folder / Lists.FILE, ["users", *wanted], REBUILD)
        return cls(
            arrays["users"],
            {name: arrays[f"items_{name}"] for name in names},
            {name: arrays[f"scores_{name}"] for name in names},
        )

    def row(self, key: str) -> int:
        """Return the row of a customer; -1 for strangers."""
        return place_of(self.users, key.encode())

    def of(self, row: int, rule: ListRule) -> tuple[list[int], list[float]] | None:
        """Return the list of a row, without empty places; None where none obeys this rule."""
        name = rule.name
        if name not in self.items:
            return None
        positions, scores = self.items[name][row].tolist(), self.scores[name][row].tolist()
        while positions and positions[-1] == NONE:
            del positions[-1], scores[-1]
        return positions, scores


@dataclass(frozen=True)
class KnownHistories:
    """What customers did, one asked for at a time; see `models.bundle.histories`.

    Attributes
    ----------
    users : array of bytes, shape (n_users,)
        Keys, sorted.
    starts : array of int64, shape (n_users + 1,)
        Where the entries of each user start in the other arrays.
    items : array of int32
        Positions in the ids of `items.npz`.
    weights : array of float32
        0 where all was sent back.
    bought_at : array of int64
        Seconds since 1970, of the last purchase; 0 if it was never bought.
    """

    users: Keys
    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    weights: NDArray[np.float32]
    bought_at: NDArray[np.int64]

    @classmethod
    def load(cls, folder: Path) -> KnownHistories:
        """Read `histories.npz`; raise `BundleError` if it cannot be."""
        return cls(**load_arrays(folder / Histories.FILE, NAMES, REBUILD))

    def of(self, key: str) -> History:
        """Return the history of a customer, empty for strangers."""
        row = place_of(self.users, key.encode()) if key else NONE
        part = slice(0, 0) if row == NONE else slice(self.starts[row], self.starts[row + 1])
        return History(row != NONE, self.items[part], self.weights[part], self.bought_at[part])


@dataclass(frozen=True, slots=True)
class History:
    """What one customer did: arrays as in `KnownHistories`; `known` is False for a stranger."""

    known: bool
    items: NDArray[Any]
    weights: NDArray[Any]
    bought_at: NDArray[Any]

    def left_out(self, rule: ListRule, as_of: datetime) -> list[int]:
        """Return the items that a rule leaves out as of the end of a version's data."""
        if rule.leave_out == "nothing" or not len(self.items):
            return []
        if rule.leave_out == "seen":
            return list(self.items.tolist())
        since = floor(rule.bought_since(as_of).timestamp())
        return list(self.items[self.bought_at >= since].tolist())

    def bought(self, *, ever: bool) -> tuple[list[int], list[float]]:
        """Return what was bought, or what was only looked at: items and weights above 0."""
        chosen = ((self.bought_at > 0) == ever) & (self.weights > 0)
        return self.items[chosen].tolist(), self.weights[chosen].tolist()

    def has_bought(self, item: int) -> bool:
        """Tell whether an item was ever bought."""
        return bool((self.bought_at[self.items == item] > 0).any())
