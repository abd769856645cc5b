"""The noise floor: how far NDCG moves when nothing but the seed of a training changes."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import TypeAlias

import numpy as np

from infra.settings import Settings
from models.candidates import Candidate, make, model_class
from models.holdout import Holdout, marked
from models.metrics import RANKING, K
from models.recommender import Recommender

METRIC = f"ndcg_at_{K}"
Learn: TypeAlias = Callable[[Recommender], Recommender]


def noise_floor(
    candidate: Candidate,
    model: Recommender,
    learn: Learn,
    holdout: Holdout,
    settings: Settings,
) -> float | None:
    """Train `noise_refits` times more, and return the largest difference of two NDCG@10.

    Parameters
    ----------
    model : Recommender
        Trained by `learn`, as the others will be.

    Returns
    -------
    float or None
        0.0 for a model without a seed; None if `candidates.yaml` asks for no refits.
    """
    if "random_state" not in signature(model_class(candidate.class_path)).parameters:
        return 0.0
    if not candidate.noise_refits:
        return None
    found = [_ndcg(model, holdout)]
    for number in range(1, candidate.noise_refits + 1):
        again = with_other_seed(candidate, settings.seed + number)
        found.append(_ndcg(learn(make(again, settings)), holdout))
    return float(np.ptp(found))


def with_other_seed(candidate: Candidate, seed: int) -> Candidate:
    """Return the same candidate with another seed, also where its parameters fix one."""
    seed += int(candidate.parameters.get("random_state") or 0)
    parameters = {**candidate.parameters, "random_state": seed % 2**32}
    return candidate.model_copy(update={"parameters": parameters})


def _ndcg(model: Recommender, holdout: Holdout) -> float:
    hits = marked(holdout.wanted, model.recommend(holdout.users, K).items)
    return float(RANKING[METRIC](hits, holdout.relevant).mean())
