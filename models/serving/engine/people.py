"""What a version holds of each customer: the lists made for her, and what she did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from infra.placements import ListRule
from models.recommender import NONE
from models.recommenders.model_files import load_arrays
from models.recommenders.one_row import place_of

Keys: TypeAlias = NDArray[np.bytes_]
AGAIN = "Build the bundle again."


def name_of(rule: ListRule) -> str:
    """Return the name of a rule in the file of lists.

    >>> name_of(ListRule("bought", 30)), name_of(ListRule("seen"))
    ('bought_30', 'seen')
    """
    return f"{rule.leave_out}_{rule.within_days}" if rule.within_days else rule.leave_out


@dataclass(frozen=True)
class Lists:
    """The ready lists of known customers.

    Attributes
    ----------
    users : array of bytes, shape (n_users,)
        Keys, sorted.
    items, scores : dict of str to array of int32 and of float32, shape (n_users, longest)
        By rule; -1 where a list is shorter.
    """

    FILE: ClassVar[str] = "lists.npz"

    users: Keys
    items: dict[str, NDArray[np.int32]]
    scores: dict[str, NDArray[np.float32]]

    @classmethod
    def load(cls, folder: Path, rules: list[ListRule]) -> Lists:
        """Read `lists.npz`; raise `BundleError` if it cannot be, or lacks a rule."""
        names = [name_of(rule) for rule in rules]
        wanted = [f"{what}_{name}" for what in ("items", "scores") for name in names]
        arrays = load_arrays(folder / cls.FILE, ["users", *wanted], AGAIN)
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
        name = name_of(rule)
        if name not in self.items:
            return None
        positions, scores = self.items[name][row].tolist(), self.scores[name][row].tolist()
        while positions and positions[-1] == NONE:
            del positions[-1], scores[-1]
        return positions, scores


@dataclass(frozen=True)
class Histories:
    """What each customer did with which item, the strongest first.

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

    FILE: ClassVar[str] = "histories.npz"

    users: Keys
    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    weights: NDArray[np.float32]
    bought_at: NDArray[np.int64]

    @classmethod
    def load(cls, folder: Path) -> Histories:
        """Read `histories.npz`; raise `BundleError` if it cannot be."""
        names = ("users", "starts", "items", "weights", "bought_at")
        return cls(**load_arrays(folder / cls.FILE, names, AGAIN))

    def of(self, key: str) -> History:
        """Return the history of a customer, empty for strangers."""
        row = place_of(self.users, key.encode()) if key else NONE
        part = slice(0, 0) if row == NONE else slice(self.starts[row], self.starts[row + 1])
        return History(row != NONE, self.items[part], self.weights[part], self.bought_at[part])


@dataclass(frozen=True, slots=True)
class History:
    """What one customer did: arrays as in `Histories`; `known` is False for a stranger."""

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
        since = int(rule.bought_since(as_of.astimezone(UTC)).timestamp())
        return list(self.items[self.bought_at >= since].tolist())

    def bought(self, *, ever: bool) -> tuple[list[int], list[float]]:
        """Return what was bought, or what was only looked at: items and weights above 0."""
        chosen = ((self.bought_at > 0) == ever) & (self.weights > 0)
        return self.items[chosen].tolist(), self.weights[chosen].tolist()

    def has_bought(self, item: int) -> bool:
        """Tell whether an item was ever bought."""
        return bool((self.bought_at[self.items == item] > 0).any())
