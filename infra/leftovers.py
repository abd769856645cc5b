"""Removes what killed tasks left on disk, at the start of a run, before the disk fills up.

A killed task is run again and begins anew, so nothing that it left is ever read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from infra.errors import StorageError, unusable
from infra.places import LANDED_AGAIN, SCRATCH
from infra.storage import Storage
from infra.stores.aside import delete_untouched
from infra.stores.opening import open_store

DEAD_AFTER = timedelta(days=1)  # without a write; no task lives that long


def remove_leftovers(storage: Storage) -> None:
    """Remove and name them; a storage that refuses is named too and stops nobody."""
    try:
        for address in sweep(storage, datetime.now(UTC) - DEAD_AFTER):
            print(f"Removed what a killed task left behind: {address}", flush=True)
    except StorageError as error:
        print(f"Some of what killed tasks left behind stays: {error}", flush=True)


def sweep(storage: Storage, before: datetime) -> Iterator[str]:
    """Remove what tasks left that died before a time, and give the addresses.

    Those are unfinished writes and scratch, which nobody reads. The landing folder belongs to the
    shop; only where quarantined rows are landed do we write.

    Raises
    ------
    StorageError
        One or more places cannot be swept; the others are swept all the same.
    """
    refused: list[StorageError] = []
    places: tuple[Callable[[], Iterable[str]], ...] = (
        lambda: open_store(storage.landing, storage.settings).sweep(LANDED_AGAIN, before),
        lambda: storage.lake.store.sweep("", before),
        lambda: _lake_scratch(storage, before),
        lambda: storage.published.sweep("", before),
        lambda: storage.reports.sweep("", before),
        lambda: _scratch(storage, before),
    )
    for place in places:
        try:
            yield from place()
        except StorageError as error:
            refused.append(error)
    if refused:
        cures = dict.fromkeys(error.cure for error in refused)
        raise StorageError(" ".join(error.fact for error in refused), " ".join(cures))


def _lake_scratch(storage: Storage, before: datetime) -> Iterator[str]:
    """Remove the folders of the lake's scratch in which nothing was written since a time."""
    store = storage.lake.store
    newest: dict[str, datetime] = {}
    for key, stamp in store.stamps(SCRATCH).items():
        folder = "/".join(key.split("/")[:2])
        newest[folder] = max(stamp.written, newest.get(folder, stamp.written))
    for folder in (folder for folder, at in newest.items() if at < before):
        store.delete_folder(folder)
        yield storage.lake.address(folder)


def _scratch(storage: Storage, before: datetime) -> Iterable[str]:
    try:
        return delete_untouched(storage.scratch_folder.glob("*"), before)
    except OSError as error:
        raise unusable("delete", Path(error.filename), error) from error
