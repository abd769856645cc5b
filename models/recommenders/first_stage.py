"""What several models propose for a user, and the numbers by which a ranker orders them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.recommender import (
    NONE,
    Interactions,
    ItemFeatures,
    Matrix,
    Recommender,
    UserIds,
    positions,
)
from models.recommenders.again import Again
from models.recommenders.also_bought import AlsoBought
from models.recommenders.also_viewed import AlsoViewed
from models.recommenders.capabilities import LearnsFromSteps, ScoresAll
from models.recommenders.content import Content
from models.recommenders.ease import Ease
from models.recommenders.habits import (
    OF_ITEM,
    OF_PAIR,
    OF_USER,
    affinity,
    habits_of,
    kinds_of_attributes,
    positions_of,
)
from models.recommenders.model_files import load_arrays, require_shapes
from models.recommenders.session_neighbours import SessionNeighbours
from models.recommenders.top_k import Vectors
from models.steps import Steps

SESSIONS = "session_neighbours"
PROPOSERS: dict[str, Any] = {
    "again": Again,
    "ease": Ease,
    "also_bought": AlsoBought,
    SESSIONS: SessionNeighbours,
    "also_viewed": AlsoViewed,
    "content": Content,
}
KINDS = ("brand", "category", "colour", "price")
OF_PROPOSER = ("score", "of_best", "rank")
NAMES = (
    *(f"{name}_{what}" for name in PROPOSERS for what in OF_PROPOSER),
    "votes",
    *(f"pair_{name}" for name in OF_PAIR),
    *(f"item_{name}" for name in OF_ITEM),
    *(f"user_{name}" for name in OF_USER),
    *(f"same_{kind}" for kind in KINDS),
)
RANK_DAMPING = 20  # of reciprocal ranks: the first place counts twice as much as the 22nd
VOTES_COUNT = 2.0  # of the plain blend, where the ranker starts
FILE = "first_stage.npz"


def start_of(features: Vectors) -> Vectors:
    """Return what a ranker starts from: the summed reciprocal ranks, in the scale of its trees."""
    start: Vectors = VOTES_COUNT * features[:, NAMES.index("votes")]
    return start


@dataclass(frozen=True)
class Known:
    """What is remembered of the data beside the models, for the features; see `habits.Habits`.

    Attributes
    ----------
    users : array of str, shape (n_users,)
    starts, items : arrays of int64, int32
        A csr matrix (n_users, n_items) without values: the pairs.
    of_pairs, of_items, of_users : arrays of float32
    profile_starts, profile_columns, profiles : arrays of int64, int32, float32
        A csr matrix (n_users, n_features): the share of each attribute.
    attribute_starts, attribute_columns, attributes : arrays of int64, int32, float32
        A csr matrix (n_items, n_features).
    kinds : array of int64, shape (n_features,)
        Place in `KINDS` of every attribute; -1 for another one.
    """

    users: UserIds
    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    of_pairs: Vectors
    of_items: Vectors
    of_users: Vectors
    profile_starts: NDArray[np.int64]
    profile_columns: NDArray[np.int32]
    profiles: Vectors
    attribute_starts: NDArray[np.int64]
    attribute_columns: NDArray[np.int32]
    attributes: Vectors
    kinds: NDArray[np.int64]

    @classmethod
    def of(cls, train: Interactions, items: ItemFeatures, steps: Steps | None) -> Known:
        """Describe all that is known at the end of the interactions."""
        habits, profile = habits_of(train, steps), affinity(train, items.matrix)
        kinds = np.full(len(items.names), -1, dtype=np.int64)
        for kind, columns in kinds_of_attributes(items).items():
            kinds[columns] = KINDS.index(kind) if kind in KINDS else -1
        return cls(
            users=train.users,
            starts=train.weights.indptr.astype(np.int64),
            items=train.weights.indices.astype(np.int32),
            of_pairs=habits.pairs,
            of_items=habits.items,
            of_users=habits.users,
            profile_starts=profile.indptr.astype(np.int64),
            profile_columns=profile.indices.astype(np.int32),
            profiles=profile.data.astype(np.float32),
            attribute_starts=items.matrix.indptr.astype(np.int64),
            attribute_columns=items.matrix.indices.astype(np.int32),
            attributes=items.matrix.data.astype(np.float32),
            kinds=kinds,
        )

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """A number for every pair, ascending."""
        rows = np.repeat(np.arange(len(self.users)), np.diff(self.starts))
        return rows * len(self.of_items) + self.items

    @cached_property
    def had(self) -> Matrix:
        """What every user had, csr of bool (n_users, n_items)."""
        marks = np.ones(len(self.items), dtype=np.bool_)
        shape = (len(self.users), len(self.of_items))
        return csr_matrix((marks, self.items, self.starts), shape=shape)

    @cached_property
    def by_kind(self) -> list[tuple[Matrix, Matrix]]:
        """Profiles of users and attributes of items, for each of `KINDS`."""
        amount = len(self.kinds)
        profile = (self.profiles, self.profile_columns, self.profile_starts)
        attributes = (self.attributes, self.attribute_columns, self.attribute_starts)
        users = csr_matrix(profile, shape=(len(self.users), amount)).tocsc()
        items = csr_matrix(attributes, shape=(len(self.of_items), amount)).tocsc()
        chosen = (np.flatnonzero(self.kinds == kind) for kind in range(len(KINDS)))
        return [(users[:, columns].tocsr(), items[:, columns].tocsr()) for columns in chosen]

    def features(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Vectors:
        """Return what is known of pairs of user and item; NaN where they have no past."""
        place = positions_of(self.codes, rows * len(self.of_items) + columns)
        found = place != NONE
        of_pairs = np.full((len(place), len(OF_PAIR)), np.nan, dtype=np.float32)
        of_pairs[found] = self.of_pairs[place[found]]
        same = [
            np.asarray(users[rows].multiply(items[columns]).sum(axis=1)).ravel()
            for users, items in self.by_kind
        ]
        parts = (of_pairs, self.of_items[columns], self.of_users[rows], np.stack(same, axis=1))
        return np.concatenate(parts, axis=1).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write `first_stage.npz`; equal arrays give equal bytes."""
        np.savez(folder / FILE, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, folder: Path) -> Known:
        """Read `first_stage.npz`; raise `BundleError` if it cannot be, or its shapes contradict."""
        file = folder / FILE
        arrays = load_arrays(file, [field.name for field in fields(cls)])
        users, items, pairs = (len(arrays[name]) for name in ("users", "of_items", "items"))
        shapes = {
            "starts": (users + 1,),
            "of_pairs": (pairs, len(OF_PAIR)),
            "of_items": (items, len(OF_ITEM)),
            "of_users": (users, len(OF_USER)),
            "profile_starts": (users + 1,),
            "attribute_starts": (items + 1,),
            "profile_columns": arrays["profiles"].shape,
            "attribute_columns": arrays["attributes"].shape,
        }
        require_shapes(file, arrays, shapes)
        return cls(**arrays)


