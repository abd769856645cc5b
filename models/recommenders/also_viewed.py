"""Who looked at this looked next at that: transitions within visits, which fade with age.

Source: M. Ludewig, D. Jannach, Evaluation of Session-based Recommendation Algorithms, 2018, its
sequential rules: an item later in the visit counts 1 over its distance.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from infra.rules import Strict
from models.recommender import Interactions, ItemFeatures, Matrix, require_learnable
from models.recommenders.neighbours import Neighbours, assemble
from models.recommenders.visits import Visits, visits_of, visits_of_pairs
from models.steps import Steps

DAY = np.timedelta64(1, "D")


class AlsoViewed(Strict):
    """An item scores by how often it came after those the user had, soon and lately.

    It answers product pages and the visits of strangers from their first look on.
    """

    reach: int = Field(5, ge=1, le=50, description="how many items later still count")
    half_life_days: float = Field(30.0, gt=0, le=3650, description="age that makes it count half")
    neighbours: int = Field(100, ge=1, le=10_000, description="strongest successors kept per item")
    popularity_power: float = Field(
        0.0, ge=0, le=1, description="how much is taken from items that come after everything"
    )
    weight_power: float = Field(
        0.5, ge=0, le=1, description="weights are raised to this power; 0 makes all equal"
    )

    def fit(self, train: Interactions, items: ItemFeatures) -> Neighbours:
        """Learn from the pairs, as if all a user did were one visit."""
        require_learnable(train, items)
        return self._learn(train, items, visits_of_pairs(train))

    def fit_steps(self, train: Interactions, items: ItemFeatures, steps: Steps) -> Neighbours:
        """See `models.recommenders.capabilities.LearnsFromSteps`."""
        require_learnable(train, items)
        return self._learn(train, items, visits_of(steps))

    @classmethod
    def load(cls, folder: Path) -> Neighbours:
        """See `models.recommender.Recipe.load`."""
        return Neighbours.load(folder)

    def _learn(self, train: Interactions, items: ItemFeatures, visits: Visits) -> Neighbours:
        counts = transitions(visits, len(items.items), self.reach, self.half_life_days)
        after = np.asarray(counts.sum(axis=0)).ravel()
        counts.data /= after[counts.indices] ** self.popularity_power
        similar = strongest_successors(counts, items.recommendable, self.neighbours)
        return assemble(train, items, train.weights.data**self.weight_power, similar)


def transitions(visits: Visits, amount: int, reach: int, half_life_days: float) -> Matrix:
    """Count what came after what, csr of float64 (amount, amount).

    Examples
    --------
    >>> end = np.array(["2026-01-01"], dtype="datetime64[us]")
    >>> visits = Visits(np.array([0, 3]), np.array([2, 0, 1]), end)
    >>> transitions(visits, 3, 2, 1.0).toarray().tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.5, 0.0]]
    """
    lengths = np.diff(visits.starts)
    number = np.repeat(np.arange(len(lengths)), lengths)
    fresh = 0.5 ** ((visits.ends[-1:] - visits.ends) / DAY / half_life_days)
    counts = csr_matrix((amount, amount), dtype=np.float64)
    for distance in range(1, reach + 1):
        same = number[distance:] == number[:-distance]
        before, after = visits.items[:-distance][same], visits.items[distance:][same]
        weights = fresh[number[distance:][same]] / distance
        counts += csr_matrix((weights, (before, after)), shape=(amount, amount))
    return counts


def strongest_successors(counts: Matrix, shown: NDArray[np.bool_], keep: int) -> Matrix:
    """Return the `keep` highest entries of every row among the columns that may be shown."""
    entries = counts.tocoo()
    there = shown[entries.col] & (entries.data > 0)
    rows, columns, values = entries.row[there], entries.col[there], entries.data[there]
    order = np.lexsort((columns, -values, rows))
    rows, columns, values = rows[order], columns[order], values[order]
    first = np.searchsorted(rows, rows)
    kept = np.arange(len(rows)) - first < keep
    places = (rows[kept], columns[kept])
    strongest = csr_matrix((values[kept], places), shape=counts.shape, dtype=np.float32)
    strongest.sort_indices()
    return strongest
