"""Where the records of a run stand in the reports store, and how they are written and read."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import ValidationError

from infra.errors import StorageError
from infra.records import (
    ApprovalRecord,
    EvaluationRecord,
    GateRecord,
    PublishRecord,
    ServingRecord,
    VerdictRecord,
)
from infra.rules import Rules, describe
from infra.storage import Storage

RecordType = TypeVar("RecordType", bound=Rules)

PAGE = "index.html"


class RunRecords:
    """The records of one run.

    Every `load_` returns None for a record that was never written, and raises `StorageError`
    for one that stands there but cannot be understood. Every `save_` also renders the page.

    Parameters
    ----------
    storage : Storage
        The places of the shop.
    run : str
        The folder of the run, as made by `infra.storage.run_key`.
    """

    def __init__(self, storage: Storage, run: str) -> None:
        self._storage = storage
        self._store = storage.reports
        self.run = run

    def save_ingest(self, counts: dict[str, Any]) -> None:
        """Write what the ingest read, kept and refused."""
        content = json.dumps(counts, indent=1, sort_keys=True, default=str)
        self._write("ingest.json", content.encode())

    def load_ingest(self) -> dict[str, Any] | None:
        """Return the counts of the ingest."""
        content = self._content("ingest.json")
        return None if content is None else _mapping(content, self._key("ingest.json"))

    def save_gate(self, record: GateRecord) -> None:
        """Write the record of the gate that `record.gate` names."""
        self._save(f"gates/{record.gate}.json", record)

    def load_gate(self, gate: str) -> GateRecord | None:
        """Return the record of one gate."""
        return self._load(f"gates/{gate}.json", GateRecord)

    def save_evaluation(self, record: EvaluationRecord) -> None:
        """Write how the models of the run did on the hold-out."""
        self._save("evaluation.json", record)

    def load_evaluation(self) -> EvaluationRecord | None:
        """Return how the models of the run did on the hold-out."""
        return self._load("evaluation.json", EvaluationRecord)

    def save_verdict(self, record: VerdictRecord) -> None:
        """Write the release decision."""
        self._save("verdict.json", record)

    def load_verdict(self) -> VerdictRecord | None:
        """Return the release decision."""
        return self._load("verdict.json", VerdictRecord)

    def save_approval(self, record: ApprovalRecord) -> None:
        """Write what a person was asked and answered."""
        self._save("approval.json", record)

    def load_approval(self) -> ApprovalRecord | None:
        """Return what a person was asked and answered."""
        return self._load("approval.json", ApprovalRecord)

    def save_serving(self, record: ServingRecord) -> None:
        """Write how the bundle answered."""
        self._save("serving.json", record)

    def load_serving(self) -> ServingRecord | None:
        """Return how the bundle answered."""
        return self._load("serving.json", ServingRecord)

    def save_published(self, record: PublishRecord) -> None:
        """Write what went live."""
        self._save("published.json", record)

    def load_published(self) -> PublishRecord | None:
        """Return what went live."""
        return self._load("published.json", PublishRecord)

    def save_page(self, page: str) -> str:
        """Write the report page and return its address."""
        self._store.write(self._key(PAGE), page.encode())
        return f"{self._store.address}/{self._key(PAGE)}"

    def _key(self, name: str) -> str:
        return f"{self.run}/{name}"

    def _content(self, name: str) -> bytes | None:
        key = self._key(name)
        return self._store.read(key) if self._store.exists(key) else None

    def _save(self, name: str, record: Rules) -> None:
        content = record.model_dump_json(indent=1).encode()
        _parsed(content, type(record), self._key(name))  # NaN becomes null: the writer must fail
        self._write(name, content)

    def _write(self, name: str, content: bytes) -> None:
        """Write a record and make the page anew, so that no step can forget to."""
        from infra.report.page import write_report  # the page reads these records

        self._store.write(self._key(name), content)
        write_report(self._storage, self.run)

    def _load(self, name: str, model: type[RecordType]) -> RecordType | None:
        content = self._content(name)
        return None if content is None else _parsed(content, model, self._key(name))


def _parsed(content: bytes, model: type[RecordType], key: str) -> RecordType:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise _unreadable(key, describe(error)) from error


def _mapping(content: bytes, key: str) -> dict[str, Any]:
    try:
        counts = json.loads(content)
    except ValueError as error:
        raise _unreadable(key, "it is not JSON.") from error
    if not isinstance(counts, dict):
        raise _unreadable(key, "it holds no names.")
    return counts


def _unreadable(key: str, reason: str) -> StorageError:
    return StorageError(
        f"The record {key} cannot be read: {reason}", "Run the step that writes it again."
    )
