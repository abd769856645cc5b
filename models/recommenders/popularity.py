"""The baseline every model must beat: what sells most now, the same for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.rules import Strict
from models.recommender import (
    NONE,
    Interactions,
    ItemFeatures,
    ItemIds,
    Recommendations,
    UserIds,
    require_learnable,
)
from models.recommenders.bestsellers import popularity
from models.recommenders.factors import Factors, assemble
from models.recommenders.one_row import Row, place_of
from models.recommenders.top_k import Vectors
from models.ties import Ties


@dataclass(frozen=True)
class Bestsellers:
    """The fitted baseline; vectors of one number cannot tell which items are alike."""

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

    def row_of_user(self, user: str, k: int, allowed: NDArray[np.bool_]) -> Row | None:
        """See `models.recommenders.one_row.AnswersUserAtOnce`: nothing is a user's own."""
        if place_of(self.factors.users, user) == NONE:
            return None
        return Row(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))

    def own_places(self, user: str, scores: Sequence[float]) -> int:
        """See `models.recommenders.one_row.AnswersUserAtOnce`."""
        return 0

    def scores_of(self, users: UserIds) -> tuple[Vectors, Ties]:
        """See `models.recommenders.capabilities.ScoresAll`."""
        return self.factors.scores_of(users)

    def only(self, shown: NDArray[np.bool_]) -> Bestsellers:
        """See `models.recommenders.capabilities.LeavesOut`."""
        return Bestsellers(self.factors.only(shown))

    def save(self, folder: Path) -> None:
        """See `models.recommender.Recommender.save`."""
        self.factors.save(folder)


class Popularity(Strict):
    """Ranks items by how many different users touched them lately, see `bestsellers`.

    For users with a history, bestsellers are this model's own answer and not a fallback, so its
    `fallback_share` is 0; for other models, places filled with bestsellers count. Compare models
    with this one by `popularity_share`.
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
