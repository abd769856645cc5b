"""The baseline every model must beat: the same list for everyone, without what they know."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from models.recommender import (
    Interactions,
    ItemFeatures,
    Recommendations,
    UserIds,
    require_learnable,
)
from models.recommenders.factors import Factors, assemble, not_fitted, popularity


class Popularity:
    """Items by the sum of their weights, which fade with age: what sells now.

    For users it knows that is its own answer, not one for lack of a better: less what they had. So
    its `fallback_share` is 0 where all others' counts the places they fill with the very same
    items, and it says nothing of this model; `popularity_share` does.
    """

    def __init__(self) -> None:
        self._factors: Factors | None = None

    def fit(self, train: Interactions, items: ItemFeatures) -> Self:
        """See `models.recommender.Recommender.fit`."""
        require_learnable(train, items)
        same = np.ones((len(train.users), 1), dtype=np.float32)
        self._factors = assemble(train, items, same, popularity(train)[:, None])
        return self

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """See `models.recommender.Recommender.recommend`."""
        return self._fitted.recommend(users, k, exclude_seen=exclude_seen)

    def save(self, folder: Path) -> None:
        """See `models.recommender.Recommender.save`."""
        self._fitted.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `models.recommender.Recommender.load`."""
        model = cls()
        model._factors = Factors.load(folder)
        return model

    @property
    def _fitted(self) -> Factors:
        return self._factors or not_fitted(self)
