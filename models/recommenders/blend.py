"""Learns in which order to show what other models propose: LambdaRank over their places.

Its first stage is trained twice. Once on the data less the last days, which teach the ranker what
people took next; then on everything, for the answers. So no proposal that the ranker learns from
has seen what was taken. The refit does the same with all data.

Source: C. Burges, From RankNet to LambdaRank to LambdaMART, 2010; G. Ke et al., LightGBM, 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from infra.rules import Strict
from infra.schemas import EVENT_TYPES
from models.recommender import (
    NONE,
    Interactions,
    ItemFeatures,
    Matrix,
    UserIds,
    positions,
    require_learnable,
)
from models.recommenders.bestsellers import popularity
from models.recommenders.blended import Blended
from models.recommenders.first_stage import NAMES, PROPOSERS, FirstStage, start_of
from models.recommenders.habits import DAY, before
from models.recommenders.top_k import Vectors
from models.steps import NO_CHOICE, Steps

SUCCESS = (
    "wishlist",
    "cart",
    "purchase",
)  # what is wanted; any choice, where nobody had one
FEWEST = 50  # users to learn from; with fewer the reciprocal ranks are summed
BLOCK = 2_000_000  # scores of everything at a time
WATCHED = 5  # every fifth user says when to stop
LARGEST_GROUP = 10_000  # rows; LightGBM refuses to rank more at once


@dataclass(frozen=True)
class Lesson:
    """What the ranker learns from: proposals for users, made before they took what they took.

    Attributes
    ----------
    features : array of float32, shape (n, len(first_stage.NAMES))
    wanted : array of bool, shape (n,)
    groups, users : arrays of int64, shape (n_groups,)
        How many rows belong together, and of whom they are; a user has a group of everything and
        one of new items, where either holds something wanted and LightGBM can rank so many rows.
    """

    features: Vectors
    wanted: NDArray[np.bool_]
    groups: NDArray[np.int64]
    users: NDArray[np.int64]


class Blend(Strict):
    """Ranks the proposals of `again`, `ease`, `also_bought`, `session_neighbours` and others.

    The ranker starts from their summed reciprocal ranks, which decide alone with `rounds` 0,
    without steps, or with fewer than 50 users to learn from. Strangers are answered by the visits
    most like theirs.
    """

    rounds: int = Field(200, ge=0, le=5000, description="trees at most")
    patience: int = Field(20, ge=1, le=1000, description="trees without a better order")
    learning_rate: float = Field(0.1, ge=1e-4, le=1, description="of each tree")
    leaves: int = Field(7, ge=2, le=1000, description="of a tree")
    leaf_rows: int = Field(50, ge=1, le=100_000, description="proposals in a leaf at least")
    places: int = Field(60, ge=1, le=1000, description="new items that each model proposes")
    learn_days: float = Field(7.0, gt=0, le=90, description="last days to learn from")
    most_users: int = Field(1000, ge=1, le=100_000, description="users to learn from at most")
    most_items: int = Field(5000, ge=2, le=100_000, description="of its `ease`")
    half_life_days: float = Field(
        30.0, gt=0, le=3650, description="age that makes a step count half"
    )
    memory_mb: int = Field(4096, ge=64, description="of a fit, in MiB")

    def fit(self, train: Interactions, items: ItemFeatures) -> Blended:
        """Sum reciprocal ranks: pairs alone do not say what was taken again, nor when."""
        return self._learn(train, items, None)

    def fit_steps(self, train: Interactions, items: ItemFeatures, steps: Steps) -> Blended:
        """See `models.recommenders.capabilities.LearnsFromSteps`."""
        return self._learn(train, items, steps)

    @classmethod
    def load(cls, folder: Path) -> Blended:
        """See `models.recommender.Recipe.load`."""
        return Blended.load(folder)

    def early_stage(
        self, train: Interactions, items: ItemFeatures, steps: Steps
    ) -> tuple[FirstStage, UserIds, Matrix] | None:
        """Train on what came before the last days; return who took something in them, and what.

        None where there are too few users.
        """
        times = steps.times
        if not len(times):
            return None
        cut = times.max() - min(self.learn_days * DAY, (times.max() - times.min()) / 3)
        early, past = before(train, steps, cut, self.half_life_days)
        users, wanted = taken_after(steps, cut, early)
        if len(users) < FEWEST:
            return None
        return FirstStage.fit(self._recipes(), early, items, past), users, wanted

    def lesson(self, train: Interactions, items: ItemFeatures, steps: Steps) -> Lesson | None:
        """Return what the ranker learns from; None where there are too few users."""
        found = self.early_stage(train, items, steps)
        if found is None:
            return None
        stage, users, wanted = found
        chosen = np.linspace(0, len(users) - 1, min(len(users), self.most_users)).astype(np.intp)
        lesson = _lesson(stage, users[chosen], wanted[chosen], self.places, items.recommendable)
        # What a user took may be proposed by nobody, so fewer are left than took something.
        return lesson if len(np.unique(lesson.users)) >= FEWEST else None

    def _learn(self, train: Interactions, items: ItemFeatures, steps: Steps | None) -> Blended:
        require_learnable(train, items)
        lesson = self.lesson(train, items, steps) if self.rounds and steps is not None else None
        stage = FirstStage.fit(self._recipes(), train, items, steps)
        ranker, curve = ("", ()) if lesson is None else self.ranker_of(lesson)
        sold = popularity(train)
        return Blended(stage, items.items, sold, items.recommendable, self.places, ranker, curve)

    def _recipes(self) -> dict[str, Any]:
        """Make the recipes of the first stage."""
        own: dict[str, dict[str, Any]] = {
            "ease": {"most_items": self.most_items, "memory_mb": self.memory_mb},
            "also_bought": {"weighting": "bm25"},
            "session_neighbours": {"memory_mb": self.memory_mb},
        }
        return {name: recipe(**own.get(name, {})) for name, recipe in PROPOSERS.items()}

    def ranker_of(self, lesson: Lesson) -> tuple[str, tuple[float, ...]]:
        """Train LambdaRank until every fifth user gets no better order.

        Returns
        -------
        str
            LightGBM's text.
        tuple of float
            The NDCG@10 of every fifth user after each tree.
        """
        import lightgbm

        # By the rank among those left: else all of them may fall on one side.
        watched = np.unique(lesson.users, return_inverse=True)[1] % WATCHED == 0
        rows = np.repeat(watched, lesson.groups)
        learnt, watch = (
            lightgbm.Dataset(
                lesson.features[of],
                lesson.wanted[of].astype(np.int32),
                group=lesson.groups[groups],
                init_score=start_of(lesson.features[of]),
                feature_name=list(NAMES),
            )
            for of, groups in ((~rows, ~watched), (rows, watched))
        )
        reached: dict[str, dict[str, list[float]]] = {}
        callbacks: list[Callable[..., Any]] = [
            lightgbm.early_stopping(self.patience, verbose=False),
            lightgbm.record_evaluation(reached),
        ]
        trained = lightgbm.train(
            self._parameters(), learnt, self.rounds, valid_sets=[watch], callbacks=callbacks
        )
        text: str = trained.model_to_string(num_iteration=trained.best_iteration)
        (curve,) = next(iter(reached.values())).values()
        return text, tuple(curve)

    def _parameters(self) -> dict[str, Any]:
        return {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [10],
            "lambdarank_truncation_level": 20,
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.leaf_rows,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }


def taken_after(steps: Steps, cut: np.datetime64, early: Interactions) -> tuple[UserIds, Matrix]:
    """Return who of the early users took something from a time on, and what, csr of bool."""
    after = steps.of_steps((steps.times >= cut) & (steps.item != NONE))
    chosen = _wanted(after)
    places = positions(early.users, after.persons)[after.visitors][after.visits][chosen]
    known = places != NONE
    marks = np.ones(int(known.sum()), dtype=np.bool_)
    shape = early.weights.shape
    wanted = csr_matrix((marks, (places[known], after.item[chosen][known])), shape=shape)
    users = np.flatnonzero(np.diff(wanted.indptr))
    return early.users[users], wanted[users]


def _wanted(steps: Steps) -> NDArray[np.bool_]:
    """Mark successes; every choice, where nobody had one."""
    success = np.isin(steps.kind, [EVENT_TYPES.index(name) for name in SUCCESS])
    if success.any():
        return success
    return ~np.isin(steps.kind, [EVENT_TYPES.index(name) for name in NO_CHOICE])


def _lesson(
    stage: FirstStage, users: UserIds, wanted: Matrix, places: int, allowed: NDArray[np.bool_]
) -> Lesson:
    """Propose for users block by block: everything, and once more what is new to them."""
    step, parts = max(1, BLOCK // len(allowed)), []
    for start in range(0, len(users), step):
        asked = slice(start, start + step)
        proposals = stage.propose(users[asked], places, allowed)
        took = wanted[asked].toarray()[proposals.rows, proposals.columns]
        new = np.isnan(proposals.features[:, NAMES.index("pair_share")])
        parts.append((proposals.rows + start, proposals.features, took, new))
    rows, features, took, new = (np.concatenate(part) for part in zip(*parts, strict=True))
    user = np.concatenate([2 * rows, 2 * rows[new] + 1])
    order = np.argsort(user, kind="stable")
    entry = np.concatenate([np.arange(len(rows)), np.flatnonzero(new)])[order]
    sizes = np.bincount(user, minlength=2 * len(users))
    wanted_of = np.bincount(user[order], took[entry], len(sizes))
    good = (wanted_of > 0) & (sizes <= LARGEST_GROUP)
    kept = np.repeat(good, sizes)
    return Lesson(features[entry][kept], took[entry][kept], sizes[good], np.flatnonzero(good) // 2)
