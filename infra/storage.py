"""Every path Catwalk knows: what stands where in the lake, the reports and the published folder."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import StorageError
from infra.object_store import MANIFEST, LocalStore, ObjectStore, open_store
from infra.settings import Settings

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset


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
        self.store.write(f"{table}/{partition}/{MANIFEST}", _json(manifest))

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

    def counts(self, table: str, partition: str) -> dict[str, Any]:
        """Return what Airflow shows of a finished partition."""
        rows = self.manifest(table, partition)["rows"]
        return {"rows": rows, "address": self.address(table, partition)}

    def partitions(self, table: str) -> list[str]:
        """Return the finished partitions of a table, sorted."""
        suffix = f"/{MANIFEST}"
        finished = (key for key in self.store.list(table) if key.endswith(suffix))
        return [key.removesuffix(suffix).removeprefix(f"{table}/") for key in finished]

    def dataset(self, table: str, *partitions: str) -> Dataset:
        """Open finished partitions for Arrow, DuckDB and pandas.

        Raises
        ------
        StorageError
            A partition was never finished.
        """
        from pyarrow import dataset

        for partition in partitions:
            self.manifest(table, partition)
        folders = [self.address(table, partition) for partition in partitions]
        return dataset.dataset([dataset.dataset(folder, format="parquet") for folder in folders])


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

    def accepted_batches(self) -> tuple[str, ...]:
        """Return the event batches that passed their gate, or that a person accepted."""
        return self._decided("accepted")

    def undecided_batches(self) -> tuple[str, ...]:
        """Return the event batches that no gate has judged yet, or that one stopped."""
        return self._decided("stopped", None)

    def kept_batches(self) -> tuple[str, ...]:
        """Return the event batches that nobody discarded."""
        return self._decided("accepted", "stopped", None)

    def _decided(self, *decisions: str | None) -> tuple[str, ...]:
        batches = self.lake.partitions("events")
        return tuple(
            batch
            for batch in batches
            if (self.decision(batch) or {"decision": None})["decision"] in decisions
        )

    def decision(self, batch: str) -> dict[str, Any] | None:
        """Return what the gate or a person decided on an event batch; None before that."""
        key = f"decisions/events/{batch}.json"
        if not self.lake.store.exists(key):
            return None
        decision: dict[str, Any] = json.loads(self.lake.store.read(key))
        return decision

    def decide(self, batch: str, decision: dict[str, Any]) -> None:
        """Record a decision on an event batch: accepted, stopped or discarded."""
        self.lake.store.write(f"decisions/events/{batch}.json", _json(decision))

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


def _json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, indent=1, sort_keys=True, default=datetime.isoformat).encode()
