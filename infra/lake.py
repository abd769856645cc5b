"""Reads and writes the tables of the lake: Parquet folders, visible once their manifest exists."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.errors import StorageError
from infra.places import PLACES
from infra.stores.object_store import MANIFEST, ObjectStore, read_if_there

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

WITH_IDS = {place.folder for place in PLACES if place.store == "lake" and place.of_users == "ids"}


def inputs_id(written: Mapping[str, str]) -> str:
    """Name tables by when each was written: written again, they have another id.

    Parameters
    ----------
    written : mapping of str to str
        Name of the table to its `written_at`.

    Returns
    -------
    str
        A sha256; empty where there are no tables.
    """
    if not written:
        return ""
    return hashlib.sha256(json.dumps(dict(written), sort_keys=True).encode()).hexdigest()


def run_key(run_id: str) -> str:
    """Turn an Airflow run id into a name that is safe in any path: `run=manual__2026-11-24...`."""
    return "run=" + _safe(run_id)


def arm_key(run_id: str) -> str:
    """Name what is made for the treatment of an A/B test, by the run that starts the test."""
    return "arm=" + _safe(run_id)


def _safe(run_id: str) -> str:
    return re.sub(r"[^0-9A-Za-z_.-]", "-", run_id)


def batch_key(source: str, number: int) -> str:
    """Name the batch `number` of a source: `batch=shop-000012`."""
    return f"batch={source}-{number:06d}"


def batch_source(batch: str) -> str:
    """Return the source of a batch: `shop` of `batch=shop-000012`."""
    return batch.removeprefix("batch=").rpartition("-")[0]


def batch_number(batch: str) -> int:
    """Return the number of a batch: 12 of `batch=shop-000012`."""
    return int(batch.rpartition("-")[2])


class Lake:
    """The tables of one store, a folder per table and partition."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def address(self, *steps: str) -> str:
        """Return the address of a table, a partition or a folder, for Spark and Arrow."""
        return "/".join((self.store.address, *steps))

    def begin(self, table: str, partition: str) -> str:
        """Delete a partition and return its address, to write it anew."""
        self.store.delete_folder(f"{table}/{partition}")
        if table in WITH_IDS:
            self.store.protect(table)  # before Spark writes into it
        return self.address(table, partition)

    def commit(self, table: str, partition: str, manifest: dict[str, Any]) -> None:
        """Write the manifest of a finished partition, which shows it to readers.

        What it shows outlives a power cut: the files are on the disk before it is.
        """
        self.store.settle(f"{table}/{partition}")
        if table in WITH_IDS:
            self.store.protect(f"{table}/{partition}")
        self.store.write(f"{table}/{partition}/{MANIFEST}", _json(manifest))

    def manifest(self, table: str, partition: str) -> dict[str, Any]:
        """Return the manifest of a partition: what its writer noted.

        Raises
        ------
        StorageError
            The partition was never finished.
        """
        content = read_if_there(self.store, f"{table}/{partition}/{MANIFEST}")
        if content is None:
            raise StorageError(
                f"{self.address(table, partition)} is not finished.", "Run the step that writes it."
            )
        manifest: dict[str, Any] = json.loads(content)
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
        for partition in partitions:
            self.manifest(table, partition)
        return self.finished_dataset(table, *partitions)

    def finished_dataset(self, table: str, *partitions: str) -> Dataset:
        """Open partitions that the caller knows to be finished: their manifests are not read."""
        from pyarrow import dataset

        files, root = self.store.arrow_files()
        folders = [f"{root}/{table}/{partition}" for partition in partitions]
        opened = [dataset.dataset(path, filesystem=files, format="parquet") for path in folders]
        return dataset.dataset(opened)


def _json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, indent=1, sort_keys=True, default=datetime.isoformat).encode()
