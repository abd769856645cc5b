"""Measures the noise of a model: how far it moves when only the seed of its training changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from infra.settings import Settings
from models.candidates import Candidate, make, model_class
from models.data.holdout import Holdout
from models.metrics.lists import overlap
from models.metrics.ranking import RANKING, K, marked
from models.recommender import Recipe, Recommendations, Recommender
from models.recommenders.todays_model import TodaysModel

METRIC = f"ndcg_at_{K}"
Learn: TypeAlias = Callable[[Recipe], Recommender]


@dataclass(frozen=True)
class Noise:
    """How far a model moves with the seed alone.

    Attributes
    ----------
    ndcg : float
        The largest difference of two NDCG@10.
    overlap : float
        Mean share of the first ten places that another seed fills with the same items, the lowest
        of all trainings; 1 if nothing changes.
    """

    ndcg: float
    overlap: float


def seed_noise(
    candidate: Candidate,
    model: Recommender,
    learn: Learn,
    holdout: Holdout,
    settings: Settings,
) -> Noise | None:
    """Train `noise_refits` times more and compare.

    Parameters
    ----------
    model : Recommender
        Trained by `learn`, as the others will be.

    Returns
    -------
    Noise or None
        No noise for a model without a seed; None if `candidates.yaml` asks for no refits.
    """
    if "random_state" not in model_class(candidate.class_path).model_fields:
        return Noise(0.0, 1.0)
    if not candidate.noise_refits:
        return None
    trainings = [_shown(model, holdout)]
    for number in range(1, candidate.noise_refits + 1):
        again = with_other_seed(candidate, settings.seed + number)
        trainings.append(_shown(learn(make(again, settings)), holdout))
    return Noise(
        ndcg=float(np.ptp([_ndcg(lists, holdout) for lists in trainings])),
        overlap=_lowest_overlap(trainings),
    )


def with_other_seed(candidate: Candidate, seed: int) -> Candidate:
    """Return the same candidate with another seed, also where its parameters fix one."""
    seed += int(candidate.parameters.get("random_state") or 0)
    parameters = {**candidate.parameters, "random_state": seed % 2**32}
    return candidate.model_copy(update={"parameters": parameters})


def _shown(model: Recommender, holdout: Holdout) -> Recommendations:
    """Return the lists as they are scored: without what may not be shown."""
    todays = TodaysModel(model, model.items, model.recommendable)
    return todays.recommend(holdout.users, K, exclude_seen=False, seen=holdout.left_out)


def _lowest_overlap(trainings: Sequence[Recommendations]) -> float:
    first, *others = trainings
    return min(float(overlap(first, other).mean()) for other in others)


def _ndcg(lists: Recommendations, holdout: Holdout) -> float:
    hits = marked(holdout.wanted, lists.items)
    return float(RANKING[METRIC](hits, holdout.relevant).mean())
