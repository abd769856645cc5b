"""Models with a known fault, for the benchmark of releases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.recommender import ItemIds, Recommendations, Recommender, UserIds
from models.recommenders.capabilities import scores_of
from models.ties import Ties


@dataclass(frozen=True)
class SwappedLists:
    """A model that hands a share of the customers the list of another customer.

    Attributes
    ----------
    model : Recommender
    users : array of str, shape (n,)
        Sorted: everybody the model knows.
    others : array of str, shape (n,)
        Whose list each of them gets; most of them their own.
    """

    model: Recommender
    users: UserIds
    others: UserIds

    @classmethod
    def of(cls, model: Recommender, users: UserIds, share: float, seed: int) -> SwappedLists:
        """Let the drawn customers hand their lists on in a circle; more share adds to the drawn."""
        order = np.random.default_rng(seed).permutation(len(users))
        drawn = order[: round(share * len(users))]
        others = users.copy()
        others[drawn] = users[np.roll(drawn, 1)]
        return cls(model, users, others)

    @property
    def items(self) -> ItemIds:
        """See `models.recommender.Recommender.items`."""
        return self.model.items

    @property
    def recommendable(self) -> NDArray[np.bool_]:
        """See `models.recommender.Recommender.recommendable`."""
        return self.model.recommendable

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """Answer with the lists of the others; strangers get what they always get."""
        answers = self.model.recommend(self._asked(users), k, exclude_seen=exclude_seen)
        return replace(answers, users=users)

    def scores_of(self, users: UserIds) -> tuple[NDArray[np.float32], Ties]:
        """See `models.recommenders.capabilities.ScoresAll`."""
        return scores_of(self.model, self._asked(users))

    def save(self, folder: Path) -> None:
        """See `models.recommender.Recommender.save`; nobody keeps a faulty model."""
        raise NotImplementedError

    def _asked(self, users: UserIds) -> UserIds:
        """Return whose list each of some users gets."""
        places = np.searchsorted(self.users, users).clip(max=len(self.users) - 1)
        return np.where(self.users[places] == users, self.others[places], users)
