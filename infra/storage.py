"""Every path Catwalk knows: what stands where in the lake, the reports and the published folder."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.errors import StorageError
from infra.object_store import MANIFEST, LocalStore, ObjectStore, open_store
from infra.settings import Settings


def run_key(run_id: str) -> str:
    """Turn an Airflow run id into a name that is safe in any path: `run=manual__2026-11-24...`."""
    return "run=" + re.sub(r"[^0-9A-Za-z_.-]", "-", run_id)


def batch_key(source: str, number: int) -> str:
    """Name the batch `number` of a source: `batch=shop-000012`."""
    return f"batch={source}-{number:06d}"


class Lake:
    """The clean tables: folders of Parquet that exist once their manifest does."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def address(self, *steps: str) -> str:
        """Return the address of a table, a partition or a folder, for Spark and Arrow."""
        return "/".join((self.store.address, *steps))

    def begin(self, table: str, partition: str) -> str:
        """Take a partition out of readers' sight and return its address for writing."""
        self.store.delete_folder(f"{table}/{partition}")
        return self.address(table, partition)

    def commit(self, table: str, partition: str, manifest: dict[str, Any]) -> None:
        """Show a finished partition to readers, with what is known of it."""
        content = json.dumps(manifest, indent=1, sort_keys=True, default=str)
        self.store.write(f"{table}/{partition}/{MANIFEST}", content.encode())

    def manifest(self, table: str, partition: str) -> dict[str, Any]:
        """Return what the writer of a partition said of it.

        Raises
        ------
        StorageError
            The partition was never finished.
        """
        key = f"{table}/{partition}/{MANIFEST}"
        if not self.store.exists(key):
            raise StorageError(
                f"{self.address(table, partition)} is not finished.", "Run the step that writes it."
            )
        manifest: dict[str, Any] = json.loads(self.store.read(key))
        return manifest

    def partitions(self, table: str) -> list[str]:
        """Return the finished partitions of a table, sorted."""
        suffix = f"/{MANIFEST}"
        finished = (key for key in self.store.list(table) if key.endswith(suffix))
        return [key.removesuffix(suffix).removeprefix(f"{table}/") for key in finished]


class Storage:
    """All places of one shop, opened from the settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lake = Lake(open_store(settings.lake, settings))
        self.published = open_store(settings.published, settings)
        self.reports = open_store(settings.reports, settings)

    @property
    def landing(self) -> str:
        """Address of the folder where the shop drops its files."""
        return self.settings.landing

    def checkpoint(self, source: str) -> str:
        """Address where Spark remembers which files of a source it has read."""
        return self.lake.address("checkpoints", source)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a local folder that is gone afterwards."""
        parent = self.settings.home / "scratch"
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            yield Path(folder)


def ensure_home(settings: Settings) -> None:
    """Create the local folders of a shop; buckets are not ours to create."""
    for place in (settings.landing, settings.lake, settings.published, settings.reports):
        if "://" not in place:
            LocalStore(Path(place)).root.mkdir(parents=True, exist_ok=True)
    (settings.home / "mlflow").mkdir(parents=True, exist_ok=True)
