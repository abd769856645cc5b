"""What this customer takes again: her own items by her own weights, then what sells most.

Groceries, consumables and sales to the trade are mostly bought again, and no other customer says
better which. Where lists leave out what was bought, it shows what she looked at, and little else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from infra.rules import Strict
from models.recommender import (
    NONE,
    Interactions,
    ItemFeatures,
    ItemIds,
    Recommendations,
    UserIds,
    positions,
    require_learnable,
)
from models.recommenders.bestsellers import popularity
from models.recommenders.neighbours import Known, Neighbours, assemble
from models.recommenders.one_row import Row
from models.recommenders.top_k import Vectors
from models.ties import Ties


@dataclass(frozen=True)
class OwnItems:
    """The fitted model: every recommendable item is like itself, and like no other."""

    neighbours: Neighbours

    @property
    def items(self) -> ItemIds:
        """See `models.recommender.Recommender.items`."""
        return self.neighbours.items

    @property
    def recommendable(self) -> Known:
        """See `models.recommender.Recommender.recommendable`."""
        return self.neighbours.recommendable

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """See `models.recommender.Recommender.recommend`.

        A user with a history is known, also where nothing of it may be shown: places filled with
        what sells most say so themselves.
        """
        answers = self.neighbours.recommend(users, k, exclude_seen=exclude_seen)
        return replace(answers, fallback=positions(self.neighbours.users, users) == NONE)

    def row_of_user(self, user: str, k: int, allowed: Known) -> Row | None:
        """See `models.recommenders.one_row.AnswersUserAtOnce`."""
        return self.neighbours.row_of_user(user, k, allowed)

    def own_places(self, user: str, scores: Sequence[float]) -> int:
        """See `models.recommenders.one_row.AnswersUserAtOnce`."""
        return self.neighbours.own_places(user, scores)

    def scores_of(self, users: UserIds) -> tuple[Vectors, Ties]:
        """See `models.recommenders.capabilities.ScoresAll`."""
        return self.neighbours.scores_of(users)

    def only(self, shown: Known) -> OwnItems:
        """See `models.recommenders.capabilities.LeavesOut`."""
        return OwnItems(self.neighbours.only(shown))

    def save(self, folder: Path) -> None:
        """See `models.recommender.Recommender.save`."""
        self.neighbours.save(folder)


class Again(Strict):
    """Ranks what a user did something with by its weight, which fades with age.

    What sells most now counts up to twice: most of what is bought again was bought equally often.
    """

    def fit(self, train: Interactions, items: ItemFeatures) -> OwnItems:
        """See `models.recommender.Recipe.fit`."""
        require_learnable(train, items)
        shown, amount = np.flatnonzero(items.recommendable), len(items.items)
        sold = popularity(train)
        itself = csr_matrix((1 + sold[shown] / sold.max(), (shown, shown)), shape=(amount, amount))
        return OwnItems(assemble(train, items, train.weights.data, itself))

    @classmethod
    def load(cls, folder: Path) -> OwnItems:
        """See `models.recommender.Recipe.load`."""
        return OwnItems(Neighbours.load(folder))
