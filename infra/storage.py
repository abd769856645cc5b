"""Every path Catwalk knows: what stands where in the lake, the reports and the published folder."""

from __future__ import annotations

import json
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from infra.errors import StorageError
from infra.ledger import decision_log
from infra.records.gates import GATE, BatchDecision, BatchProfile
from infra.rules import parse_json
from infra.settings import Settings
from infra.stores.object_store import MANIFEST, LocalStore, ObjectStore, open_store

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset


LAKE_SCRATCH = "scratch"
_BY_PEOPLE = "decisions/events"
_BY_GATE = "decisions/events_by_gate"  # so that it never overwrites a person's word


def run_key(run_id: str) -> str:
    """Turn an Airflow run id into a name that is safe in any path: `run=manual__2026-11-24...`."""
    return "run=" + re.sub(r"[^0-9A-Za-z_.-]", "-", run_id)


def batch_key(source: str, number: int) -> str:
    """Name the batch `number` of a source: `batch=shop-000012`."""
    return f"batch={source}-{number:06d}"


def batch_source(batch: str) -> str:
    """Return the source of a batch: `shop` of `batch=shop-000012`."""
    return batch.removeprefix("batch=").rpartition("-")[0]


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
        files, root = self.store.arrow_files()
        folders = [f"{root}/{table}/{partition}" for partition in partitions]
        found = [dataset.dataset(one, filesystem=files, format="parquet") for one in folders]
        return dataset.dataset(found)


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

    @property
    def replays(self) -> Path:
        """Folder where quarantined rows wait for a person to edit and land them."""
        return self.settings.home / "replays"

    def checkpoint(self, source: str) -> str:
        """Address where Spark remembers which files of a source it has read."""
        return self.lake.address("checkpoints", source)

    def accepted_batches(self) -> tuple[str, ...]:
        """Return the event batches that passed their gate, or that a person accepted."""
        return tuple(batch for batch, word in self._decisions() if word == "accepted")

    def stopped_batches(self) -> tuple[str, ...]:
        """Return the event batches that wait for a person."""
        return tuple(batch for batch, word in self._decisions() if word == "stopped")

    def kept_batches(self) -> tuple[str, ...]:
        """Return the event batches that nobody discarded."""
        return tuple(batch for batch, word in self._decisions() if word != "discarded")

    def undecided_batches(self, run: str) -> tuple[str, ...]:
        """Return the event batches a run's gate must judge.

        They are those that nobody accepted or discarded, and those that an earlier attempt of the
        same gate accepted: a rerun judges them again and leaves the same record.
        """
        return tuple(
            batch
            for batch, word in self._decisions()
            if word in (None, "stopped") or self._is_own(batch, run)
        )

    def decision(self, batch: str) -> BatchDecision | None:
        """Return what was decided on an event batch; None before that, or if it changed since.

        A person's word stands above that of the gate, whoever wrote last.

        Raises
        ------
        StorageError
            A decision cannot be understood.
        """
        found = (self._decision(folder, batch) for folder in (_BY_PEOPLE, _BY_GATE))
        return next((one for one in found if one is not None), None)

    def _decision(self, folder: str, batch: str) -> BatchDecision | None:
        key = _decision_key(folder, batch)
        if not self.lake.store.exists(key):
            return None
        decision = parse_json(
            self.lake.store.read(key),
            BatchDecision,
            f"The decision {self.lake.address(key)}",
            "Correct the file: decision is accepted, stopped or discarded, by is your name.",
        )
        return decision if self._is_about(decision, batch) else None

    def decisions(self) -> dict[str, BatchDecision]:
        """Return what was decided on event batches, by batch; raises as `decision`.

        A decision without a time, written by hand, is of when its file was written.
        """
        decided = {batch: self.decision(batch) for batch in self.lake.partitions("events")}
        written = self.lake.store.written(_BY_PEOPLE)
        return {
            batch: one.model_copy(
                update={"at": one.at or written.get(_decision_key(_BY_PEOPLE, batch))}
            )
            for batch, one in decided.items()
            if one is not None
        }

    def decide(self, batch: str, decision: BatchDecision) -> None:
        """Record a decision on an event batch; a person's stands in the decision log before."""
        noted = decision_log.of_batch(batch, decision)
        if noted is not None:
            decision_log.append(self.reports, noted)
        content = decision.model_dump_json(indent=1, exclude_none=True)
        folder = _BY_GATE if decision.by == GATE else _BY_PEOPLE
        self.lake.store.write(_decision_key(folder, batch), content.encode())

    def batch_profile(self, batch: str) -> BatchProfile | None:
        """Return how the events of a batch are spread; None if nobody counted it as it is."""
        key = _profile_key(batch)
        if not self.lake.store.exists(key):
            return None
        try:
            profile = BatchProfile.model_validate_json(self.lake.store.read(key))
        except ValidationError:
            return None  # it is counted again
        written = datetime.fromisoformat(self.lake.manifest("events", batch)["written_at"])
        return profile if profile.written_at == written else None

    def save_batch_profile(self, batch: str, profile: BatchProfile) -> None:
        """Write how the events of a batch are spread."""
        self.lake.store.write(_profile_key(batch), profile.model_dump_json().encode())

    def _decisions(self) -> Iterator[tuple[str, str | None]]:
        for batch in self.lake.partitions("events"):
            decision = self.decision(batch)
            yield batch, decision.decision if decision else None

    def _is_own(self, batch: str, run: str) -> bool:
        decision = self.decision(batch)
        return decision is not None and (decision.by, decision.run) == (GATE, run)

    def _is_about(self, decision: BatchDecision, batch: str) -> bool:
        """Tell whether the batch is still the one that was decided on."""
        written = self.lake.manifest("events", batch).get("written_at")
        judged = decision.written_at
        return judged is None or (written is not None and datetime.fromisoformat(written) == judged)

    @property
    def scratch_folder(self) -> Path:
        """Local folder of what lives as long as its task."""
        return self.settings.home / "scratch"

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a local folder that is gone afterwards."""
        self.scratch_folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch_folder) as folder:
            yield Path(folder)

    @contextmanager
    def lake_scratch(self) -> Iterator[str]:
        """Give the key of a folder of the lake, for Spark's workers too; gone afterwards."""
        key = f"{LAKE_SCRATCH}/{uuid.uuid4().hex}"
        try:
            yield key
        finally:
            self.lake.store.delete_folder(key)


def ensure_home(settings: Settings) -> None:
    """Create the local folders of a shop; buckets are not ours to create."""
    for place in (settings.landing, settings.lake, settings.published, settings.reports):
        if "://" not in place:
            LocalStore(Path(place)).root.mkdir(parents=True, exist_ok=True)
    (settings.home / "mlflow").mkdir(parents=True, exist_ok=True)


def _decision_key(folder: str, batch: str) -> str:
    return f"{folder}/{batch}.json"


def _profile_key(batch: str) -> str:
    return f"profiles/events/{batch}.json"


def _json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, indent=1, sort_keys=True, default=datetime.isoformat).encode()
