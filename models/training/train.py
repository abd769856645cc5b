"""Train one candidate on the train part of a run and keep it as arrays and JSON."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from infra.places import candidates_of
from infra.schemas import INTERACTIONS, ITEMS, Table
from infra.settings import Settings
from infra.storage import Storage
from models.candidates import Candidate, candidate_named, make, require_sound
from models.data.holdout import select
from models.data.outline import read_outline
from models.data.run_tables import RunTables, read_run
from models.recommender import Recommender, require_features, require_learnable
from models.recommenders.capabilities import LearnsFromTable, settled
from models.training.peak_memory import peak_memory_mb
from models.training.seed_noise import Learn, seed_noise
from models.training.trained_model import Fit, write_model


@dataclass(frozen=True)
class Lesson:
    """What one training learns from.

    Attributes
    ----------
    tables : RunTables
        Whole, or with the histories of the judged users alone: see `models.data.outline`.
    learn : function
        Trains a model of the kind the lesson was read for.
    pairs, users : int
        How many are learnt from.
    """

    tables: RunTables
    learn: Learn
    pairs: int
    users: int


def train(storage: Storage, run: str, candidate: str) -> dict[str, int | float | str]:
    """Fit a candidate and write `candidates/RUN/NAME` of the lake in one step.

    Run again, it replaces what stands there.

    Returns
    -------
    dict
        The numbers of `fit.json` worth showing, and the digest of the model.

    Raises
    ------
    SettingsError
        The candidate does not exist, or it or another one of the run cannot be made.
    InputError
        Nothing can be learnt from the tables of the run, or nobody in the hold-out can judge it.
    StorageError
        The tables of the run are not there.
    """
    chosen = candidate_named(candidate)
    require_sound(storage.settings)
    model = make(chosen, storage.settings)
    lesson = read_lesson(model, storage, run)
    return learn_and_keep(chosen, model, lesson, run, storage, candidates_of(run))


def learn_and_keep(
    chosen: Candidate, model: Recommender, lesson: Lesson, run: str, storage: Storage, place: str
) -> dict[str, int | float | str]:
    """Fit a model and write PLACE/NAME of the lake in one step; returns and raises as `train`."""
    holdout = select(lesson.tables)  # a model that nobody can judge is not worth training
    started = time.perf_counter()
    lesson.learn(model)
    fit = fit_of(chosen, run, storage.settings, lesson, time.perf_counter() - started)
    noise = seed_noise(chosen, model, lesson.learn, holdout, storage.settings)
    found = {"noise": noise.ndcg, "seed_overlap": noise.overlap} if noise else {}
    fit = fit.model_copy(update={**found, "settled": settled(model)})
    with storage.scratch() as scratch:
        manifest = write_model(model, fit, scratch)
        storage.lake.begin(place, chosen.name)  # a bucket keeps files of before
        storage.lake.store.put_folder(scratch, f"{place}/{chosen.name}")
    shown = fit.model_dump(include={"candidate", "interactions", "users", "items"})
    return {
        **shown,
        "training_seconds": round(fit.training_seconds, 3),
        "peak_memory_mb": round(fit.peak_memory_mb, 1),
        "model_sha256": manifest.model_sha256(),
    }


def read_lesson(
    model: Recommender,
    storage: Storage,
    run: str,
    pairs: Table = INTERACTIONS,
    items: Table = ITEMS,
) -> Lesson:
    """Read and check what a model learns from; raises `InputError` where nothing can be learnt."""
    if isinstance(model, LearnsFromTable):
        return _table_lesson(storage, run, pairs, items)
    return array_lesson(read_run(storage, run, pairs, items))


def array_lesson(tables: RunTables) -> Lesson:
    """Let models learn from arrays; raises `InputError` where nothing can be learnt."""
    require_learnable(tables.train, tables.items)

    def learn(model: Recommender) -> Recommender:
        return model.fit(tables.train, tables.items)

    return Lesson(tables, learn, int(tables.train.weights.nnz), len(tables.train.users))


def _table_lesson(storage: Storage, run: str, pairs: Table, items: Table) -> Lesson:
    outline = read_outline(storage, run, pairs, items)
    features, address = outline.tables.items, storage.lake.address(pairs.name, run)
    require_features(features)

    def learn(model: Recommender) -> Recommender:
        cast(LearnsFromTable, model).fit_table(address, features)
        return model

    return Lesson(outline.tables, learn, outline.pairs, outline.users)


def fit_of(
    candidate: Candidate, run: str, settings: Settings, lesson: Lesson, seconds: float
) -> Fit:
    """Describe a training that just ended and took so long."""
    tables = lesson.tables
    known: Any = np.diff(tables.items.matrix.indptr) > 0
    return Fit(
        candidate=candidate.name,
        class_path=candidate.class_path,
        parameters=candidate.parameters,
        seed=settings.seed,
        training_threads=settings.training_threads,
        run=run,
        cut=tables.cut,
        as_of=tables.as_of,
        interactions=lesson.pairs,
        users=lesson.users,
        items=len(tables.items.items),
        items_without_attributes=int((~known).sum()),
        training_seconds=seconds,
        peak_memory_mb=peak_memory_mb(),
        written=tables.written,
    )
