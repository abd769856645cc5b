"""Measures the noise of a model: how far it moves when only the seed of its training changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from infra.records.evaluation import Noise
from infra.settings import Settings
from models.candidates import Candidate, make, model_class
from models.data.holdout import Holdout
from models.metrics.lists import overlap
from models.metrics.noise import noise_of
from models.metrics.ranking import LENGTHS, RANKING, K, marked
from models.recommender import NONE, Recipe, Recommendations, Recommender
from models.recommenders.todays_model import TodaysModel

LONGEST = max(LENGTHS)
Learn: TypeAlias = Callable[[Recipe], Recommender]


@dataclass(frozen=True)
class SeedNoise:
    """How far a model moves with the seed alone.

    Attributes
    ----------
    by_metric : dict of str to Noise
        Of every ranking metric; empty where nothing moves.
    overlap : float
        Mean share of the first ten places that another seed fills with the same items, the lowest
        of all trainings; 1 if nothing changes.
    """

    by_metric: dict[str, Noise]
    overlap: float


def seed_noise(
    candidate: Candidate,
    model: Recommender,
    learn: Learn,
    holdout: Holdout,
    settings: Settings,
) -> SeedNoise | None:
    """Train `noise_refits` times more and compare.

    Parameters
    ----------
    model : Recommender
        Trained by `learn`, as the others will be.

    Returns
    -------
    SeedNoise or None
        No noise for a model without a seed; None if `candidates.yaml` asks for no refits.
    """
    if "random_state" not in model_class(candidate.class_path).model_fields:
        return SeedNoise({}, 1.0)
    if not candidate.noise_refits:
        return None
    trainings = [_shown(model, holdout)]
    for number in range(1, candidate.noise_refits + 1):
        again = with_other_seed(candidate, settings.seed + number)
        trainings.append(_shown(learn(make(again, settings)), holdout))
    hits = [marked(holdout.wanted, lists.items) for lists in trainings]
    by_metric = {
        name: noise_of(np.array([metric(found, holdout.relevant) for found in hits]))
        for name, metric in RANKING.items()
    }
    return SeedNoise(by_metric, _lowest_overlap(trainings))


def with_other_seed(candidate: Candidate, seed: int) -> Candidate:
    """Return the same candidate with another seed, also where its parameters fix one."""
    seed += int(candidate.parameters.get("random_state") or 0)
    parameters = {**candidate.parameters, "random_state": seed % 2**32}
    return candidate.model_copy(update={"parameters": parameters})


def _shown(model: Recommender, holdout: Holdout) -> Recommendations:
    """Return the lists as they are scored: without what may not be shown."""
    todays = TodaysModel(model, model.items, model.recommendable)
    return todays.recommend(holdout.users, LONGEST, exclude_seen=False, seen=holdout.left_out)


def _lowest_overlap(trainings: Sequence[Recommendations]) -> float:
    first, *others = (lists.kept(lists.items != NONE, K) for lists in trainings)
    return min(float(overlap(first, other).mean()) for other in others)
