"""Measures one model's lists on the hold-out: every metric, and its numbers by user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
AUC_USERS = 1_000  # more would move an AUC in the third digit
AUC_PLACES = 2_000_000  # scores of everything at a time: 24 MB


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

    def ask(rows: slice) -> Recommendations:
        seen = holdout.left_out[rows]
        return todays.recommend(holdout.users[rows], LONGEST, exclude_seen=False, seen=seen)

    lists = stacked([ask(rows) for rows in _blocks(len(holdout.users), BLOCK_USERS)])
    hits, relevant = hits_of(lists, holdout), holdout.relevant
    by_user = {name: metric(hits, relevant) for name, metric in RANKING.items()}
    shown = todays.recommend(
        audience.users, audience.length, exclude_seen=False, seen=audience.left_out
    )
    newcomers = answered(model, data.newcomers, tables) if data.newcomers else {}
    metrics = {
        **{name: float(values.mean()) for name, values in by_user.items()},
        "auc": float(_auc(todays, holdout).mean()),
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


def whole_ranking_auc(model: TodaysModel, holdout: Holdout, sample: NDArray[np.intp]) -> Values:
    """Find what a sample of the users wanted among all items, never among a sample of these."""
    values = []
    for block in _blocks(len(sample), max(1, AUC_PLACES // holdout.wanted.shape[1])):
        rows = sample[block]
        wanted = holdout.wanted[rows]
        places, ranked = model.places(holdout.users[rows], wanted, holdout.left_out[rows])
        users, there = np.repeat(np.arange(len(rows)), np.diff(wanted.indptr)), places != NONE
        found = np.bincount(users[there], minlength=len(rows))
        sums = np.bincount(users[there], places[there], len(rows)).astype(np.int64)
        values.append(auc(found, sums, ranked, holdout.relevant[rows]))
    return np.concatenate(values)


def _auc(model: TodaysModel, holdout: Holdout) -> Values:
    amount = len(holdout.users)
    spread = np.linspace(0, amount - 1, min(amount, AUC_USERS))
    return whole_ranking_auc(model, holdout, np.unique(spread.astype(np.intp)))


def _blocks(amount: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, amount)) for start in range(0, amount, step))
