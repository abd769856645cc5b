"""What every model must do: a recipe that is fitted, and a recommender that answers.

A data scientist writes a `Recipe` in one file and adds one entry to `candidates.yaml`; training,
the contract tests, evaluation, the release decision and serving then know the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from infra.errors import InputError

UserIds: TypeAlias = NDArray[np.str_]
ItemIds: TypeAlias = NDArray[np.str_]
Matrix: TypeAlias = Any  # scipy.sparse.csr_matrix; scipy ships no types
NONE = -1  # the position of "no item" and "no user"


@dataclass(frozen=True)
class Interactions:
    """Who did something with what.

    Attributes
    ----------
    users : array of str, shape (n_users,)
        Sorted and unique; each has at least one interaction.
    items : array of str, shape (n_items,)
        Sorted and unique: exactly the items of the `ItemFeatures` beside it.
    weights : csr_matrix of float32, shape (n_users, n_items)
        Strength of interest, positive and finite; no stored zeros, sorted column indices.
    last_times : array of datetime64[us], shape (weights.nnz,)
        UTC, when the user last touched the item; in the order of `weights.data`.
    """

    users: UserIds
    items: ItemIds
    weights: Matrix
    last_times: NDArray[np.datetime64]


@dataclass(frozen=True)
class ItemFeatures:
    """The attributes of every item, as known at the cut.

    Attributes
    ----------
    items : array of str, shape (n_items,)
        Sorted and unique: the catalogue and every item somebody interacted with.
    names : tuple of str, length n_features
        What each column says, such as `brand=Aurora`.
    matrix : csr_matrix of float32, shape (n_items, n_features)
        1 where the item has the attribute. An item that is not in the catalogue has an empty row.
    has_picture, in_stock : array of bool, shape (n_items,)
        False for an item that is not in the catalogue.
    titles : array of str, shape (n_items,), optional
        As customers read them, "" where unknown; None where the shop has none.
    """

    items: ItemIds
    names: tuple[str, ...]
    matrix: Matrix
    has_picture: NDArray[np.bool_]
    in_stock: NDArray[np.bool_]
    titles: NDArray[np.str_] | None = None

    @property
    def recommendable(self) -> NDArray[np.bool_]:
        """Which items may be shown at all, shape (n_items,)."""
        return self.has_picture & self.in_stock


@dataclass(frozen=True)
class Recommendations:
    """One row per asked user, in the order asked.

    Attributes
    ----------
    users : array of str, shape (n,)
    catalogue : array of str, shape (n_items,)
        The items that positions point into.
    items : array of int32, shape (n, k)
        Positions in `catalogue`, best first, no item twice; -1 (always last) where no item is left.
    scores : array of float32, shape (n, k)
        Descending, -inf where there is no item. Only their order within a row means anything.
    fallback : array of bool, shape (n,)
        The row knows nothing of this user: it is the list for strangers.
    filled : array of bool, shape (n, k), optional
        The place holds what sells most, as the model knew nothing more for this user; None where
        a model always knows.
    """

    users: UserIds
    catalogue: ItemIds
    items: NDArray[np.int32]
    scores: NDArray[np.float32]
    fallback: NDArray[np.bool_]
    filled: NDArray[np.bool_] | None = None

    @property
    def own(self) -> NDArray[np.bool_]:
        """Which places hold an item that was chosen for this user, shape (n, k)."""
        chosen: NDArray[np.bool_] = (self.items != NONE) & ~self.fallback[:, None]
        return chosen if self.filled is None else chosen & ~self.filled

    def item_ids(self, row: int) -> list[str]:
        """Return the item ids of one row, best first, without the empty places."""
        positions = self.items[row]
        return [str(item) for item in self.catalogue[positions[positions != NONE]]]

    def kept(self, allowed: NDArray[np.bool_], k: int) -> Recommendations:
        """Return the first k allowed items of every row; `allowed` has the shape of `items`."""
        allowed = allowed & (self.items != NONE)
        first = np.argsort(~allowed, axis=1, kind="stable")[:, :k]
        items = np.take_along_axis(np.where(allowed, self.items, NONE), first, axis=1)
        scores = np.take_along_axis(np.where(allowed, self.scores, -np.inf), first, axis=1)
        filled = self.filled
        return replace(
            self,
            items=items.astype(np.int32),
            scores=scores.astype(np.float32),
            filled=None if filled is None else np.take_along_axis(filled & allowed, first, axis=1),
        )


@runtime_checkable
class Recommender(Protocol):
    """What a fit returns: it answers, and it can be written down."""

    @property
    def items(self) -> ItemIds:
        """The catalogue its answers point into, sorted, shape (n_items,)."""

    @property
    def recommendable(self) -> NDArray[np.bool_]:
        """Which of `items` it may name, shape (n_items,)."""

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """Return up to `k` recommendable items per user; unknown users get the fallback list.

        Raises
        ------
        InputError
            `k` is below 1.
        """

    def save(self, folder: Path) -> None:
        """Write arrays (`.npz`, no pickle) into an existing folder; equal arrays, equal bytes."""


@runtime_checkable
class Recipe(Protocol):
    """The parameters of a model as a frozen `Strict` model, and how to fit it.

    `test_recommender_contract.py` says as tests what it and its `Recommender` promise.
    """

    def fit(self, train: Interactions, items: ItemFeatures) -> Recommender:
        """Learn.

        Raises
        ------
        InputError
            Nothing can be learnt from this input.
        """

    @classmethod
    def load(cls, folder: Path) -> Recommender:
        """Read what `save` wrote: the same answers, bit by bit.

        Raises
        ------
        BundleError
            The folder does not hold such a model.
        """

    def model_dump(self) -> dict[str, Any]:
        """Return every parameter by its name; `Strict` has this method."""


def stacked(parts: Sequence[Recommendations]) -> Recommendations:
    """Put the rows of several answers below each other; all point into the same catalogue."""
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("users", "items", "scores", "fallback", "filled")
        if getattr(parts[0], name) is not None
    }
    return replace(parts[0], **arrays)


def texts(column: Any) -> NDArray[np.str_]:
    """Turn an Arrow text column into a numpy array of str; empty stays an array of str."""
    return np.asarray(column.to_pylist(), dtype=np.str_)


def positions(ids: NDArray[np.str_], wanted: NDArray[np.str_]) -> NDArray[np.int64]:
    """Find ids in a sorted array; -1 where they are not in it.

    Examples
    --------
    >>> positions(np.array(["a", "c"]), np.array(["c", "b"])).tolist()
    [1, -1]
    """
    if not ids.size or not wanted.size:
        return np.full(wanted.shape, NONE, dtype=np.int64)
    places = np.searchsorted(ids, wanted).clip(max=ids.size - 1)
    return np.where(ids[places] == wanted, places, NONE).astype(np.int64)


def require_learnable(train: Interactions, items: ItemFeatures) -> None:
    """Refuse input that no model can learn from.

    Raises
    ------
    InputError
        An item is in one of the tables only, there are no interactions or fewer than two
        users, a weight is not positive and finite, or `require_features` raises.
    """
    weights = train.weights.data
    lone = np.setxor1d(train.items, items.items)
    if lone.size:
        place = "interactions" if lone[0] in train.items else "attributes"
        raise InputError(f"Item '{lone[0]}' is in the {place} only.", "Read them together.")
    if not weights.size:
        raise InputError("There are no positive interactions.", "Check weights and window.")
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights > 0)))
    if wrong.size:
        item = train.items[train.weights.indices[wrong[0]]]
        raise InputError(
            f"The weight {weights[wrong[0]]} of item '{item}' is not positive and finite.",
            "Check build_interactions.",
        )
    if len(train.users) < 2:
        raise InputError("Only one user interacted.", "A recommender learns from many users.")
    require_features(items)


def require_features(items: ItemFeatures) -> None:
    """Refuse attributes that no model can use; an item without any attribute is fine.

    Raises
    ------
    InputError
        The rows are not those of the items, an attribute is not finite, or no item may be
        recommended.
    """
    if items.matrix.shape != (len(items.items), len(items.names)):
        raise InputError(
            f"The attributes of {len(items.items)} items have the shape {items.matrix.shape}.",
            "Give one row per item and one column per name.",
        )
    wrong = items.matrix.indices[~np.isfinite(items.matrix.data)]
    if wrong.size:
        raise InputError(
            f"The attribute '{items.names[wrong[0]]}' is not finite somewhere.",
            "Check the catalogue and build the items again.",
        )
    if not items.recommendable.any():
        raise InputError(
            "No item may be recommended: none has a picture and is in stock.",
            "Check has_picture, in_stock and updated_at of the catalogue.",
        )
