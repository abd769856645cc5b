"""A trained candidate on disk: its model, how it was trained, the digest of both, its costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, Field, model_validator

from infra.errors import BundleError, StorageError
from infra.lake import inputs_id
from infra.places import costs_key, trained_of
from infra.records.evaluation import Learning, NoiseByMetric
from infra.rules import Strict, parse_json
from infra.storage import Storage
from infra.stores.digests import FolderManifest, verified, write_manifest
from models.candidates import model_class
from models.recommender import Recipe, Recommender

FIT, PARAMETERS = "fit.json", "parameters.json"
OF_COSTS = ("training_seconds", "peak_memory_mb")  # earlier versions kept them in `fit.json`


class Costs(Strict):
    """What one training took: two equal trainings differ in nothing else, so it is kept apart.

    Attributes
    ----------
    training_seconds : float
        Wall time of `fit` alone, without reading and writing.
    peak_memory_mb : float
        Highest resident memory of the whole process so far, and of Spark's beside it, in MiB.
    """

    training_seconds: float
    peak_memory_mb: float

    def metrics(self) -> dict[str, float]:
        """Return them as the metrics of a score."""
        minutes = self.training_seconds / 60
        return {"training_minutes": minutes, "peak_memory_mb": self.peak_memory_mb}


class Fit(Strict):
    """How a model was trained; equal trainings write equal bytes.

    Attributes
    ----------
    items_without_attributes : int
        Mostly items that were not in the catalogue at the cut: learnt from, never shown.
    noise : dict of str to Noise, or None
    seed_overlap : float or None
        See `seed_noise.SeedNoise`; None where nobody measured it.
    inputs : str
        See `models.data.run_tables.inputs_of`: the id of the tables it learnt from.
    settled : dict
        See `models.recommenders.capabilities.SettlesParameters`.
    learning : Learning
        See `models.recommenders.capabilities.TellsHowItLearnt`.
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
    noise: NoiseByMetric = None
    seed_overlap: float | None = None
    inputs: str = ""
    settled: dict[str, int] = Field(default_factory=dict)
    learning: Learning = Learning()

    @model_validator(mode="before")
    @classmethod
    def _read_old_files(cls, content: Any) -> Any:
        """Leave out the costs that earlier versions kept here, and name the tables by their id."""
        if not isinstance(content, dict):
            return content
        kept = {name: value for name, value in content.items() if name not in OF_COSTS}
        if isinstance(kept.get("written"), dict):
            kept["inputs"] = inputs_id(kept.pop("written"))
        return kept


@dataclass(frozen=True)
class Trained:
    """A trained candidate: the model, how it was trained, digest and size of its files."""

    model: Recommender
    fit: Fit
    sha256: str
    bytes: int


def write_model(model: Recommender, recipe: Recipe, fit: Fit, folder: Path) -> FolderManifest:
    """Write a model, its parameters, its `fit.json` and the manifest of all into an empty folder.

    `parameters.json` has every parameter, those of `fit.json` are what `candidates.yaml` says.
    """
    model.save(folder)
    parameters = json.dumps(recipe.model_dump(), indent=1, sort_keys=True)
    (folder / PARAMETERS).write_text(parameters, encoding="utf-8")
    (folder / FIT).write_text(fit.model_dump_json(indent=1), encoding="utf-8")
    return write_manifest(folder, {"candidate": fit.candidate, "run": fit.run})


def keep_model(
    storage: Storage, place: str, model: Recommender, recipe: Recipe, fit: Fit, costs: Costs
) -> FolderManifest:
    """Write the folder PLACE/CANDIDATE of the lake in one step, and beside it what it cost."""
    name = fit.candidate
    with storage.scratch() as scratch:
        manifest = write_model(model, recipe, fit, scratch)
        storage.lake.begin(place, name)  # a bucket keeps the files of an earlier writing
        content = costs.model_dump_json(indent=1).encode()
        storage.lake.store.write(costs_key(place, name), content)
        storage.lake.store.put_folder(scratch, f"{place}/{name}")
    return manifest


def read_costs(storage: Storage, place: str, name: str) -> Costs:
    """Return what the training of PLACE/NAME took; raise `StorageError` if it does not say."""
    key = costs_key(place, name)
    if not storage.lake.store.exists(key):
        raise StorageError(f"Nothing says what the training of {name} took.", "Train it again.")
    return parse_json(storage.lake.store.read(key), Costs, key, "Train it again.")


def read_model(folder: Path) -> tuple[Recommender, Fit]:
    """Load a model that `write_model` wrote; the caller has verified the folder.

    Raises
    ------
    BundleError
        An array or a JSON file cannot be read.
    SettingsError
        Catwalk has no class of that name.
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
    return load_kept(storage, trained_of(run), name)


def load_kept(storage: Storage, place: str, name: str) -> Trained:
    """Load what `learn_and_keep` wrote; raises as `model_folder` does."""
    with model_folder(storage, place, name) as (folder, manifest):
        model, fit = read_model(folder)
    return Trained(model, fit, manifest.model_sha256(), manifest.total_bytes())
