"""Which build of the marts counts: a record with a growing number, written once.

A build writes new folders alone. Its gate checks them, and then this record shows them all at once:
a reader sees the tables as they were before, or as they are after. The folders that no record of
the last two names are deleted by the next build.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.errors import InputError, StorageError
from infra.mart_schemas import TEST_UNITS
from infra.places import MARTS
from infra.records.marts import MartsRecord, build_of
from infra.rules import parse_json
from infra.storage import Storage
from infra.stores.numbered import key, numbers
from infra.stores.object_store import AlreadyExistsError, read_if_there

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

KEPT = 10  # records; each names the batches it was made of
_CURE = "Delete it and trigger measure_business with `anew`: all is built from the clean tables."


def latest(storage: Storage) -> MartsRecord | None:
    """Return the record that counts; None before the first build."""
    return _read(storage, max(numbers(storage.lake.store, MARTS), default=0))


def last_two(storage: Storage) -> list[MartsRecord]:
    """Return the record that counts and the one before, whose readers may still read."""
    last = numbers(storage.lake.store, MARTS)[-2:]
    return [record for number in last if (record := _read(storage, number))]


def save_built(storage: Storage, record: MartsRecord) -> None:
    """Keep the record of a build until its gate shows it."""
    storage.lake.store.write(_built_key(record.run), record.model_dump_json(indent=1).encode())


def built_by(storage: Storage, run: str) -> MartsRecord:
    """Return the record that a run built; raise `StorageError` if it built none.

    Once it counts, it is the record that counts.
    """
    content = read_if_there(storage.lake.store, _built_key(run))
    if content is None:
        shown = latest(storage)
        if shown is not None and shown.run == run:
            return shown
        raise StorageError(f"The run {run} built no marts.", "Run build_marts first.")
    return parse_json(content, MartsRecord, f"The build of {run}", _CURE)


def show(storage: Storage, record: MartsRecord) -> None:
    """Let a build count; once it does, nothing happens.

    Raises
    ------
    InputError
        Another build was shown since this one began, so it may lack what that one has.
    """
    store = storage.lake.store
    try:
        store.create(key(MARTS, record.number), record.model_dump_json(indent=1).encode())
    except AlreadyExistsError:
        if _read(storage, record.number) != record:
            raise InputError(
                f"Another run was first with build {record.number} of the marts.",
                "Clear build_marts of this run.",
            ) from None
    old = [key(MARTS, number) for number in numbers(store, MARTS)[:-KEPT]]
    for name in (*old, *store.list(f"{MARTS}/built")):  # what was never shown is begun anew
        store.delete(name)


def mart(storage: Storage, table: str, *names: str) -> Dataset:
    """Open days of a mart, or tests of `test_units`, for Arrow: all of them unless named.

    Raises
    ------
    StorageError
        Nothing was built yet, or not these.
    """
    record = latest(storage)
    shown = record.partitions.get(table, {}) if record else {}
    missing = sorted({*names} - {*shown})
    if record is None or missing or not shown:
        what = ", ".join(missing) or "anything"
        raise StorageError(f"The mart {table} does not have {what}.", "Run measure_business.")
    folders = [record.partition(table, name) for name in names or sorted(shown)]
    return storage.lake.finished_dataset(table, *folders)


def units_of_test(storage: Storage, number: int, phase: int) -> tuple[Dataset, dict[str, Any]]:
    """Open the units of a phase of a test, and return what its build noted beside them.

    Raises
    ------
    StorageError
        No unit of this phase was counted yet.
    """
    name = f"{number}-{phase}"
    units = mart(storage, TEST_UNITS.name, name)
    record = latest(storage)
    assert record is not None
    build = record.partitions[TEST_UNITS.name][name]
    facts: dict[str, Any] = storage.lake.manifest(TEST_UNITS.name, build_of(build))["tests"][name]
    return units, facts


def _read(storage: Storage, number: int) -> MartsRecord | None:
    content = read_if_there(storage.lake.store, key(MARTS, number)) if number else None
    name = f"The record {key(MARTS, number)}"
    return parse_json(content, MartsRecord, name, _CURE) if content else None


def _built_key(run: str) -> str:
    return f"{MARTS}/built/{run}.json"
