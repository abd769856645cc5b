"""Scores the live version on the hold-out of a later run: candidates are compared with it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from infra.errors import InputError
from infra.places import version_key
from infra.storage import Storage
from infra.stores.digests import verified
from models.bundle_layout import CARD, JUDGED, MODEL
from models.data.holdout import Holdout
from models.data.run_tables import RunTables
from models.evaluation.compare import CHAMPION, Scored, score_of
from models.evaluation.measure import Measured, Rows, measured
from models.recommender import Recommendations, Recommender
from models.recommenders.todays_model import TodaysModel
from models.training.trained_model import Fit, Trained, read_model

COSTS = ("training_minutes", "peak_memory_mb")


def measure_champion(model: Recommender, holdout: Holdout, tables: RunTables) -> Measured:
    """Score a model that was trained for an earlier run, by the same users and items.

    It does not know what users took and what sold out since: both is left out of its lists.
    """
    todays = TodaysModel(model, tables.items.items, tables.items.recommendable)

    def ask(rows: Rows, k: int) -> Recommendations:
        return todays.recommend(holdout.users[rows], k, seen=holdout.seen[rows])

    return measured(ask, holdout, tables)


def score_champion(storage: Storage, version: str, holdout: Holdout, tables: RunTables) -> Scored:
    """Score the live version, by the model in it that has not seen the hold-out.

    The costs of its training come from its card: it was not trained in this run.

    Raises
    ------
    BundleError, StorageError
        The version is not there, or not what its manifest says.
    InputError
        It learnt from data after the cut of this run.
    """
    with storage.scratch() as scratch:
        folder = storage.published.fetch_folder(version_key(version), scratch)
        manifest = verified(folder)
        below = f"{JUDGED if (folder / JUDGED).is_dir() else MODEL}/"
        model, fit = read_model(folder / below)
        costs = _costs(folder / CARD)
    _require_no_leak(fit, tables.cut)
    trained = Trained(model, fit, manifest.model_sha256(below), manifest.total_bytes(below))
    score = score_of(fit.candidate, CHAMPION, trained, costs)
    return score, measure_champion(model, holdout, tables)


def _costs(card: Path) -> dict[str, float]:
    metrics = json.loads(card.read_bytes()).get("metrics", {})
    return {name: metrics[name] for name in COSTS if name in metrics}


def _require_no_leak(fit: Fit, cut: datetime) -> None:
    if fit.cut > cut:
        raise InputError(
            f"it learnt from data up to {fit.cut:%Y-%m-%d %H:%M}, this run's hold-out starts at "
            f"{cut:%Y-%m-%d %H:%M}.",
            "Score it in a run with a later cut.",
        )
