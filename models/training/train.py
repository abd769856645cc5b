"""Trains one candidate on the data before the cut, and keeps it as arrays and JSON."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from infra.ledger.run_rules import placements_of
from infra.places import trained_of
from infra.schemas import INTERACTIONS, ITEMS, Table
from infra.settings import Settings
from infra.storage import Storage
from models.candidates import Candidate, candidate_to_train, make
from models.data.holdout import select
from models.data.outline import read_outline
from models.data.run_steps import Part, read_steps
from models.data.run_tables import RunTables, read_run
from models.recommender import Recipe, Recommender, require_features, require_learnable
from models.recommenders.capabilities import LearnsFromSteps, LearnsFromTable, learning, settled
from models.steps import Steps
from models.training.peak_memory import peak_memory_mb
from models.training.seed_noise import Learn, seed_noise
from models.training.trained_model import Costs, Fit, keep_model


@dataclass(frozen=True)
class Lesson:
    """What one training learns from.

    Attributes
    ----------
    tables : RunTables
        Whole, or with the histories of the hold-out's users alone: see `models.data.outline`.
    learn : function
        Fits a recipe of the kind the lesson was read for.
    pairs, users : int
        How many are learnt from.
    """

    tables: RunTables
    learn: Learn
    pairs: int
    users: int


def train(storage: Storage, run: str, candidate: str) -> dict[str, int | float | str]:
    """Fit a candidate and write `candidates/RUN/NAME` of the lake in one step.

    Run again, it replaces what is there.

    Returns
    -------
    dict
        The numbers of `fit.json` and of the costs worth showing, and the digest of the model.

    Raises
    ------
    SettingsError
        The rules of the run name no such candidate, or it cannot be made.
    InputError
        Nothing can be learnt from the tables of the run, or the hold-out has nobody to score on.
    StorageError
        The tables of the run are not there.
    """
    chosen = candidate_to_train(storage, run, candidate)
    recipe = make(chosen, storage.settings)
    lesson = read_lesson(storage, run, recipe)
    return learn_and_keep(storage, run, chosen, recipe, lesson, trained_of(run))


def learn_and_keep(
    storage: Storage, run: str, candidate: Candidate, recipe: Recipe, lesson: Lesson, place: str
) -> dict[str, int | float | str]:
    """Fit a recipe and write PLACE/NAME of the lake in one step; returns and raises as `train`."""
    rule = placements_of(storage, run).home.rule
    holdout = select(lesson.tables, rule)  # a model that nobody can score is not worth training
    model, costs = learn(recipe, lesson)
    fit = fit_of(run, candidate, storage.settings, lesson)
    noise = seed_noise(candidate, model, lesson.learn, holdout, storage.settings)
    moves = {"noise": noise.by_metric, "seed_overlap": noise.overlap} if noise else {}
    fit = fit.model_copy(update={**moves, "settled": settled(model), "learning": learning(model)})
    manifest = keep_model(storage, place, model, recipe, fit, costs)
    shown = fit.model_dump(include={"candidate", "interactions", "users", "items"})
    return {
        **shown,
        "training_seconds": round(costs.training_seconds, 3),
        "peak_memory_mb": round(costs.peak_memory_mb, 1),
        "model_sha256": manifest.model_sha256(),
    }


def learn(recipe: Recipe, lesson: Lesson) -> tuple[Recommender, Costs]:
    """Fit a recipe and measure what it takes."""
    started = time.perf_counter()
    model = lesson.learn(recipe)
    seconds = time.perf_counter() - started
    return model, Costs(training_seconds=seconds, peak_memory_mb=peak_memory_mb())


def read_lesson(
    storage: Storage,
    run: str,
    recipe: Recipe,
    pairs: Table = INTERACTIONS,
    items: Table = ITEMS,
) -> Lesson:
    """Read and check what a recipe learns from; raises `InputError` where nothing can be learnt."""
    if isinstance(recipe, LearnsFromTable):
        return _table_lesson(storage, run, pairs, items)
    tables = read_run(storage, run, pairs, items)
    if isinstance(recipe, LearnsFromSteps):
        part: Part | None = "train" if pairs == INTERACTIONS else None  # a refit learns from all
        return steps_lesson(tables, read_steps(storage, run, tables.items.items, part))
    return array_lesson(tables)


def array_lesson(tables: RunTables) -> Lesson:
    """Let recipes learn from arrays; raises `InputError` where nothing can be learnt."""
    require_learnable(tables.train, tables.items)

    def learn(recipe: Recipe) -> Recommender:
        return recipe.fit(tables.train, tables.items)

    return Lesson(tables, learn, int(tables.train.weights.nnz), len(tables.train.users))


def steps_lesson(tables: RunTables, steps: Steps) -> Lesson:
    """Let recipes learn from arrays and steps; raises `InputError` as `array_lesson`."""

    def learn(recipe: Recipe) -> Recommender:
        return cast(LearnsFromSteps, recipe).fit_steps(tables.train, tables.items, steps)

    return replace(array_lesson(tables), learn=learn)


def _table_lesson(storage: Storage, run: str, pairs: Table, items: Table) -> Lesson:
    outline = read_outline(storage, run, pairs, items)
    features, address = outline.tables.items, storage.lake.address(pairs.name, run)
    require_features(features)

    def learn(recipe: Recipe) -> Recommender:
        return cast(LearnsFromTable, recipe).fit_table(address, features)

    return Lesson(outline.tables, learn, outline.pairs, outline.users)


def fit_of(run: str, candidate: Candidate, settings: Settings, lesson: Lesson) -> Fit:
    """Describe a training."""
    tables = lesson.tables
    attributes: Any = np.diff(tables.items.matrix.indptr)  # how many each item has
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
        items_without_attributes=int((attributes == 0).sum()),
        inputs=tables.inputs,
    )
