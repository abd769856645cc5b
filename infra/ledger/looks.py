"""Who looked at the lists of a person: numbered records in the reports, written once."""

from __future__ import annotations

from infra.places import LOOKS
from infra.records.shown_lists import Look
from infra.storage import Storage
from infra.stores.numbered import append


def note_look(storage: Storage, look: Look) -> int:
    """Write who looks, and return its number; raise `StorageError` where that fails."""

    def content(number: int) -> bytes:
        return look.model_copy(update={"number": number}).model_dump_json(indent=1).encode()

    return append(storage.reports, LOOKS, content)
