"""A model that names only what customers may be shown today, whatever it learnt before.

Published lists, bundles, the champion and the refit all ask a model that was fitted earlier than
the catalogue was read. They share one rule: a model that can leaves out what was withdrawn since;
any other one is asked for more, and what must not be shown is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.metrics.ranking import marked
from models.recommender import (
    NONE,
    ItemIds,
    Matrix,
    Recommendations,
    Recommender,
    UserIds,
    positions,
)
from models.recommenders.capabilities import (
    LeavesOut,
    ScoresAll,
    Sessions,
    recommend_sessions,
)
from models.recommenders.top_k import Vectors, places
from models.ties import Ties, hashes, ties_of_places

Ask: TypeAlias = Callable[[NDArray[np.intp], int], Recommendations]
FIRST, GROWTH = 2, 4  # asked for first: twice the places; then four times as many for short rows


@dataclass(frozen=True)
class TodaysModel:
    """A model beside the items of today.

    Attributes
    ----------
    model : Recommender
    items : array of str, shape (n,)
        Sorted: the catalogue of its answers.
    shown : array of bool, shape (n,)
        Which of them customers may be shown.
    """

    model: Recommender
    items: ItemIds
    shown: NDArray[np.bool_]

    def recommend(
        self, users: UserIds, k: int, *, exclude_seen: bool = True, seen: Matrix | None = None
    ) -> Recommendations:
        """Answer as the model does, without the items that must not be shown.

        The model is asked for at most as many items more as it could name in vain, and for few
        of them at first: only rows that come out short are asked for again.

        Parameters
        ----------
        seen : csr_matrix, shape (n_users, n), optional
            What each user took, also since the model was fitted; left out too.

        Returns
        -------
        Recommendations
            Its `catalogue` is `items`; each row has k places.
        """

        def ask(rows: NDArray[np.intp], asked: int) -> Recommendations:
            return self._asked.recommend(users[rows], asked, exclude_seen=exclude_seen)

        return self._answers(ask, len(users), k, seen)

    def recommend_sessions(self, sessions: Sessions, k: int) -> Recommendations:
        """Answer strangers by the items of their visits; each row has k places."""

        def ask(rows: NDArray[np.intp], asked: int) -> Recommendations:
            return recommend_sessions(self._asked, [sessions[row] for row in rows], asked)

        return self._answers(ask, len(sessions), k, None)

    def places(
        self, users: UserIds, wanted: Matrix, seen: Matrix
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find items in the ranking of everything that each user may be shown.

        Parameters
        ----------
        wanted, seen : csr_matrix, shape (n_users, n)
            What is looked for, and what is left out.

        Returns
        -------
        places : array of int64, shape (wanted.nnz,)
            From 0, in the order of its indices; -1 for an item that is not ranked.
        lengths : array of int64, shape (n_users,)
            How many items each ranking has.
        """
        scores, ties = self._scores(users)
        scores[np.repeat(np.arange(len(users)), np.diff(seen.indptr)), seen.indices] = -np.inf
        return places(scores, wanted, ties), (scores > -np.inf).sum(axis=1)

    def marks(self, ids: Sequence[Sequence[str]]) -> Matrix:
        """Mark items by their ids, a row per user, as `seen`; ids that are no items are skipped."""
        lengths = [len(row) for row in ids]
        flat = np.asarray([name for row in ids for name in row], dtype=np.str_)
        places = positions(self.items, flat)
        rows = np.repeat(np.arange(len(ids)), lengths)[places != NONE]
        places = places[places != NONE]
        ones = np.ones(len(places), dtype=np.int8)
        return csr_matrix((ones, (rows, places)), shape=(len(ids), len(self.items)))

    @cached_property
    def withdrawn(self) -> int:
        """How many items the model may name that must not be shown."""
        return int((self._asked.recommendable & ~self._shown_of_model[:-1]).sum())

    @cached_property
    def _asked(self) -> Recommender:
        """The model without what must not be shown, if it can leave that out.

        At the end of a season half of the catalogue may go, and the half that everybody had on
        top: every user would be asked for tens of thousands of items.
        """
        shown = self._shown_of_model[:-1]
        return self.model.only(shown) if isinstance(self.model, LeavesOut) else self.model

    def _scores(self, users: UserIds) -> tuple[Vectors, Ties]:
        """Score the items of today; by their places, where a model does not give its scores."""
        model, amount = self._asked, len(users)
        if isinstance(model, ScoresAll):
            own, ties = model.scores_of(users)
        else:
            ranked = model.recommend(users, len(model.items), exclude_seen=False).items
            own, ties = _falling(ranked), ties_of_places(amount, 0)
        shown = np.flatnonzero(self._shown_of_model[:-1])
        scores = np.full((amount, len(self.items)), -np.inf, dtype=np.float32)
        scores[:, self._places[shown]] = own[:, shown]
        return scores, Ties(ties.rows, hashes(self.items))

    def _answers(self, ask: Ask, amount: int, k: int, seen: Matrix | None) -> Recommendations:
        """Ask for few items at first, and again for the rows that come out short."""
        most = min(k + self.withdrawn + _longest(seen), max(k, len(self.model.items)))
        asked = min(most, FIRST * k)
        answers, short = self._first(ask, np.arange(amount), k, asked, seen)
        while asked < most and short.any():
            asked = min(most, GROWTH * asked)
            rows = np.flatnonzero(short)
            again, still = self._first(ask, rows, k, asked, seen)
            answers = _with_rows(answers, rows, again)
            short = np.zeros(amount, dtype=np.bool_)
            short[rows[still]] = True
        return answers

    def _first(
        self, ask: Ask, rows: NDArray[np.intp], k: int, asked: int, seen: Matrix | None
    ) -> tuple[Recommendations, NDArray[np.bool_]]:
        """Return the first k of `asked`, and which rows could have more than they got."""
        raw = ask(rows, asked)
        allowed = self._shown_of_model[raw.items]
        today = self._places[raw.items]
        if seen is not None:
            allowed &= ~marked(seen[rows], today)
        answers = replace(raw, catalogue=self.items, items=today).kept(allowed, k)
        return answers, (answers.items[:, -1] == NONE) & (raw.items[:, -1] != NONE)

    @cached_property
    def _places(self) -> NDArray[np.int32]:
        """Where each item of the model is today; the last entry is read by position -1."""
        return np.append(positions(self.items, self.model.items), NONE).astype(np.int32)

    @cached_property
    def _shown_of_model(self) -> NDArray[np.bool_]:
        """Which items of the model are shown today; False at the end, read by position -1."""
        return np.append(self.shown, False)[self._places]


def _falling(ranked: NDArray[np.int32]) -> Vectors:
    """Turn whole rankings (n, n_items) into scores that give them; -inf for what is in none."""
    amount, width = ranked.shape
    scores = np.full((amount, width + 1), -np.inf, dtype=np.float32)  # the last is that of NONE
    np.put_along_axis(scores, ranked.astype(np.intp), -np.arange(width, dtype=np.float32)[None], 1)
    return scores[:, :-1]


def _longest(seen: Matrix | None) -> int:
    """Return the length of the longest row."""
    if seen is None or not seen.shape[0]:
        return 0
    return int(np.diff(seen.indptr).max())


def _with_rows(
    answers: Recommendations, rows: NDArray[np.intp], again: Recommendations
) -> Recommendations:
    """Put the answers of some rows in place of those they had."""
    arrays = {}
    for name in ("items", "scores", "filled"):
        if getattr(answers, name) is not None:
            arrays[name] = getattr(answers, name).copy()
            arrays[name][rows] = getattr(again, name)
    return replace(answers, **arrays)
