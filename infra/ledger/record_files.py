"""Reads and writes the files of one run in the reports, each checked as it is read."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from infra.errors import StorageError
from infra.rules import Strict, parse_json
from infra.stores.object_store import ObjectStore, read_if_there

RecordType = TypeVar("RecordType", bound=Strict)

CURE = "Run the step that writes it again."


class RecordFiles:
    """The files of one run.

    Every reading method returns None for a file that was never written, and raises
    `StorageError` for one that exists but cannot be understood.

    Parameters
    ----------
    store : ObjectStore
        The reports.
    run : str
        The folder of the run, as made by `infra.lake.run_key`.
    """

    def __init__(self, store: ObjectStore, run: str) -> None:
        self._store = store
        self.run = run

    def address(self, name: str) -> str:
        """Return the address of a file, for people."""
        return f"{self._store.address}/{self._key(name)}"

    def exists(self, name: str) -> bool:
        """Tell whether a file was ever written."""
        return self._store.exists(self._key(name))

    def read(self, name: str, model: type[RecordType]) -> RecordType | None:
        """Return a record."""
        content = self._content(name)
        return None if content is None else self._parsed(name, content, model)

    def read_mapping(self, name: str) -> dict[str, Any] | None:
        """Return a record whose keys are not fixed."""
        content = self._content(name)
        return None if content is None else _mapping(content, self._key(name))

    def write(self, name: str, record: Strict) -> None:
        """Write a record; one that could not be read again is refused."""
        content = record.model_dump_json(indent=1).encode()
        self._parsed(name, content, type(record))  # NaN becomes null: the writer must fail
        self._store.write(self._key(name), content)

    def write_mapping(self, name: str, content: dict[str, Any]) -> None:
        """Write a record whose keys are not fixed."""
        self.write_text(name, json.dumps(content, indent=1, sort_keys=True, default=str))

    def write_text(self, name: str, content: str) -> None:
        """Write a file for people."""
        self._store.write(self._key(name), content.encode())

    def _key(self, name: str) -> str:
        return f"{self.run}/{name}"

    def _parsed(self, name: str, content: bytes, model: type[RecordType]) -> RecordType:
        return parse_json(content, model, f"The record {self._key(name)}", CURE)

    def _content(self, name: str) -> bytes | None:
        return read_if_there(self._store, self._key(name))


def _mapping(content: bytes, key: str) -> dict[str, Any]:
    try:
        counts = json.loads(content)
    except ValueError as error:
        raise _unreadable(key, "it is not JSON.") from error
    if not isinstance(counts, dict):
        raise _unreadable(key, "it holds no names.")
    return counts


def _unreadable(key: str, reason: str) -> StorageError:
    return StorageError(f"The record {key} cannot be read: {reason}", CURE)
