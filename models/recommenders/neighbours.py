"""A fitted model as arrays: the most similar items of every item, and what every user had.

Every model that scores an item by its likeness to a user's items keeps its result in this form.
Source: B. Sarwar et al., Item-based Collaborative Filtering Recommendation Algorithms, 2001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.recommender import (
    NONE,
    Interactions,
    ItemFeatures,
    ItemIds,
    Matrix,
    Recommendations,
    UserIds,
    positions,
)
from models.recommenders.bestsellers import bestsellers, popularity, with_strangers
from models.recommenders.capabilities import NOBODY, Sessions, baskets, one_each
from models.recommenders.model_files import load_arrays, require_shapes
from models.recommenders.one_row import Places, Row, best_of, one_hash, place_of, stretches
from models.recommenders.top_k import Vectors, top_k_of
from models.ties import Hashes, Ties, hashes

FILE = "neighbours.npz"
IN_FILE = {"neighbour_items": "similar_items"}  # arrays that the file calls otherwise
Known: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Neighbours:
    """The arrays of a fitted model.

    Attributes
    ----------
    users : array of str, shape (n_users,)
        Sorted.
    items : array of str, shape (n_items,)
        Sorted.
    popularity : array of float32, shape (n_items,)
        See `bestsellers.popularity`: the order of the list for strangers, and of what fills a
        short row.
    recommendable : array of bool, shape (n_items,)
    seen_starts, seen_items, seen_weights : arrays of int64, int32, float32
        A csr matrix (n_users, n_items): what a user had, and how much each item says of them.
    similar_starts, neighbour_items, similarities : arrays of int64, int32, float32
        A csr matrix (n_items, n_items): recommendable neighbours of an item and their likeness;
        below 0 it speaks against the neighbour. An item is not its own neighbour.
    """

    users: UserIds
    items: ItemIds
    popularity: Vectors
    recommendable: NDArray[np.bool_]
    seen_starts: NDArray[np.int64]
    seen_items: NDArray[np.int32]
    seen_weights: Vectors
    similar_starts: NDArray[np.int64]
    neighbour_items: NDArray[np.int32]
    similarities: Vectors

    @cached_property
    def histories(self) -> Matrix:
        """What every user had, csr (n_users, n_items)."""
        arrays = (self.seen_weights, self.seen_items, self.seen_starts)
        return csr_matrix(arrays, shape=(len(self.users), len(self.items)))

    @cached_property
    def similar(self) -> Matrix:
        """Likeness of items, csr (n_items, n_items)."""
        arrays = (self.similarities, self.neighbour_items, self.similar_starts)
        return csr_matrix(arrays, shape=(len(self.items), len(self.items)))

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """See `models.recommender.Recommender.recommend`."""
        rows = positions(self.users, users)
        histories = self.histories[rows[rows != NONE]]
        return self._answers(users, rows != NONE, histories, k, exclude_seen)

    def scores_of(self, users: UserIds) -> tuple[Vectors, Ties]:
        """See `models.recommenders.capabilities.ScoresAll`."""
        rows, allowed = positions(self.users, users), self.recommendable
        known = rows != NONE
        own = self._scores(self.histories[rows[known]])
        return with_strangers(users, known, own, self.popularity, self._hashes, allowed)

    def only(self, shown: NDArray[np.bool_]) -> Neighbours:
        """See `models.recommenders.capabilities.LeavesOut`."""
        return replace(self, recommendable=self.recommendable & shown)

    def recommend_sessions(self, sessions: Sessions, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.AnswersSessions`."""
        return self._of_baskets(np.full(len(sessions), NOBODY), sessions, k)

    def similar_items(self, items: ItemIds, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.FindsSimilar`."""
        return self._of_baskets(items, one_each(items), k)

    def row_of_user(self, user: str, k: int, allowed: Known) -> Row | None:
        """See `models.recommenders.one_row.AnswersUserAtOnce`."""
        row = place_of(self.users, user)
        if row == NONE:
            return None
        return self._row(*self._history(row), k, allowed, one_hash(user))

    def own_places(self, user: str, scores: Sequence[float]) -> int:
        """See `models.recommenders.one_row.AnswersUserAtOnce`: what fills a row is below 0."""
        if place_of(self.users, user) == NONE:
            return 0
        return sum(score > 0 for score in scores)

    def row_of_items(self, items: list[int], k: int, allowed: Known) -> Row | None:
        """See `models.recommenders.one_row.AnswersItemsAtOnce`."""
        had = np.array(sorted(set(items)))
        tie = one_hash(NOBODY) if len(items) > 1 else int(self._hashes[items[0]])
        row = self._row(had, np.ones(len(had), dtype=np.float32), k, allowed, tie)
        return row if len(row.items) else None

    def _row(self, had: Places, says: Vectors, k: int, allowed: Known, tie: int) -> Row:
        """Rank by summed likeness, in the order of adding that a sparse product has."""
        entries, lengths = stretches(had, self.similar_starts)
        scores = np.zeros(len(self.items), dtype=np.float32)
        adds = np.repeat(says, lengths) * self.similarities[entries]
        np.add.at(scores, self.neighbour_items[entries], adds)
        columns = np.flatnonzero((scores > 0) & allowed)
        return best_of(scores[columns], columns, k, tie, self._hashes)

    def _of_baskets(self, asked: NDArray[np.str_], sessions: Sessions, k: int) -> Recommendations:
        """Answer each basket of items as the history of a user; `asked` names the rows."""
        marks = baskets(self.items, sessions)
        known = np.diff(marks.indptr) > 0
        return self._answers(asked, known, marks[known], k, True)

    def because(
        self, lists: Recommendations, sessions: Sessions | None = None
    ) -> NDArray[np.int32]:
        """See `capabilities.GivesReasons`: the item that adds most to the score."""
        if sessions is None:
            rows = positions(self.users, lists.users)
            had = [self._history(row) for row in rows]
        else:
            places = [np.unique(positions(self.items, session)) for session in sessions]
            named = [row[row != NONE].astype(np.int32) for row in places]
            had = [(row, np.ones(len(row), dtype=np.float32)) for row in named]
        strongest = [
            self._strongest(*history, shown)
            for history, shown in zip(had, lists.items, strict=True)
        ]
        causes = np.array(strongest, dtype=np.int32).reshape(lists.items.shape)
        return np.where(lists.own, causes, NONE).astype(np.int32)

    def save(self, folder: Path) -> None:
        """Write `neighbours.npz`; equal arrays give equal bytes."""
        arrays = {in_file: getattr(self, name) for name, in_file in _names().items()}
        np.savez(folder / FILE, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Neighbours:
        """Read `neighbours.npz`; raise `BundleError` if it cannot be, or its shapes contradict."""
        file = folder / FILE
        names = _names()
        arrays = load_arrays(file, names.values())
        loaded = cls(**{name: arrays[in_file] for name, in_file in names.items()})
        n_users, n_items = len(loaded.users), len(loaded.items)
        seen, similar = (
            (int(starts[-1]) if starts.size else 0,)
            for starts in (loaded.seen_starts, loaded.similar_starts)
        )
        shapes = {
            "popularity": (n_items,),
            "recommendable": (n_items,),
            "seen_starts": (n_users + 1,),
            "seen_items": seen,
            "seen_weights": seen,
            "similar_starts": (n_items + 1,),
            "similar_items": similar,
            "similarities": similar,
        }
        require_shapes(file, arrays, shapes)
        return loaded

    @cached_property
    def _hashes(self) -> Hashes:
        return hashes(self.items)

    @cached_property
    def _shown(self) -> tuple[Matrix, Vectors]:
        """Likeness to recommendable items, and the scores from -1 to below 0 that fill a row."""
        columns = np.flatnonzero(self.recommendable)
        sold = self.popularity[columns]
        return self.similar[:, columns].tocsr(), 0.5 * sold / sold.max(initial=1e-30) - 1

    def _scores(self, histories: Matrix) -> Vectors:
        """Score the recommendable items by summed likeness, and below 0 by what sells."""
        likeness, filling = self._shown
        scores: Vectors = (histories @ likeness).toarray()
        return np.where(scores > 0, scores, filling).astype(np.float32)

    def _answers(
        self, asked: NDArray[np.str_], known: Known, histories: Matrix, k: int, exclude: bool
    ) -> Recommendations:
        """Rank by likeness, then by what sells; `histories` has the known rows alone."""

        def score(rows: slice) -> Vectors:
            return self._scores(histories[rows])

        amount, ties = len(asked), Ties(hashes(asked[known]), self._hashes)
        items, scores = bestsellers(self.popularity, self._hashes, self.recommendable, k, amount)
        hidden = histories if exclude else None
        best = top_k_of(score, histories.shape[0], k, self.recommendable, hidden, ties)
        items[known], scores[known] = best
        filled = (scores < 0) & (items != NONE)
        return Recommendations(asked, self.items, items, scores, ~known | filled[:, 0], filled)

    def _history(self, row: int) -> tuple[NDArray[np.int32], Vectors]:
        if row == NONE:
            return self.seen_items[:0], self.seen_weights[:0]
        places = slice(self.seen_starts[row], self.seen_starts[row + 1])
        return self.seen_items[places], self.seen_weights[places]

    def _strongest(
        self, had: NDArray[np.int32], says: Vectors, shown: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """Return for each shown item the one of `had` that adds most to its score."""
        if not len(had):
            return np.full(len(shown), NONE, dtype=np.int32)
        entries, lengths = stretches(had, self.similar_starts)
        column = np.full(len(self.items) + 1, NONE)
        column[shown] = np.arange(len(shown))  # position -1 writes the last entry, which is no item
        columns, rows = (
            column[self.neighbour_items[entries]],
            np.repeat(np.arange(len(had)), lengths),
        )
        kept = columns != NONE
        adds = np.zeros((len(had), len(shown)), dtype=np.float32)
        adds[rows[kept], columns[kept]] = says[rows[kept]] * self.similarities[entries[kept]]
        return np.where(adds.max(axis=0) > 0, had[adds.argmax(axis=0)], NONE).astype(np.int32)


def _names() -> dict[str, str]:
    """Return the name in the file of every array."""
    return {field.name: IN_FILE.get(field.name, field.name) for field in fields(Neighbours)}


def assemble(
    train: Interactions, items: ItemFeatures, seen_weights: Vectors, similar: Matrix
) -> Neighbours:
    """Put likenesses beside what every model remembers; weights in the order of `train.weights`."""
    return Neighbours(
        users=train.users,
        items=items.items,
        popularity=popularity(train),
        recommendable=items.recommendable,
        seen_starts=train.weights.indptr.astype(np.int64),
        seen_items=train.weights.indices.astype(np.int32),
        seen_weights=seen_weights.astype(np.float32),
        similar_starts=similar.indptr.astype(np.int64),
        neighbour_items=similar.indices.astype(np.int32),
        similarities=similar.data.astype(np.float32),
    )
