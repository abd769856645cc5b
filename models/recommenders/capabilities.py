"""What a model may do beyond `Recommender`: answer sessions, find similar items, give reasons.

A model takes part by having the method; where it has not, the functions here answer with
bestsellers. A recipe that reads the table itself need not hold all pairs in memory, and one that
learns from steps is given the order of what people did as well.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from infra.records.evaluation import Learning
from models.recommender import (
    NONE,
    Interactions,
    ItemFeatures,
    ItemIds,
    Matrix,
    Recommendations,
    Recommender,
    UserIds,
    positions,
)
from models.steps import Steps
from models.ties import Ties, ties_of_places

NOBODY = ""  # a user id no shop has
Sessions = Sequence[ItemIds]


@runtime_checkable
class AnswersSessions(Protocol):
    """Knows what to show a stranger who looked at a few items."""

    def recommend_sessions(self, sessions: Sessions, k: int) -> Recommendations:
        """Return one row per session, without its own items; `users` are empty.

        A session without any item the model knows gets the fallback list.
        """


@runtime_checkable
class FindsSimilar(Protocol):
    """Knows which items are alike, for a product page."""

    def similar_items(self, items: ItemIds, k: int) -> Recommendations:
        """Return one row per asked item, without itself; `users` are the asked item ids.

        An item the model does not know gets the fallback list.
        """


@runtime_checkable
class GivesReasons(Protocol):
    """Knows which item of a user led to a recommendation."""

    def because(
        self, lists: Recommendations, sessions: Sessions | None = None
    ) -> NDArray[np.int32]:
        """Return positions in `lists.catalogue`, shape (n, k); -1 where there is no reason.

        `lists` is what `recommend` returned, or `recommend_sessions` for the `sessions` beside it.
        """


@runtime_checkable
class LeavesOut(Protocol):
    """Can forget items, so that nobody has to ask for more and throw them away."""

    def only(self, shown: NDArray[np.bool_]) -> Recommender:
        """Return the same model that names no item outside `shown`, a flag per item of its own."""


@runtime_checkable
class ScoresAll(Protocol):
    """Gives the scores behind its rankings: nobody must sort everything to find one place."""

    def scores_of(self, users: UserIds) -> tuple[NDArray[np.float32], Ties]:
        """Return a score per user and item of its own, and what breaks ties between equal ones.

        Sorted, a row is what `recommend` returns without `exclude_seen`. Items that it may not name
        have -inf.
        """


@runtime_checkable
class LearnsFromTable(Protocol):
    """A recipe that reads the interactions by itself, so they need not fit into this process."""

    def fit_table(self, pairs: str, items: ItemFeatures) -> Recommender:
        """Learn from a table as `fit` does from arrays; the caller has checked its weights.

        Parameters
        ----------
        pairs : str
            Address of Parquet files with `user_key`, `item_id`, `weight`, `last_time`, and `part`
            if only its rows `train` are to be learnt. Rows of weight 0 are never learnt.
        items : ItemFeatures
            Has every item of the pairs.
        """


@runtime_checkable
class LearnsFromSteps(Protocol):
    """A recipe that learns from visits, event by event in order, beside the weighted pairs."""

    def fit_steps(self, train: Interactions, items: ItemFeatures, steps: Steps) -> Recommender:
        """Learn as `fit` does, from the steps as well; training and refit call it instead of `fit`.

        Parameters
        ----------
        train, items
            As `fit` takes them.
        steps : Steps
            Over the same items, of the same time as `train`: none is after the cut. Its persons
            need not be those of `train`, as some events count for nothing there.
        """


@runtime_checkable
class SettlesParameters(Protocol):
    """Remembers parameters of its recipe that were found while it was fitted."""

    def settled_parameters(self) -> dict[str, int]:
        """Return the parameters under which a fit does the same without looking for them again."""


@runtime_checkable
class TellsHowItLearnt(Protocol):
    """Remembers how its training went, for those who look at it in MLflow."""

    def learning(self) -> Learning:
        """Return the curve and the importances of this training; a loaded model has no curve."""


def recommend_sessions(model: Recommender, sessions: Sessions, k: int) -> Recommendations:
    """Ask a model about strangers with a few items; return bestsellers if it knows only users."""
    if isinstance(model, AnswersSessions):
        return model.recommend_sessions(sessions, k)
    return _bestsellers_without(model, np.full(len(sessions), NOBODY), sessions, k)


def scores_of(model: Recommender, users: UserIds) -> tuple[NDArray[np.float32], Ties]:
    """Return scores that give a model's rankings: its own, or else the places in its rankings."""
    if isinstance(model, ScoresAll):
        return model.scores_of(users)
    amount, width = len(users), len(model.items)
    ranked = model.recommend(users, width, exclude_seen=False).items.astype(np.intp)
    scores = np.full((amount, width + 1), -np.inf, dtype=np.float32)  # the last is that of NONE
    np.put_along_axis(scores, ranked, -np.arange(width, dtype=np.float32)[None], axis=1)
    return scores[:, :-1], ties_of_places(amount, width)


