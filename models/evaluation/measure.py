"""Measures one model's lists on the hold-out: every metric, and its numbers by user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.data.holdout import Holdout
from models.data.run_tables import RunTables
from models.evaluation.audience import Audience
from models.evaluation.newcomers import Questions, answered
from models.metrics.lists import (
    catalogue_coverage,
    diversity,
    fallback_share,
    novelty,
    popularity_share,
    user_coverage,
)
from models.metrics.ranking import LENGTHS, RANKING, Hits, Values, auc, marked
from models.recommender import (
    NONE,
    Recommendations,
    Recommender,
    stacked,
)
from models.recommenders.todays_model import TodaysModel

LONGEST = max(LENGTHS)
BLOCK_USERS = 50_000  # 120 MB at a time for a champion's lists
AUC_USERS = 1_000  # whole rankings cost 2 ms a user at 20,000 items; never fewer items
AUC_PLACES = 2_000_000  # of whole rankings at a time: 24 MB

Rows: TypeAlias = NDArray[np.intp] | slice
Ask: TypeAlias = Callable[[Rows, int], Recommendations]


@dataclass(frozen=True)
class Measured:
    """What was measured of one model.

    Attributes
    ----------
    metrics : dict of str to float
        Every metric of `models.metrics.ranking.METRICS` that lists can tell.
    by_user : dict of str to array of float64, shape (n_users,)
        Every ranking metric of every user of the hold-out.
    lists : Recommendations
        The first `LONGEST` of every user of the hold-out.
    shown : Recommendations
        The lists of the audience.
    by_newcomer : dict of str to array of float64, shape (n_persons,)
        The metrics of the people without a history; empty where there are none.
    """

    metrics: dict[str, float]
    by_user: dict[str, Values]
    lists: Recommendations
    shown: Recommendations
    by_newcomer: dict[str, Values]


@dataclass(frozen=True)
class EvaluationData:
    """What all models of a run are measured on: the hold-out, the audience, the newcomers.

    Attributes
    ----------
    tables : RunTables
    holdout : Holdout
    audience : Audience
    newcomers : Questions or None
        None where nobody wrote down the steps of people.
    """

    tables: RunTables
    holdout: Holdout
    audience: Audience
    newcomers: Questions | None = None


def measure(model: Recommender, data: EvaluationData) -> Measured:
    """Measure the lists that customers would get of a model today.

    A model of an earlier run does not know what users took and what sold out since: what may not be
    shown is left out of its lists, as of those of any other model.
    """
    tables, holdout, audience = data.tables, data.holdout, data.audience
    todays = TodaysModel(model, tables.items.items, tables.items.recommendable)

    def ask(rows: Rows, k: int) -> Recommendations:
        seen = holdout.left_out[rows]
        return todays.recommend(holdout.users[rows], k, exclude_seen=False, seen=seen)

    lists = stacked([ask(rows, LONGEST) for rows in _blocks(len(holdout.users), BLOCK_USERS)])
    hits, relevant = hits_of(lists, holdout), holdout.relevant
    by_user = {name: metric(hits, relevant) for name, metric in RANKING.items()}
    shown = todays.recommend(
        audience.users, audience.length, exclude_seen=False, seen=audience.left_out
    )
    newcomers = answered(model, data.newcomers, tables) if data.newcomers else {}
    metrics = {
        **{name: float(values.mean()) for name, values in by_user.items()},
        "auc": float(_auc(ask, holdout).mean()),
        **_list_metrics(shown, tables),
        **{name: float(values.mean()) for name, values in newcomers.items() if len(values)},
    }
    return Measured(metrics, by_user, lists, shown, newcomers)


def hits_of(lists: Recommendations, holdout: Holdout) -> Hits:
    """Return where the lists hit, (n, k)."""
    return marked(holdout.wanted, lists.items)


def _list_metrics(lists: Recommendations, tables: RunTables) -> dict[str, float]:
    shown, train = tables.items.recommendable, tables.train.weights
    takers = np.bincount(train.indices, minlength=train.shape[1])
    return {
        "user_coverage": user_coverage(lists, shown),
        "fallback_share": fallback_share(lists),
        "catalogue_coverage": catalogue_coverage(lists, shown),
        "novelty": novelty(lists, takers, train.shape[0]),
        "diversity": diversity(lists, tables.items.matrix),
        "popularity_share": popularity_share(lists, takers),
    }


def whole_ranking_auc(ask: Ask, holdout: Holdout, sample: NDArray[np.intp]) -> Values:
    """Rank everything for a sample of the users; never a sample of the items."""
    n_items = holdout.wanted.shape[1]
    values = []
    for block in _blocks(len(sample), max(1, AUC_PLACES // n_items)):
        rows = sample[block]
        items = ask(rows, n_items).items
        wanted = holdout.wanted[rows].toarray()
        hits = np.take_along_axis(wanted, np.maximum(items, 0).astype(np.int64), axis=1)
        there = items != NONE
        values.append(auc(hits & there, there, holdout.relevant[rows]))
    return np.concatenate(values)


def _auc(ask: Ask, holdout: Holdout) -> Values:
    amount = len(holdout.users)
    spread = np.linspace(0, amount - 1, min(amount, AUC_USERS))
    return whole_ranking_auc(ask, holdout, np.unique(spread.astype(np.intp)))


def _blocks(amount: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, amount)) for start in range(0, amount, step))
