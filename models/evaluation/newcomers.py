"""Scores what people without a history are shown: converting strangers is half of the business.

At their first event they get the list for strangers; after each item of a visit, the answer to the
items so far (`recommend_sessions`). Asked is where the next item of the same visit comes in it, and
averaged over the questions of a person, then over persons. What the shop showed, and what came
back, is no next item.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.schemas import EVENT_TYPES
from models.data.run_tables import RunTables
from models.metrics.ranking import NEXT_ITEM, K, Values
from models.recommender import NONE, ItemIds, Recommendations, Recommender, UserIds, positions
from models.recommenders.capabilities import NOBODY, Sessions
from models.recommenders.todays_model import TodaysModel
from models.steps import NO_CHOICE, Steps

FIRST = 5  # items of a visit that are asked about: later ones are no longer those of a stranger
PERSONS = 5_000  # at most 25,000 questions and more where people come twice: a minute a model


@dataclass(frozen=True)
class Questions:
    """What new customers are asked for: the items of a visit so far, and the next one.

    Attributes
    ----------
    persons : array of str, shape (n_persons,)
        Who has no train history, and a question at least; a sample where there are many.
    asked : array of int, shape (n,)
        Position in `persons` of each question.
    so_far : sequence of arrays of str, length n
        The items of the visit until then; empty at the first event of a person.
    wanted : array of int, shape (n,)
        Position of the next item among those of the run.
    """

    persons: UserIds
    asked: NDArray[np.int64]
    so_far: Sessions
    wanted: NDArray[np.int64]


def questions_of(tables: RunTables, steps: Steps, seed: int) -> Questions:
    """Ask about the persons of the hold-out's steps who have no train history.

    Of each visit the different items that they chose count, in the order in which they came first;
    an item that was unknown at the cut can be no answer.
    """
    steps = steps.of_steps(~np.isin(steps.kind, [EVENT_TYPES.index(name) for name in NO_CHOICE]))
    new = np.flatnonzero(positions(tables.train.users, steps.persons) == NONE)
    if len(new) > PERSONS:
        new = np.sort(np.random.default_rng(seed).choice(new, PERSONS, replace=False))
    chosen = np.zeros(len(steps.persons), dtype=np.bool_)
    chosen[new] = True
    rows = list(_questions(steps.of_persons(chosen)))
    asked, names = np.unique([person for person, _, _ in rows], return_inverse=True)
    return Questions(
        persons=steps.persons[new][asked.astype(np.intp)],
        asked=names.astype(np.int64),
        so_far=[items for _, items, _ in rows],
        wanted=np.array([wanted for _, _, wanted in rows], dtype=np.int64),
    )


def answered(model: Recommender, questions: Questions, tables: RunTables) -> dict[str, Values]:
    """Ask a model; return each metric by person, shape (n_persons,)."""
    todays = TodaysModel(model, tables.items.items, tables.items.recommendable)
    hits = _answers(todays, questions).items == questions.wanted[:, None]
    times = np.bincount(questions.asked, minlength=len(questions.persons))
    wanted = np.ones(len(hits), dtype=np.int64)
    return {
        name: np.bincount(questions.asked, metric(hits, wanted), len(times)) / np.maximum(times, 1)
        for name, metric in NEXT_ITEM.items()
    }


def _answers(todays: TodaysModel, questions: Questions) -> Recommendations:
    """Answer those with items by these, and the others by the list for strangers."""
    begun = np.array([len(items) > 0 for items in questions.so_far], dtype=np.bool_)
    answers = todays.recommend(np.full(len(begun), NOBODY), K)
    sessions = [items for items in questions.so_far if len(items)]
    items = answers.items.copy()
    items[begun] = todays.recommend_sessions(sessions, K).items
    return Recommendations(
        answers.users, answers.catalogue, items, answers.scores, answers.fallback
    )


def _questions(steps: Steps) -> Iterator[tuple[int, ItemIds, int]]:
    """Give person, items so far and next item, visit by visit."""
    met: set[int] = set()
    for visit, person in enumerate(steps.visitors.tolist()):
        items = steps.item[steps.starts[visit] : steps.starts[visit + 1]]
        _, first = np.unique(items, return_index=True)
        known = items[np.sort(first)]
        known = known[known != NONE][: FIRST + 1]
        begin = 1 if person in met else 0  # the list for strangers is for the first visit alone
        met.add(person)
        for place in range(begin, len(known)):
            yield person, steps.items[known[:place]], int(known[place])
