"""A trained candidate on disk: its model, how it was trained, and the digest of both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import AwareDatetime, Field

from infra.errors import BundleError
from infra.places import candidates_of
from infra.rules import Strict
from infra.storage import Storage
from infra.stores.digests import FolderManifest, verified, write_manifest
from models.candidates import model_class
from models.recommender import Recommender

FIT = "fit.json"


class Fit(Strict):
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
class Trained:
    """A trained candidate: the model, how it was trained, digest and size of its files."""

    model: Recommender
    fit: Fit
    sha256: str
    bytes: int


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
