"""Train one candidate on the train part of a run and keep it as arrays and JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from pydantic import AwareDatetime, Field

from infra.errors import BundleError
from infra.rules import Rules
from infra.schemas import INTERACTIONS, ITEMS, Table
from infra.settings import Settings
from infra.storage import Storage
from infra.stores.digests import FolderManifest, verified, write_manifest
from models.candidates import Candidate, candidate_named, make, model_class, require_sound
from models.data.holdout import select
from models.data.outline import read_outline
from models.data.run_tables import RunTables, read_run
from models.recommender import Recommender, require_features, require_learnable
from models.recommenders.capabilities import LearnsFromTable, SettlesParameters
from models.training.peak_memory import peak_memory_mb
from models.training.seed_noise import Learn, seed_noise

FIT = "fit.json"


class Fit(Rules):
    """What is known of one training; item ids stand in the model's own arrays.

    Attributes
    ----------
    training_seconds : float
        Wall time of `fit` alone, without reading and writing.
    peak_memory_mb : float
        Highest resident memory of the whole process so far, and of Spark's beside it, in MiB.
    items_without_attributes : int
        Mostly items that were not in the catalogue at the cut: learnt from, never shown.
    noise, seed_overlap : float or None
        See `seed_noise.Noise`; refitting is not part of the time, nor of the memory.
    written : dict
        See `models.data.run_tables.written_at`: which tables it learnt from.
    settled : dict
        See `models.recommenders.capabilities.SettlesParameters`.
    """

    candidate: str
    class_path: str
    parameters: dict[str, str | int | float | bool | None]
    seed: int
    training_threads: int
    run: str
    cut: AwareDatetime
    as_of: AwareDatetime
    interactions: int
    users: int
    items: int
    items_without_attributes: int
    training_seconds: float
    peak_memory_mb: float
    noise: float | None = None
    seed_overlap: float | None = None
    written: dict[str, str] = Field(default_factory=dict)
    settled: dict[str, int] = Field(default_factory=dict)


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


@dataclass(frozen=True)
class Trained:
    """A trained candidate: the model, how it was trained, digest and size of its files."""

    model: Recommender
    fit: Fit
    sha256: str
    bytes: int


def train(candidate: str, run: str, storage: Storage) -> dict[str, int | float | str]:
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


def settled(model: Recommender) -> dict[str, int]:
    """Return the parameters that a model found while it fitted; none if it finds none."""
    return model.settled_parameters() if isinstance(model, SettlesParameters) else {}


def write_model(model: Recommender, fit: Fit, folder: Path) -> FolderManifest:
    """Write a model, its `fit.json` and the manifest of both into an empty folder."""
    model.save(folder)
    (folder / FIT).write_text(fit.model_dump_json(indent=1), encoding="utf-8")
    return write_manifest(folder, {"candidate": fit.candidate, "run": fit.run})


def read_model(folder: Path) -> tuple[Recommender, Fit]:
    """Load a model that `write_model` wrote; the caller has verified the folder.

    Raises
    ------
    BundleError
        An array or a JSON file cannot be read.
    SettingsError
        Its class is none of Catwalk's.
    """
    fit = read_fit(folder)
    model: Recommender = model_class(fit.class_path).load(folder)
    return model, fit


def read_fit(folder: Path) -> Fit:
    """Read `fit.json` of a model folder; raise `BundleError` if it cannot be understood."""
    try:
        return Fit.model_validate_json((folder / FIT).read_bytes())
    except (OSError, ValueError) as error:
        raise BundleError(f"{folder / FIT} cannot be read.", "Train again.") from error


def candidates_of(run: str) -> str:
    """Return the folder of the lake that holds the trained candidates of a run."""
    return f"candidates/{run}"


@contextmanager
def model_folder(storage: Storage, place: str, name: str) -> Iterator[tuple[Path, FolderManifest]]:
    """Give the verified folder PLACE/NAME of a trained model and the manifest of its files.

    Raises
    ------
    StorageError
        It was never trained.
    BundleError
        A file is not what its manifest says.
    """
    storage.lake.manifest(place, name)
    with storage.scratch() as scratch:
        folder = storage.lake.store.fetch_folder(f"{place}/{name}", scratch)
        yield folder, verified(folder)


def load_trained(storage: Storage, run: str, name: str) -> Trained:
    """Load a trained candidate; raises as `model_folder` does."""
    return load_kept(storage, candidates_of(run), name)


def load_kept(storage: Storage, place: str, name: str) -> Trained:
    """Load what `learn_and_keep` wrote; raises as `model_folder` does."""
    with model_folder(storage, place, name) as (folder, manifest):
        model, fit = read_model(folder)
    return Trained(model, fit, manifest.model_sha256(), manifest.total_bytes())


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
