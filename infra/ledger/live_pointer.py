"""Which version customers see: numbered pointer files, written once; the highest number counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from infra.errors import PublishError
from infra.places import LIVE
from infra.records.release import PublishRecord
from infra.rules import parse_json
from infra.storage import Storage
from infra.stores.numbered import key, numbers
from infra.stores.object_store import AlreadyExistsError
from infra.utc import in_utc

CURE = "Restore it from a backup of the published folder; nothing is published until then."


def live(storage: Storage) -> PublishRecord | None:
    """Return what is live now; None before the first publishing.

    Raises
    ------
    PublishError
        The newest pointer cannot be understood, or is not the one its name says.
    """
    return next(history(storage), None)


def champion_cut(storage: Storage) -> datetime | None:
    """Return the cut that what is live was judged at, None without one; raises as `live`."""
    champion = live(storage)
    if champion is None or champion.data is None:
        return None
    return in_utc(datetime.fromisoformat(champion.data.cut))


def history(storage: Storage) -> Iterator[PublishRecord]:
    """Give all pointers, the newest first, each read when it is asked for; raises as `live`."""
    for number in reversed(numbers(storage.published, LIVE)):
        yield _read(storage, number)


def not_rolled_back(storage: Storage) -> Iterator[PublishRecord]:
    """Give the pointers to what nobody has rolled back from since, the newest first."""
    out = set[str]()
    for pointer in history(storage):
        out |= {withdrawn.version for withdrawn in pointer.withdrawn}
        if pointer.version not in out:
            yield pointer


def between(storage: Storage, first: int, last: int) -> Iterator[PublishRecord]:
    """Give the pointers of these numbers that there are, the oldest first; raises as `live`."""
    for number in numbers(storage.published, LIVE):
        if first <= number <= last:
            yield _read(storage, number)


def before_live(storage: Storage, now: PublishRecord) -> PublishRecord | None:
    """Return the last release before what is live that nobody rolled back from; None without one.

    It is what a roll-back to `previous` means, so two in a row go two versions back.
    """
    out = {now.version, *(withdrawn.version for withdrawn in now.withdrawn)}
    return next((record for record in history(storage) if record.version not in out), None)


def next_time(before: PublishRecord | None) -> datetime:
    """Return the time for the next pointer: now, and later than the one before on any clock."""
    now = datetime.now(UTC)
    return now if before is None else max(now, before.at + timedelta(microseconds=1))


def point(storage: Storage, record: PublishRecord) -> PublishRecord:
    """Create the pointer of a record.

    Raises
    ------
    AlreadyExistsError
        Somebody else created this number first; read what is live and decide anew.
    """
    content = record.model_dump_json(indent=1).encode()
    storage.published.create(key(LIVE, record.number), content)
    return record


def lost(record: PublishRecord, error: AlreadyExistsError) -> PublishError:
    """Say that another publisher was first."""
    refused = PublishError(
        f"Another publisher was first with pointer {record.number}; {record.version} of "
        f"{record.run} is not live.",
        "Look at what is live now, then try again.",
    )
    refused.__cause__ = error
    return refused


def _read(storage: Storage, number: int) -> PublishRecord:
    place = key(LIVE, number)
    content, name = storage.published.read(place), f"The live pointer {place}"
    record = parse_json(content, PublishRecord, name, CURE, PublishError)
    if record.number != number:
        raise PublishError(f"{name} says it is number {record.number}.", CURE)
    return record
