"""The lists that a model made for every user, as a server looks them up: arrays, no overrides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from infra.errors import BundleError
from infra.placements import ListRule, Placements
from infra.schemas import RECOMMENDATIONS
from infra.storage import Storage
from models.recommender import NONE, ItemIds
from models.recommenders.model_files import load_arrays
from models.recommenders.one_row import place_of

if TYPE_CHECKING:  # a server that opens lists needs no Arrow
    import pyarrow as pa

REBUILD = "Build the bundle again."
AGAIN = "Run recommend_users again."


@dataclass(frozen=True)
class Lists:
    """A list for each user and rule of what lists leave out; placements cut it to their length.

    Attributes
    ----------
    users : array of bytes, shape (n,)
        Keys as UTF-8, sorted.
    items : mapping of str to array of int32, shape (n, longest)
        By the name of the rule: positions in the ids of the bundle's `items.npz`, best first; -1,
        always last, where no item is left.
    scores : mapping of str to array of float32, shape (n, longest)
        By the name of the rule: falling, 0 where no item is.
    """

    FILE: ClassVar[str] = "lists.npz"

    users: NDArray[np.bytes_]
    items: Mapping[str, NDArray[np.int32]]
    scores: Mapping[str, NDArray[np.float32]]

    def save(self, folder: Path) -> None:
        """Write `lists.npz`; equal arrays give equal bytes."""
        arrays: dict[str, NDArray[Any]] = {}
        arrays |= {f"items_{name}": places for name, places in self.items.items()}
        arrays |= {f"scores_{name}": scores for name, scores in self.scores.items()}
        np.savez(folder / self.FILE, allow_pickle=False, users=self.users, **arrays)

    @classmethod
    def open(cls, folder: Path, rules: Collection[str]) -> Lists:
        """Read the lists of some rules, which were looked at before; raise `BundleError` if not."""
        names = [f"{kind}_{rule}" for kind in ("items", "scores") for rule in rules]
        arrays = load_arrays(folder / cls.FILE, ["users", *names], REBUILD)
        return cls(
            arrays["users"],
            {rule: arrays[f"items_{rule}"] for rule in rules},
            {rule: arrays[f"scores_{rule}"] for rule in rules},
        )

    @classmethod
    def load(cls, folder: Path, rules: Collection[str], n_items: int) -> Lists:
        """Read the lists of some rules; raise `BundleError` if they do not fit the items."""
        file, lists = folder / cls.FILE, cls.open(folder, rules)
        for rule in rules:
            items = lists.items[rule]
            is_shaped = items.ndim == 2 and len(items) == len(lists.users)
            if not is_shaped or items.shape != lists.scores[rule].shape:
                raise BundleError(f"{file} has arrays of unequal length.", REBUILD)
            if ((items < NONE) | (items >= n_items)).any():
                raise BundleError(f"{file} does not fit the items of its bundle.", REBUILD)
        return lists

    def row(self, key: str) -> int:
        """Return the row of a user; -1 for strangers."""
        return place_of(self.users, key.encode())

    def of(self, row: int, rule: ListRule) -> tuple[list[int], list[float]] | None:
        """Return the list of a row, without empty places; None where none obeys this rule."""
        name = rule.name
        if name not in self.items:
            return None
        places, scores = self.items[name][row].tolist(), self.scores[name][row].tolist()
        while places and places[-1] == NONE:
            del places[-1], scores[-1]
        return places, scores


def read_lists(storage: Storage, run: str, items: ItemIds, placements: Placements) -> Lists:
    """Return the lists of a run for the listed personal placements; `items` are sorted ids.

    Raises
    ------
    BundleError
        A user has a list of one placement only, or a list names no item of these.
    """
    by_rule = {rule: _of_rule(storage, run, items, placements, rule) for rule in placements.by_rule}
    users = by_rule[placements.home.rule][0]
    if not all(np.array_equal(users, others) for others, _, _ in by_rule.values()):
        raise BundleError(f"The lists of {run} lack users in some placement.", AGAIN)
    return Lists(
        users,
        {rule.name: places for rule, (_, places, _) in by_rule.items()},
        {rule.name: scores for rule, (_, _, scores) in by_rule.items()},
    )


def _of_rule(
    storage: Storage, run: str, items: ItemIds, placements: Placements, rule: ListRule
) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[np.float32]]:
    """Return the users and the longest lists of a rule; the shorter ones are their first items."""
    import pyarrow.compute as pc

    lengths = placements.by_rule[rule]
    longest = max(lengths, key=lengths.__getitem__)
    rows = storage.lake.dataset(RECOMMENDATIONS.name, run).to_table(
        filter=pc.field("placement") == longest
    )
    users: NDArray[Any] = np.asarray(
        [key.encode() for key in rows["user_key"].to_pylist()], dtype=np.bytes_
    )
    order = np.argsort(users)
    places, scores = padded(rows, items, lengths[longest])
    return users[order], places[order], scores[order]


def padded(
    rows: pa.Table, items: ItemIds, longest: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Turn the first items of the lists of some rows into positions and scores, (n, longest)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.list_value_length(rows["item_ids"]).to_numpy()
    flat = pc.index_in(pc.list_flatten(rows["item_ids"]), value_set=pa.array(items.tolist()))
    if flat.null_count:
        raise BundleError("A list names an item that is not in the catalogue.", AGAIN)
    row = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    found = np.full((len(lengths), longest), NONE, dtype=np.int32)
    scores = np.zeros((len(lengths), longest), dtype=np.float32)
    first = place < longest
    found[row[first], place[first]] = flat.to_numpy()[first]
    scores[row[first], place[first]] = pc.list_flatten(rows["scores"]).to_numpy()[first]
    return found, scores
