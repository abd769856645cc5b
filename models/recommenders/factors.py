"""A fitted model as arrays: a vector per user, a vector per item, and the list for strangers.

Every model whose score is a dot product keeps its result in this form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.records.evaluation import Learning
from models.recommender import (
    NONE,
    Interactions,
    ItemFeatures,
    ItemIds,
    Recommendations,
    UserIds,
    positions,
)
from models.recommenders.bestsellers import bestsellers, popularity, with_strangers
from models.recommenders.capabilities import NOBODY, Sessions, baskets, one_each
from models.recommenders.model_files import load_arrays, require_shapes
from models.recommenders.one_row import Flags, Row, best_of_all, one_hash, place_of
from models.recommenders.top_k import Best, Vectors, top_k
from models.ties import Hashes, Ties, hashes

FILE = "factors.npz"
ARRAYS = (
    "users",
    "items",
    "user_vectors",
    "item_vectors",
    "popularity",
    "recommendable",
    "seen_starts",
    "seen_items",
)


@dataclass(frozen=True)
class Factors:
    """A fitted model: its arrays, and what its recipe says of them.

    Attributes
    ----------
    users : array of str, shape (n_users,)
        Sorted.
    items : array of str, shape (n_items,)
        Sorted.
    user_vectors : array of float32, shape (n_users, d)
    item_vectors : array of float32, shape (n_items, d)
    popularity : array of float32, shape (n_items,)
        See `bestsellers.popularity`: the order of the list for unknown users.
    recommendable : array of bool, shape (n_items,)
    seen_starts : array of int64, shape (n_users + 1,)
    seen_items : array of int32
        Item positions user `u` interacted with: `seen_items[seen_starts[u]:seen_starts[u + 1]]`.
    biases : int
        How many of the last places of an item's vector hold a bias: it ranks items but says
        nothing about taste, so similarity leaves it out. Not saved: the recipe knows it.
    settled : dict of str to int
        See `capabilities.SettlesParameters`. Not saved: `fit.json` of the training holds it.
    curve : tuple of float
        See `capabilities.TellsHowItLearnt`. Not saved either.
    """

    users: UserIds
    items: ItemIds
    user_vectors: Vectors
    item_vectors: Vectors
    popularity: Vectors
    recommendable: NDArray[np.bool_]
    seen_starts: NDArray[np.int64]
    seen_items: NDArray[np.int32]
    biases: int = 0
    settled: dict[str, int] = field(default_factory=dict)
    curve: tuple[float, ...] = ()

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """See `models.recommender.Recommender.recommend`."""
        rows = positions(self.users, users)
        known = rows != NONE
        items, scores = self._for_strangers(k, len(users))
        items[known], scores[known] = self._for_known(rows[known], k, exclude_seen)
        return Recommendations(users, self.items, items, scores, ~known)

    def scores_of(self, users: UserIds) -> tuple[Vectors, Ties]:
        """See `models.recommenders.capabilities.ScoresAll`."""
        rows, allowed = positions(self.users, users), self.recommendable
        known = rows != NONE
        shown = np.ascontiguousarray(self.item_vectors[np.flatnonzero(allowed)].T)
        own = self.user_vectors[rows[known]] @ shown
        return with_strangers(users, known, own, self.popularity, self._hashes, allowed)

    def only(self, shown: NDArray[np.bool_]) -> Factors:
        """See `models.recommenders.capabilities.LeavesOut`."""
        return replace(self, recommendable=self.recommendable & shown)

    def recommend_sessions(self, sessions: Sessions, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.AnswersSessions`."""
        return self._alike(np.full(len(sessions), NOBODY), sessions, k)

    def similar_items(self, items: ItemIds, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.FindsSimilar`."""
        return self._alike(items, one_each(items), k)

    def row_of_user(self, user: str, k: int, allowed: Flags) -> Row | None:
        """See `models.recommenders.one_row.AnswersUserAtOnce`."""
        row = place_of(self.users, user)
        if row == NONE:
            return None
        scores = self.item_vectors @ self.user_vectors[row]
        scores[~allowed] = -np.inf
        return best_of_all(scores, k, one_hash(user), self._hashes)

    def own_places(self, user: str, scores: Sequence[float]) -> int:
        """See `models.recommenders.one_row.AnswersUserAtOnce`: every item has a score."""
        return 0 if place_of(self.users, user) == NONE else len(scores)

    def row_of_items(self, items: list[int], k: int, allowed: Flags) -> Row | None:
        """See `models.recommenders.one_row.AnswersItemsAtOnce`."""
        places = sorted(set(items))
        lengths = self._inverse_lengths[places]
        said = int(np.count_nonzero(lengths))
        if not said:
            return None
        mean = lengths @ self._taste[places] / np.float32(said)
        scores = (self._taste @ mean) * self._inverse_lengths
        scores[~allowed] = -np.inf
        tie = one_hash(NOBODY) if len(items) > 1 else int(self._hashes[items[0]])
        return best_of_all(scores, k, tie, self._hashes)

    def because(
        self, lists: Recommendations, sessions: Sessions | None = None
    ) -> NDArray[np.int32]:
        """See `capabilities.GivesReasons`: the item that is most like the one that is shown."""
        if sessions is None:
            had = [self._seen(row) for row in positions(self.users, lists.users)]
        else:
            places = [np.unique(positions(self.items, session)) for session in sessions]
            had = [row[row != NONE] for row in places]
        causes = [self._most_like(*pair) for pair in zip(had, lists.items, strict=True)]
        found = np.array(causes, dtype=np.int32).reshape(lists.items.shape)
        return np.where(lists.own, found, NONE).astype(np.int32)

    def _seen(self, row: int) -> NDArray[np.int32]:
        if row == NONE:
            return self.seen_items[:0]
        return self.seen_items[self.seen_starts[row] : self.seen_starts[row + 1]]

    def _most_like(self, had: NDArray[np.int32], shown: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return for each shown item the one of `had`, not itself, with the highest cosine."""
        if not len(had):
            return np.full(len(shown), NONE, dtype=np.int32)
        units = self._taste[had] * self._inverse_lengths[had, None]
        cosines = self._taste[shown] @ units.T  # their own lengths change no order
        cosines[shown[:, None] == had] = 0
        return np.where(cosines.max(axis=1) > 0, had[cosines.argmax(axis=1)], NONE)

    @property
    def _taste(self) -> Vectors:
        """The item vectors without their biases."""
        return self.item_vectors[:, : self.item_vectors.shape[1] - self.biases]

    @cached_property
    def _inverse_lengths(self) -> Vectors:
        """One over the length of each item's vector, 0 for an item without one."""
        lengths: Vectors = np.linalg.norm(self._taste, axis=1)
        inverse: Vectors = np.zeros_like(lengths)
        return np.divide(1, lengths, out=inverse, where=lengths > 0)

    def settled_parameters(self) -> dict[str, int]:
        """See `models.recommenders.capabilities.SettlesParameters`."""
        return self.settled

    def learning(self) -> Learning:
        """See `models.recommenders.capabilities.TellsHowItLearnt`."""
        return Learning(curve=self.curve)

    def _alike(self, asked: NDArray[np.str_], sessions: Sessions, k: int) -> Recommendations:
        """Rank by the mean cosine to each session's items, without them; `asked` names the rows.

        A session whose items all lack a vector is that of a stranger.
        """
        vectors = self.item_vectors[:, : self.item_vectors.shape[1] - self.biases]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        marks = baskets(self.items, sessions)
        sizes = (marks @ (lengths > 0).astype(np.float32)).ravel()
        known = sizes > 0
        means = (marks[known] @ units) / sizes[known, None]
        items, scores = self._for_strangers(k, len(asked))
        ties = Ties(hashes(asked[known]), self._hashes)
        items[known], scores[known] = top_k(means, units, k, self.recommendable, marks[known], ties)
        return Recommendations(asked, self.items, items, scores, ~known)

    def save(self, folder: Path) -> None:
        """Write `factors.npz`; equal arrays give equal bytes."""
        np.savez(folder / FILE, **{name: getattr(self, name) for name in ARRAYS})

    @classmethod
    def load(cls, folder: Path, biases: int = 0) -> Factors:
        """Read `factors.npz`.

        Raises
        ------
        BundleError
            The file is missing, needs pickle, lacks an array, or its shapes contradict.
        """
        factors = cls(**load_arrays(folder / FILE, ARRAYS), biases=biases)
        factors._require_consistent(folder / FILE)
        return factors

    @cached_property
    def _hashes(self) -> Hashes:
        return hashes(self.items)

    def _for_strangers(self, k: int, amount: int) -> Best:
        return bestsellers(self.popularity, self._hashes, self.recommendable, k, amount)

    def _for_known(self, rows: NDArray[np.int64], k: int, exclude_seen: bool) -> Best:
        from scipy.sparse import csr_matrix

        seen = None
        if exclude_seen:
            shape = (len(self.users), len(self.items))
            marks = np.ones(len(self.seen_items), dtype=bool)
            seen = csr_matrix((marks, self.seen_items, self.seen_starts), shape=shape)[rows]
        ties = Ties(hashes(self.users[rows]), self._hashes)
        return top_k(self.user_vectors[rows], self.item_vectors, k, self.recommendable, seen, ties)

    def _require_consistent(self, file: Path) -> None:
        n_users, n_items, d = len(self.users), len(self.items), self.user_vectors.shape[-1]
        shapes = {
            "user_vectors": (n_users, d),
            "item_vectors": (n_items, d),
            "popularity": (n_items,),
            "recommendable": (n_items,),
            "seen_starts": (n_users + 1,),
            "seen_items": (int(self.seen_starts[-1]) if self.seen_starts.size else 0,),
        }
        require_shapes(file, vars(self), shapes)


def assemble(
    train: Interactions, items: ItemFeatures, user_vectors: Vectors, item_vectors: Vectors
) -> Factors:
    """Put a model's vectors beside what every model remembers of its input."""
    return Factors(
        users=train.users,
        items=items.items,
        user_vectors=np.ascontiguousarray(user_vectors, dtype=np.float32),
        item_vectors=np.ascontiguousarray(item_vectors, dtype=np.float32),
        popularity=popularity(train),
        recommendable=items.recommendable,
        seen_starts=train.weights.indptr.astype(np.int64),
        seen_items=train.weights.indices.astype(np.int32),
    )
