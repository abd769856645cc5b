"""Opens the live version to be scored in a later run: candidates are compared with it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from infra.errors import InputError
from infra.places import version_key
from infra.storage import Storage
from infra.stores.digests import verified
from models.bundle_layout import CARD, JUDGED, MODEL
from models.evaluation.compare import CHAMPION, score_of
from models.evaluation.score_run import Entrant
from models.training.trained_model import Fit, Trained, read_model

COSTS = ("training_minutes", "peak_memory_mb")


def champion_of(storage: Storage, version: str, cut: datetime) -> Entrant:
    """Open the live version: the model in it that has not seen the hold-out.

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
    _require_no_leak(fit, cut)
    trained = Trained(model, fit, manifest.model_sha256(below), manifest.total_bytes(below))
    return Entrant(score_of(fit.candidate, CHAMPION, trained, costs), model)


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
