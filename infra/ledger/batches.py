"""The event batches of a shop and what was decided on each: read once, then asked.

`BatchReader` reads all manifests and decisions in a handful of requests, however many batches there
are. The functions below it answer from what it returned and never ask the storage.

Why one object of copies, and not an index of answers: a batch may be written anew and a decision by
hand at any time, and nobody would update an index. A listing shows such changes, costs a request
per thousand files, and works the same on a disk and in a bucket.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from infra.ledger import decision_log
from infra.places import DECISIONS, DECISIONS_OF_GATE, DECISIONS_OF_PEOPLE, INDEX, PROFILES
from infra.records.gates import GATE, BatchDecision, BatchProfile
from infra.rules import parse_json
from infra.storage import Storage
from infra.stores.copies import CopiedFolder, SmallFile
from infra.stores.object_store import MANIFEST, read_if_there

_PROFILES = f"{INDEX}/profiles.json"

EVENTS = "events"
_ALL_PROFILES = TypeAdapter(dict[str, BatchProfile])


@dataclass(frozen=True)
class Written:
    """A decision as its file says it."""

    address: str
    file: SmallFile

    def parsed(self) -> BatchDecision:
        """Return the decision; raise `StorageError` if it cannot be understood."""
        return parse_json(
            self.file.content,
            BatchDecision,
            f"The decision {self.address}",
            "Correct the file: decision is accepted, stopped or discarded, by is your name.",
        )


@dataclass(frozen=True)
class Batch:
    """A finished batch of events.

    Attributes
    ----------
    name : str
        Its partition: `batch=shop-000012`.
    manifest : mapping
        What ingestion wrote down about it.
    decisions : tuple of Written
        What was decided on this name: by a person, then by the gate.
    """

    name: str
    manifest: Mapping[str, Any]
    decisions: tuple[Written, ...] = ()

    @cached_property
    def written_at(self) -> datetime | None:
        """When it was written; manifests made by hand may leave it out."""
        text = self.manifest.get("written_at")
        return None if text is None else datetime.fromisoformat(text)

    @cached_property
    def _decided(self) -> tuple[BatchDecision, datetime] | None:
        """Return the decision that holds, and when its file was written."""
        for written in self.decisions:
            decision = written.parsed()
            if decision.written_at is None or decision.written_at == self.written_at:
                return decision, written.file.written
        return None

    @property
    def decision(self) -> BatchDecision | None:
        """What was decided on the batch; None before that, or if it was written anew since.

        A person's decision overrides the gate's, whichever was written last.

        Raises
        ------
        StorageError
            A decision cannot be understood.
        """
        return self._decided[0] if self._decided else None

    @property
    def decision_with_time(self) -> BatchDecision | None:
        """The decision; one written by hand without a time gets the time of its file."""
        if self._decided is None:
            return None
        decision, written = self._decided
        if decision.at is not None or decision.by == GATE:
            return decision
        return decision.model_copy(update={"at": written})

    @property
    def word(self) -> str | None:
        """`accepted`, `stopped` or `discarded`; None before a decision."""
        return self.decision.decision if self.decision else None


Batches = Mapping[str, Batch]


class BatchReader:
    """Reads the batches of a lake; a second reading in a task asks only for what changed."""

    def __init__(self, storage: Storage) -> None:
        lake = storage.lake
        self._address = lake.address
        self._events = CopiedFolder(lake.store, EVENTS, f"/{MANIFEST}", f"{INDEX}/manifests.json")
        self._decisions = CopiedFolder(lake.store, DECISIONS, ".json", f"{INDEX}/decisions.json")

    def manifests(self) -> dict[str, dict[str, Any]]:
        """Return what ingestion wrote down about each finished batch, by its name."""
        return {
            key.removeprefix(f"{EVENTS}/").removesuffix(f"/{MANIFEST}"): json.loads(file.content)
            for key, file in self._events.read().items()
        }

    def read(self) -> Batches:
        """Return every finished batch by its name, sorted."""
        return self.decided(self.manifests())

    def decided(self, manifests: Mapping[str, Mapping[str, Any]]) -> Batches:
        """Return batches with what is decided on them by now."""
        files = self._decisions.read()
        return {
            batch: Batch(batch, manifest, self._of(files, batch))
            for batch, manifest in manifests.items()
        }

    def _of(self, files: Mapping[str, SmallFile], batch: str) -> tuple[Written, ...]:
        keys = (_decision_key(folder, batch) for folder in (DECISIONS_OF_PEOPLE, DECISIONS_OF_GATE))
        return tuple(Written(self._address(key), files[key]) for key in keys if key in files)


def read_batches(storage: Storage) -> Batches:
    """Return every finished batch by its name, sorted."""
    return BatchReader(storage).read()


def accepted_batches(batches: Batches) -> tuple[str, ...]:
    """Return the event batches that passed their gate, or that a person accepted."""
    return tuple(name for name, batch in batches.items() if batch.word == "accepted")


def stopped_batches(batches: Batches) -> tuple[str, ...]:
    """Return the event batches that wait for a person."""
    return tuple(name for name, batch in batches.items() if batch.word == "stopped")


def kept_batches(batches: Batches) -> tuple[str, ...]:
    """Return the event batches that nobody discarded."""
    return tuple(name for name, batch in batches.items() if batch.word != "discarded")


def undecided_batches(batches: Batches, run: str) -> tuple[str, ...]:
    """Return the event batches a run's gate must check.

    They are those that nobody accepted or discarded, and those that an earlier attempt of the
    same gate accepted: a rerun checks them again and leaves the same record.
    """
    return tuple(
        name
        for name, batch in batches.items()
        if batch.word in (None, "stopped") or _is_own(batch.decision, run)
    )


def decided_since(batches: Batches, run: str) -> dict[str, BatchDecision]:
    """Return what people decided since another run's gate made a decision that still holds."""
    decisions = {name: batch.decision_with_time for name, batch in batches.items()}
    every = {name: decision for name, decision in decisions.items() if decision is not None}
    gates = (made.at for made in every.values() if made.by == GATE and made.run != run)
    last = max((at for at in gates if at), default=None)
    return {
        name: made
        for name, made in every.items()
        if made.by != GATE and (last is None or made.at is None or made.at > last)
    }


