"""Which items foretell an item: ridge regression of each item on all others, in closed form.

Source: H. Steck, Embarrassingly Shallow Autoencoders for Sparse Data, 2019. Of each item only the
weights that say most are kept, which made lists better, not worse.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from infra.rules import Strict
from models.recommender import Interactions, ItemFeatures, Matrix, require_learnable
from models.recommenders.also_bought import latest
from models.recommenders.neighbours import Neighbours, assemble

NOTHING = 1e-6  # smaller weights are what rounding leaves of 0
BLOCK = 256  # rows at a time

Square = NDArray[np.float64]


class Ease(Strict):
    """An item scores by the summed weights of what the user had; a weight may be below 0.

    Inverting takes 8 bytes per pair of items at once: 3.2 GB for 20,000 items. Where there are more
    than `most_items`, or than `memory_mb` holds, those with the most users are learnt from; of the
    others it says nothing, and what sells fills their places.
    """

    regularisation: float = Field(
        200.0, ge=1e-3, le=1e9, description="the larger, the more an item needs to be foretold"
    )
    neighbours: int = Field(100, ge=1, le=10_000, description="strongest weights kept per item")
    weight_power: float = Field(
        0.5, ge=0, le=1, description="weights are raised to this power; 0 makes all equal"
    )
    longest_history: int = Field(
        500, ge=2, le=100_000, description="latest items of a user that count"
    )
    most_items: int = Field(20_000, ge=2, le=100_000, description="items that are learnt from")
    memory_mb: int = Field(4096, ge=64, description="of the inverse, in MiB")
    num_threads: int = Field(1, ge=1, le=256, description="BLAS threads")

    def fit(self, train: Interactions, items: ItemFeatures) -> Neighbours:
        """See `models.recommender.Recipe.fit`."""
        require_learnable(train, items)
        damped = train.weights.copy()
        damped.data = damped.data ** np.float32(self.weight_power)
        counted = latest(damped, train, self.longest_history)
        chosen = most_taken(counted, self._amount(len(items.items)))
        with threadpool_limits(self.num_threads, user_api="blas"):
            inverse = inverted(gram(counted[:, chosen]), self.regularisation)
        shown = items.recommendable[chosen]
        strong = strongest(inverse, shown, self.neighbours)
        return assemble(train, items, damped.data, _among(strong, chosen, len(items.items)))

    @classmethod
    def load(cls, folder: Path) -> Neighbours:
        """See `models.recommender.Recipe.load`."""
        return Neighbours.load(folder)

    def _amount(self, items: int) -> int:
        """Return how many items fit into the memory: 8 bytes for each pair of them."""
        return min(items, self.most_items, int((self.memory_mb * 2**20 / 8) ** 0.5))


def most_taken(weights: Matrix, amount: int) -> NDArray[np.intp]:
    """Return the items with the most users, in the order of their places.

    >>> most_taken(csr_matrix(np.float32([[1, 0, 1], [1, 0, 2]])), 2).tolist()
    [0, 2]
    """
    takers = np.bincount(weights.indices, minlength=weights.shape[1])
    return np.sort(np.argsort(-takers, kind="stable")[:amount])


def gram(weights: Matrix) -> Square:
    """Return how often items come together, (n_items, n_items), without a sparse copy of it."""
    by_item = weights.astype(np.float64).T.tocsr()
    square = np.empty((by_item.shape[0], by_item.shape[0]), order="F")
    for rows in _blocks(len(square)):
        square[rows] = (by_item[rows] @ by_item.T).toarray()
    return square


def inverted(square: Square, regularisation: float) -> Square:
    """Return the inverse of a Gram matrix with `regularisation` on its diagonal, in its place."""
    square[np.diag_indices(len(square))] += regularisation
    factor, _ = dpotrf(square, lower=True, overwrite_a=True)
    inverse, _ = dpotri(factor, lower=True, overwrite_c=True)
    for rows in _blocks(len(inverse)):  # LAPACK writes one half of it
        inverse[: rows.stop, rows] = inverse[rows, : rows.stop].T
        block = inverse[rows, rows]
        inverse[rows, rows] = np.tril(block.T) + np.tril(block.T, -1).T
    return np.asarray(inverse)


def strongest(inverse: Square, shown: NDArray[np.bool_], keep: int) -> Matrix:
    """Return the weights of the items that each item foretells, the strongest of both signs.

    Parameters
    ----------
    inverse : array of float64, shape (n_items, n_items)
    shown : array of bool, shape (n_items,)
        Which items may be foretold.
    keep : int
        How many at most per item.

    Returns
    -------
    csr_matrix of float32, shape (n_items, n_items)
    """
    columns, own = np.flatnonzero(shown), np.diag(inverse)
    most, parts = min(keep, len(columns)), []
    for rows in _blocks(len(inverse)):
        weights = -inverse[rows][:, columns] / own[columns]
        weights[np.arange(len(inverse))[rows, None] == columns] = 0
        first = np.argpartition(-np.abs(weights), most - 1, axis=1)[:, :most] if most else columns
        parts.append(_sparse(np.take_along_axis(weights, first, axis=1), columns[first]))
    values, places, lengths = (np.concatenate(part) for part in zip(*parts, strict=True))
    starts = np.concatenate([[0], np.cumsum(lengths)])
    kept = csr_matrix((values, places, starts), shape=inverse.shape, dtype=np.float32)
    kept.sort_indices()
    return kept


def _sparse(
    weights: NDArray[np.float64], columns: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.int64]]:
    """Return the entries of a block that are not 0, and how many each row has."""
    there = np.abs(weights) > NOTHING
    return weights[there], columns[there], there.sum(axis=1)


def _among(weights: Matrix, chosen: NDArray[np.intp], amount: int) -> Matrix:
    """Put weights of chosen items among those of all."""
    entries = weights.tocoo()
    places = (chosen[entries.row], chosen[entries.col])
    return csr_matrix((entries.data, places), shape=(amount, amount))


def _blocks(amount: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, amount)) for start in range(0, amount, BLOCK)]
