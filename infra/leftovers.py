"""What killed tasks left behind is removed at the beginning of a run: a disk fills up otherwise.

Whatever is killed is run again and begins anew, so what it had begun is never used.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from infra.errors import StorageError
from infra.storage import Storage

DEAD_AFTER = timedelta(days=1)  # without a write; no task lives that long


def remove_leftovers(storage: Storage) -> None:
    """Remove and name them; a storage that refuses is named too and stops nobody."""
    try:
        gone = storage.sweep(datetime.now(UTC) - DEAD_AFTER)
    except StorageError as error:
        print(f"What killed tasks left behind stays: {error}", flush=True)
        return
    for address in gone:
        print(f"Removed what a killed task left behind: {address}", flush=True)