def similar_items(model: Recommender, items: ItemIds, k: int) -> Recommendations:
    """Ask a model for similar items; return bestsellers if it cannot tell which are similar."""
    if isinstance(model, FindsSimilar):
        return model.similar_items(items, k)
    return _bestsellers_without(
        model, items, [items[row : row + 1] for row in range(len(items))], k
    )


def reasons(
    model: Recommender,
    lists: Recommendations,
    titles: Sequence[str],
    sessions: Sessions | None = None,
    bought: Sequence[Collection[int]] | None = None,
) -> list[list[str]]:
    """Say why each place of a list is there: "because you bought X", or "" where nobody can say.

    Parameters
    ----------
    titles : sequence of str, length n_items
        Of the items of `lists.catalogue`; an item with an empty one is named by its id.
    bought : sequence of collection of int, length n, optional
        By row, the positions that were bought; whatever else led to a place was looked at.
    """
    if not isinstance(model, GivesReasons):
        return [[""] * lists.items.shape[1] for _ in lists.users]

    def say(row: int, place: int) -> str:
        if place == NONE:
            return ""
        name = titles[place] or str(lists.catalogue[place])
        return in_words(name, bought=bought is not None and place in bought[row])

    causes = model.because(lists, sessions).tolist()
    return [[say(row, place) for place in places] for row, places in enumerate(causes)]


def in_words(name: str, *, bought: bool) -> str:
    """Say that an item led to another.

    >>> in_words("Red coat", bought=True)
    'because you bought Red coat'
    """
    return f"because you {'bought' if bought else 'looked at'} {name}"


def one_each(items: ItemIds) -> Sessions:
    """Turn every item into a session of its own."""
    return list(items[:, None])


def baskets(items: ItemIds, sessions: Sessions) -> Matrix:
    """Mark the known items of every session, csr of float32 (n_sessions, n_items).

    Examples
    --------
    >>> baskets(np.array(["a", "b"]), [np.array(["b", "x", "b"]), np.array([])]).toarray().tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    by_session = [
        np.unique(positions(items, np.asarray(session, dtype=np.str_))) for session in sessions
    ]
    named = [places[places != NONE] for places in by_session]
    starts = np.concatenate([[0], np.cumsum([len(places) for places in named])])
    columns = np.concatenate(named) if named else np.empty(0, dtype=np.int64)
    marks = np.ones(len(columns), dtype=np.float32)
    return csr_matrix((marks, columns, starts), shape=(len(sessions), len(items)))


def _bestsellers_without(
    model: Recommender, asked: NDArray[np.str_], sessions: Sessions, k: int
) -> Recommendations:
    longest = max(map(len, sessions), default=0)
    lists = model.recommend(np.full(len(sessions), NOBODY), k + longest)
    marks = baskets(lists.catalogue, sessions).toarray() > 0
    own = np.take_along_axis(marks, np.maximum(lists.items, 0).astype(np.int64), axis=1)
    kept = lists.kept(~own, k)
    return Recommendations(asked, kept.catalogue, kept.items, kept.scores, kept.fallback)


def learning(model: Recommender) -> Learning:
    """Return what the training of a model tells of itself; may be empty."""
    return model.learning() if isinstance(model, TellsHowItLearnt) else Learning()


def settled(model: Recommender) -> dict[str, int]:
    """Return the parameters that fitting has chosen, such as the epochs; may be empty."""
    return model.settled_parameters() if isinstance(model, SettlesParameters) else {}
