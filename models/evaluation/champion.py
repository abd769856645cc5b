"""Scoring the live model on the hold-out of a later run."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from infra.errors import InputError
from infra.places import version_key
from infra.storage import Storage
from infra.stores.digests import verified
from models.bundle_layout import JUDGED, MODEL
from models.data.holdout import Holdout
from models.data.run_tables import RunTables
from models.evaluation.compare import CHAMPION, Judged, score_of
from models.evaluation.measure import LONGEST, Measured, Rows, _measured
from models.metrics.ranking import marked
from models.recommender import NONE, ItemFeatures, Matrix, Recommendations, Recommender, positions
from models.training.trained_model import Fit, Trained, read_model

ASKED_OF_CHAMPION = 10 * LONGEST  # what was seen or sold out since its cut is taken out


def measure_champion(model: Recommender, holdout: Holdout, tables: RunTables) -> Measured:
    """Judge a model that was trained for an earlier run, by the same users and items.

    It does not know what users did and what sold out since, so it is asked for ten times as many
    items, and those that must not be shown today are taken out before the first ones are judged.
    """
    known = len(model.recommend(holdout.users[:1], 1).catalogue)

    def ask(rows: Rows, k: int) -> Recommendations:
        asked = ASKED_OF_CHAMPION if k <= LONGEST else known
        given = model.recommend(holdout.users[rows], asked)
        return todays(given, tables.items, holdout.seen[rows], k)

    return _measured(ask, holdout, tables)


def todays(given: Recommendations, items: ItemFeatures, seen: Matrix, k: int) -> Recommendations:
    """Return an older model's first k of what may be shown today, by the items of today.

    `seen` is csr, a row per row of the lists and a column per item of today.
    """
    places = np.append(positions(items.items, given.catalogue), NONE)
    today = places[given.items].astype(np.int32)  # position -1 reads the NONE at the end
    shown = (today != NONE) & items.recommendable[today]
    shown &= ~marked(seen, today)
    return replace(given, catalogue=items.items, items=today).kept(shown, k)


def score_champion(storage: Storage, version: str, holdout: Holdout, tables: RunTables) -> Judged:
    """Score the live version, by the model in it that has not seen the hold-out.

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
    _require_no_leak(fit, tables.cut)
    trained = Trained(model, fit, manifest.model_sha256(below), manifest.total_bytes(below))
    return score_of(fit.candidate, CHAMPION, trained), measure_champion(model, holdout, tables)


def _require_no_leak(fit: Fit, cut: datetime) -> None:
    if fit.cut > cut:
        raise InputError(
            f"it learnt from data up to {fit.cut:%Y-%m-%d %H:%M}, this run is judged from "
            f"{cut:%Y-%m-%d %H:%M} on.",
            "Judge it in a run with a later cut.",
        )
