"""A fitted model as arrays: the visits of many people, and the last items of every user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.recommender import NONE, ItemIds, Matrix, Recommendations, UserIds, positions
from models.recommenders.bestsellers import bestsellers, with_strangers
from models.recommenders.capabilities import NOBODY, Sessions, one_each
from models.recommenders.model_files import load_arrays, require_shapes
from models.recommenders.one_row import Flags, Row, best_of, one_hash, place_of, stretches
from models.recommenders.top_k import Vectors, top_k_of
from models.ties import Hashes, Ties, hashes

FILE = "near_visits.npz"
Visit = NDArray[np.int64]  # positions of different items, the latest at last


@dataclass(frozen=True)
class NearVisits:
    """The arrays of a fitted model; see `session_neighbours` for how it answers.

    Attributes
    ----------
    users, items : arrays of str, shapes (n_users,) and (n_items,)
        Sorted.
    popularity : array of float32, shape (n_items,)
        See `bestsellers.popularity`.
    recommendable : array of bool, shape (n_items,)
    seen_starts, seen_items : arrays of int64, int32
        What each user had, sorted.
    last_starts, last_items : arrays of int64, int32
        The last of these, the latest at last.
    visit_starts, visit_items : arrays of int64, int32
        The items of each visit; visits in the order in which they ended.
    item_starts, item_visits : arrays of int64, int32
        The visits of each item, ascending.
    gains : array of float32, shape (n_items,)
        What an item counts by its idf.
    limits : array of int64, shape (2,)
        How many visits answer, and how many are compared.
    """

    users: UserIds
    items: ItemIds
    popularity: Vectors
    recommendable: NDArray[np.bool_]
    seen_starts: NDArray[np.int64]
    seen_items: NDArray[np.int32]
    last_starts: NDArray[np.int64]
    last_items: NDArray[np.int32]
    visit_starts: NDArray[np.int64]
    visit_items: NDArray[np.int32]
    item_starts: NDArray[np.int64]
    item_visits: NDArray[np.int32]
    gains: Vectors
    limits: NDArray[np.int64]

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """See `models.recommender.Recommender.recommend`."""
        rows = positions(self.users, users)
        known = rows != NONE
        hidden = self._seen[rows[known]] if exclude_seen else None
        return self._answers(users, known, [self._last(row) for row in rows[known]], k, hidden)

    def scores_of(self, users: UserIds) -> tuple[Vectors, Ties]:
        """See `models.recommenders.capabilities.ScoresAll`."""
        rows, allowed = positions(self.users, users), self.recommendable
        known = rows != NONE
        own = self._scores([self._last(row) for row in rows[known]])
        return with_strangers(users, known, own, self.popularity, self._hashes, allowed)

    def only(self, shown: Flags) -> NearVisits:
        """See `models.recommenders.capabilities.LeavesOut`."""
        return replace(self, recommendable=self.recommendable & shown)

    def recommend_sessions(self, sessions: Sessions, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.AnswersSessions`."""
        return self._of_sessions(np.full(len(sessions), NOBODY), sessions, k)

    def similar_items(self, items: ItemIds, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.FindsSimilar`."""
        return self._of_sessions(items, one_each(items), k)

    def row_of_user(self, user: str, k: int, allowed: Flags) -> Row | None:
        """See `models.recommenders.one_row.AnswersUserAtOnce`."""
        row = place_of(self.users, user)
        return None if row == NONE else self._row(self._last(row), k, allowed, one_hash(user))

    def own_places(self, user: str, scores: Sequence[float]) -> int:
        """See `models.recommenders.one_row.AnswersUserAtOnce`: what fills a row is below 0."""
        known = place_of(self.users, user) != NONE
        return sum(score > 0 for score in scores) if known else 0

    def row_of_items(self, items: list[int], k: int, allowed: Flags) -> Row | None:
        """See `models.recommenders.one_row.AnswersItemsAtOnce`."""
        tie = one_hash(NOBODY) if len(items) > 1 else int(self._hashes[items[0]])
        row = self._row(in_order(np.array(items)), k, allowed, tie)
        return row if len(row.items) else None

    def because(
        self, lists: Recommendations, sessions: Sessions | None = None
    ) -> NDArray[np.int32]:
        """See `capabilities.GivesReasons`: the latest item that was in one visit with it."""
        if sessions is None:
            visits = [self._last(row) for row in positions(self.users, lists.users)]
        else:
            visits = [self._known(session) for session in sessions]
        causes = [self._causes(*pair) for pair in zip(visits, lists.items, strict=True)]
        found = np.array(causes, dtype=np.int32).reshape(lists.items.shape)
        return np.where(lists.own, found, NONE).astype(np.int32)

    def save(self, folder: Path) -> None:
        """Write `near_visits.npz`; equal arrays give equal bytes."""
        np.savez(folder / FILE, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, folder: Path) -> NearVisits:
        """Read `near_visits.npz`; raise `BundleError` if it cannot be, or its shapes contradict."""
        file = folder / FILE
        arrays = load_arrays(file, [field.name for field in fields(cls)])
        users, items = len(arrays["users"]), len(arrays["items"])
        per_item = dict.fromkeys(("popularity", "recommendable", "gains"), (items,))
        lengths = {"seen": users, "last": users, "item": items}
        starts = {f"{name}_starts": (amount + 1,) for name, amount in lengths.items()}
        ends = {"seen_items": "seen", "last_items": "last", "item_visits": "item"}
        entries = {
            name: (int(arrays[f"{of}_starts"][-1]) if arrays[f"{of}_starts"].size else 0,)
            for name, of in (ends | {"visit_items": "visit"}).items()
        }
        require_shapes(file, arrays, {**per_item, **starts, **entries, "limits": (2,)})
        return cls(**arrays)

    def scores_of_visit(self, visit: Visit) -> Vectors:
        """Score all items by the nearest visits, 0 where none of them has the item.

        Parameters
        ----------
        visit : array of int64
            Positions of different items, the latest at last.

        Returns
        -------
        array of float32, shape (n_items,)
        """
        nearest, shares = self._nearest(visit)
        entries, lengths = stretches(nearest, self.visit_starts)
        adds = np.repeat(shares, lengths)
        summed = np.bincount(self.visit_items[entries], adds, minlength=len(self.items))
        return np.asarray(summed * self.gains, dtype=np.float32)

    def _nearest(self, visit: Visit) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the nearest visits, and what each gives to its items."""
        most, sample = self.limits.tolist()
        starts, ends = self.item_starts[visit], self.item_starts[visit + 1]
        cut = np.stack([np.maximum(starts, ends - sample), ends], axis=1).tolist()
        parts = [self.item_visits[first:last] for first, last in cut]
        found = np.concatenate(parts) if parts else self.item_visits[:0]
        place = np.repeat(np.arange(1, len(parts) + 1), [len(part) for part in parts])
        visits, rows = np.unique(found, return_inverse=True)
        weights = np.bincount(rows, place / max(1, len(parts)), minlength=len(visits))
        latest = np.zeros(len(visits), dtype=np.int64)
        np.maximum.at(latest, rows, place)
        compared = slice(max(0, len(visits) - sample), None)
        visits, weights, latest = visits[compared], weights[compared], latest[compared]
        order = np.lexsort((-visits, -weights))[:most]
        steps = len(parts) + 1 - latest[order]
        return visits[order].astype(np.int64), weights[order] / len(parts) / steps

    def _row(self, visit: Visit, k: int, allowed: Flags, tie: int) -> Row:
        scores = self.scores_of_visit(visit)
        columns = np.flatnonzero((scores > 0) & allowed)
        return best_of(scores[columns], columns, k, tie, self._hashes)

    def _of_sessions(self, asked: NDArray[np.str_], sessions: Sessions, k: int) -> Recommendations:
        visits = [self._known(session) for session in sessions]
        known = np.array([len(visit) > 0 for visit in visits], dtype=np.bool_)
        begun = [visit for visit in visits if len(visit)]
        starts = np.concatenate([[0], np.cumsum([len(visit) for visit in begun])])
        columns = np.concatenate(begun) if begun else np.empty(0, dtype=np.int64)
        marks = np.ones(len(columns), dtype=np.float32)
        hidden = csr_matrix((marks, columns, starts), shape=(len(begun), len(self.items)))
        return self._answers(asked, known, begun, k, hidden)

    def _answers(
        self,
        asked: NDArray[np.str_],
        known: Flags,
        visits: Sequence[Visit],
        k: int,
        hidden: Matrix | None,
    ) -> Recommendations:
        """Rank by the nearest visits, then by what sells; `visits` has the known rows alone."""

        def score(rows: slice) -> Vectors:
            return self._scores(visits[rows])

        amount, ties = len(asked), Ties(hashes(asked[known]), self._hashes)
        items, scores = bestsellers(self.popularity, self._hashes, self.recommendable, k, amount)
        best = top_k_of(score, len(visits), k, self.recommendable, hidden, ties)
        items[known], scores[known] = best
        filled = (scores < 0) & (items != NONE)
        return Recommendations(asked, self.items, items, scores, ~known | filled[:, 0], filled)

    def _scores(self, visits: Sequence[Visit]) -> Vectors:
        """Score the recommendable items by visits, and below 0 by what sells."""
        columns = np.flatnonzero(self.recommendable)
        sold = self.popularity[columns]
        filling = 0.5 * sold / sold.max(initial=1e-30) - 1
        scores = np.empty((len(visits), len(columns)), dtype=np.float32)
        for row, visit in enumerate(visits):
            own = self.scores_of_visit(visit)[columns]
            scores[row] = np.where(own > 0, own, filling)
        return scores

    def _causes(self, visit: Visit, shown: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return for each shown item the latest of a visit that shares a near visit with it."""
        nearest, _ = self._nearest(visit)
        entries, lengths = stretches(nearest, self.visit_starts)
        number, items = np.repeat(np.arange(len(nearest)), lengths), self.visit_items[entries]
        causes = np.full(len(shown), NONE, dtype=np.int32)
        for item in visit:
            with_item = np.isin(number, number[items == item])
            causes[np.isin(shown, items[with_item]) & (shown != item)] = item
        return causes

    def _last(self, row: int) -> Visit:
        if row == NONE:
            return np.empty(0, dtype=np.int64)
        return self.last_items[self.last_starts[row] : self.last_starts[row + 1]].astype(np.int64)

    def _known(self, session: ItemIds) -> Visit:
        places = positions(self.items, np.asarray(session, dtype=np.str_))
        return in_order(places[places != NONE])

    @cached_property
    def _seen(self) -> Matrix:
        marks = np.ones(len(self.seen_items), dtype=np.bool_)
        shape = (len(self.users), len(self.items))
        return csr_matrix((marks, self.seen_items, self.seen_starts), shape=shape)

    @cached_property
    def _hashes(self) -> Hashes:
        return hashes(self.items)


def in_order(items: Visit) -> Visit:
    """Keep the last of every item, in the order of these.

    >>> in_order(np.array([3, 1, 3, 2])).tolist()
    [1, 3, 2]
    """
    _, from_end = np.unique(items[::-1], return_index=True)
    return items[np.sort(len(items) - 1 - from_end)].astype(np.int64)