@dataclass(frozen=True)
class Proposals:
    """What is proposed for some users: one entry per user and item, by user, then by item.

    Attributes
    ----------
    rows, columns : arrays of int64, shape (n,)
        Which of the asked users, and which item.
    features : array of float32, shape (n, len(NAMES))
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    features: Vectors

    @property
    def votes(self) -> Vectors:
        """The plain blend: reciprocal ranks, summed over those who propose."""
        votes: Vectors = self.features[:, NAMES.index("votes")]
        return votes


@dataclass(frozen=True)
class FirstStage:
    """Fitted models that propose, and what is known beside them."""

    models: Mapping[str, Recommender]
    known: Known

    @classmethod
    def fit(
        cls,
        recipes: Mapping[str, Any],
        train: Interactions,
        items: ItemFeatures,
        steps: Steps | None,
    ) -> FirstStage:
        """Fit every model on the same data."""
        models = {
            name: recipe.fit_steps(train, items, steps)
            if steps is not None and isinstance(recipe, LearnsFromSteps)
            else recipe.fit(train, items)
            for name, recipe in recipes.items()
        }
        return cls(models, Known.of(train, items, steps))

    def propose(self, users: UserIds, places: int, allowed: NDArray[np.bool_]) -> Proposals:
        """Return what known users had, and the first new places of every model.

        Parameters
        ----------
        users : array of str, shape (m,)
            All known.
        places : int
            Of each model.
        allowed : array of bool, shape (n_items,)
            What may be proposed.
        """
        of_user = positions(self.known.users, users)
        had = self.known.had[of_user].toarray()
        scores = [_scores(model, users) for model in self.models.values()]
        proposed = had & allowed
        for given in scores:
            proposed |= _first(np.where(had | ~allowed, -np.inf, given), places)
        rows, columns = np.nonzero(proposed)
        own = [_of_proposer(given[rows, columns], rows) for given in scores]
        ranks = np.stack([part[:, -1] for part in own], axis=1)
        votes = np.nansum(1 / (RANK_DAMPING + ranks), axis=1)[:, None]
        known = self.known.features(of_user[rows], columns)
        features = np.concatenate([*own, votes, known], axis=1).astype(np.float32)
        return Proposals(rows, columns, features)


def _scores(model: Recommender, users: UserIds) -> Vectors:
    """Return a score above 0 for what a model knows for a user, and -inf for everything else."""
    assert isinstance(model, ScoresAll)
    scores, _ = model.scores_of(users)
    return np.where(scores > 0, scores, -np.inf).astype(np.float32)


def _first(scores: Vectors, places: int) -> NDArray[np.bool_]:
    """Mark the highest scores of every row, at most so many, none that is -inf."""
    most = min(places, scores.shape[1])
    first = np.argpartition(-scores, most - 1, axis=1)[:, :most]
    marks = np.zeros(scores.shape, dtype=np.bool_)
    np.put_along_axis(marks, first, np.take_along_axis(scores, first, axis=1) > -np.inf, axis=1)
    return marks


def _of_proposer(scores: Vectors, rows: NDArray[np.int64]) -> Vectors:
    """Return score, share of the best of the row, and rank in it; NaN where nothing is proposed."""
    there = scores > -np.inf
    order = np.lexsort((-scores, rows))
    starts = np.searchsorted(rows[order], rows[order])
    ranks = np.empty(len(rows))
    ranks[order] = np.arange(len(rows)) - starts + 1
    best = np.zeros(int(rows[-1]) + 1 if len(rows) else 0)
    np.maximum.at(best, rows[there], scores[there])
    share = scores / np.maximum(best[rows], 1e-30)
    return np.where(there[:, None], np.stack([scores, share, ranks], axis=1), np.nan)
