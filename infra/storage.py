"""Every path Catwalk knows: what stands where in the lake, the reports and the published folder."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from infra.lake import LAKE_SCRATCH, Lake
from infra.ledger import decision_log
from infra.records.gates import GATE, BatchDecision, BatchProfile
from infra.rules import parse_json
from infra.settings import Settings
from infra.stores.opening import open_store

if TYPE_CHECKING:
    pass


_BY_PEOPLE = "decisions/events"
_BY_GATE = "decisions/events_by_gate"  # so that it never overwrites a person's word


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


def _decision_key(folder: str, batch: str) -> str:
    return f"{folder}/{batch}.json"


def _profile_key(batch: str) -> str:
    return f"profiles/events/{batch}.json"
