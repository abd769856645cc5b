"""The baseline every model must beat: the best-selling items that a user did not have yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.rules import Strict
from models.recommender import (
    Interactions,
    ItemFeatures,
    ItemIds,
    Recommendations,
    UserIds,
    require_learnable,
)
from models.recommenders.factors import Factors, assemble, popularity


@dataclass(frozen=True)
class Bestsellers:
    """What sells most, for everyone; its vectors have one place, so they tell no likeness."""

    factors: Factors

    @property
    def items(self) -> ItemIds:
        """See `models.recommender.Recommender.items`."""
        return self.factors.items

    @property
    def recommendable(self) -> NDArray[np.bool_]:
        """See `models.recommender.Recommender.recommendable`."""
        return self.factors.recommendable

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """See `models.recommender.Recommender.recommend`."""
        return self.factors.recommend(users, k, exclude_seen=exclude_seen)

    def save(self, folder: Path) -> None:
        """See `models.recommender.Recommender.save`."""
        self.factors.save(folder)


class Popularity(Strict):
    """Items by the sum of their weights, which fade with age: what sells now.

    For users it knows, the list is its own answer, less what they had, and not one for lack of a
    better. So its `fallback_share` is 0, where that of all others counts the places they fill with
    the very same items: that metric says nothing of this model; `popularity_share` does.
    """

    def fit(self, train: Interactions, items: ItemFeatures) -> Bestsellers:
        """See `models.recommender.Recipe.fit`."""
        require_learnable(train, items)
        same = np.ones((len(train.users), 1), dtype=np.float32)
        return Bestsellers(assemble(train, items, same, popularity(train)[:, None]))

    @classmethod
    def load(cls, folder: Path) -> Bestsellers:
        """See `models.recommender.Recipe.load`."""
        return Bestsellers(Factors.load(folder))
