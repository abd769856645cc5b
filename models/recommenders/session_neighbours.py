"""What people took next in the visits that are most like this one (V-SKNN).

Source: M. Ludewig, D. Jannach, Evaluation of Session-based Recommendation Algorithms, 2018. An item
of the current visit weighs more the later it came; of the `sample` latest visits that share an item
the `nearest` with the highest summed weight are neighbours. Each gives to its items its weight over
the number of steps since the latest shared item, and rare items count more by their idf.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from infra.errors import InputError
from infra.rules import Strict
from models.recommender import Interactions, ItemFeatures, require_learnable
from models.recommenders.bestsellers import popularity
from models.recommenders.near_visits import NearVisits
from models.recommenders.visits import Visits, visits_of, visits_of_pairs
from models.steps import Steps

ENTRY_BYTES = 120  # at the peak of a fit, per step that is kept


class SessionNeighbours(Strict):
    """Answers visits: of strangers by their items so far, of customers by what they did last.

    For a visit of which nothing is known it has the list for strangers. With fewer steps than
    `memory_mb` holds, all of the latest `most_visits` are remembered.
    """

    nearest: int = Field(100, ge=1, le=10_000, description="visits that answer (k of the paper)")
    sample: int = Field(1000, ge=1, le=100_000, description="latest visits that are compared")
    idf_power: float = Field(0.0, ge=0, le=10, description="how much more rare items count")
    longest_visit: int = Field(50, ge=2, le=1000, description="last items of a visit that count")
    history: int = Field(20, ge=1, le=1000, description="last items by which customers are known")
    most_visits: int = Field(1_000_000, ge=1, description="latest visits that are remembered")
    memory_mb: int = Field(4096, ge=64, description="of a fit, in MiB")

    def fit(self, train: Interactions, items: ItemFeatures) -> NearVisits:
        """Learn from the pairs, as if all a user did were one visit."""
        require_learnable(train, items)
        return self._learn(train, items, visits_of_pairs(train))

    def fit_steps(self, train: Interactions, items: ItemFeatures, steps: Steps) -> NearVisits:
        """See `models.recommenders.capabilities.LearnsFromSteps`."""
        require_learnable(train, items)
        self._require_memory(len(steps.item))
        return self._learn(train, items, visits_of(steps))

    @classmethod
    def load(cls, folder: Path) -> NearVisits:
        """See `models.recommender.Recipe.load`."""
        return NearVisits.load(folder)

    def _learn(self, train: Interactions, items: ItemFeatures, visits: Visits) -> NearVisits:
        kept = visits.latest(self.most_visits, self.longest_visit)
        own = visits_of_users(train, self.history)
        number = np.repeat(np.arange(len(kept.ends)), np.diff(kept.starts))
        by_item = np.lexsort((number, kept.items))
        taken = np.bincount(kept.items, minlength=len(items.items))
        idf = np.log(max(1, len(kept.ends)) / np.maximum(1, taken))
        return NearVisits(
            users=train.users,
            items=items.items,
            popularity=popularity(train),
            recommendable=items.recommendable,
            seen_starts=train.weights.indptr.astype(np.int64),
            seen_items=train.weights.indices.astype(np.int32),
            last_starts=own.starts,
            last_items=own.items.astype(np.int32),
            visit_starts=kept.starts,
            visit_items=kept.items.astype(np.int32),
            item_starts=np.concatenate([[0], np.cumsum(taken)]).astype(np.int64),
            item_visits=number[by_item].astype(np.int32),
            gains=(1 + self.idf_power * idf).astype(np.float32),
            limits=np.array([self.nearest, self.sample], dtype=np.int64),
        )

    def _require_memory(self, steps: int) -> None:
        needed = steps * ENTRY_BYTES / 2**20
        if needed > self.memory_mb:
            raise InputError(
                f"{steps:,} steps need {needed:,.0f} MB of memory, and a training may plan for "
                f"{self.memory_mb:,}.",
                "Raise CATWALK_TRAINING_MEMORY_MB, or shorten CATWALK_TRAINING_WINDOW_DAYS.",
            )


def visits_of_users(train: Interactions, length: int) -> Visits:
    """Return the last items of every user in the order of `train.users`, the latest at last."""
    users = np.repeat(np.arange(len(train.users)), np.diff(train.weights.indptr))
    order = np.lexsort((train.weights.indices, train.last_times.astype(np.int64), users))
    lengths = np.diff(train.weights.indptr)
    from_end = train.weights.indptr[users + 1] - 1 - np.arange(len(users))
    kept = from_end < length
    starts = np.concatenate([[0], np.cumsum(np.minimum(lengths, length))]).astype(np.int64)
    return Visits(starts, train.weights.indices[order][kept], train.last_times[:0])