def decide(storage: Storage, batch: str, decision: BatchDecision) -> None:
    """Record a decision on an event batch; a person's goes to the decision log first."""
    entry = decision_log.of_batch(batch, decision)
    if entry is not None:
        decision_log.append(storage.reports, entry)
    content = decision.model_dump_json(indent=1, exclude_none=True)
    folder = DECISIONS_OF_GATE if decision.by == GATE else DECISIONS_OF_PEOPLE
    storage.lake.store.write(_decision_key(folder, batch), content.encode())


def load_profiles(storage: Storage) -> dict[str, BatchProfile]:
    """Return how the events of the recent batches are spread, as far as it was counted.

    A profile belongs to a batch only if their `written_at` are equal. What cannot be read is
    counted again.
    """
    content = read_if_there(storage.lake.store, _PROFILES)
    try:
        return _ALL_PROFILES.validate_json(content or b"{}")
    except ValidationError:
        return {}


def load_old_profile(storage: Storage, batch: str) -> BatchProfile | None:
    """Return a profile that was written when each batch had a file of its own."""
    content = read_if_there(storage.lake.store, f"{PROFILES}/{batch}.json")
    try:
        return BatchProfile.model_validate_json(content) if content else None
    except ValidationError:
        return None


def save_profiles(storage: Storage, profiles: Mapping[str, BatchProfile]) -> None:
    """Write the profiles of the recent batches, in place of all that were written before."""
    storage.lake.store.write(_PROFILES, _ALL_PROFILES.dump_json(dict(profiles)))


def _is_own(decision: BatchDecision | None, run: str) -> bool:
    return decision is not None and (decision.by, decision.run) == (GATE, run)


def _decision_key(folder: str, batch: str) -> str:
    return f"{folder}/{batch}.json"
