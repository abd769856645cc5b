"""Marks for published versions that will be deleted: a marked version never goes live again.

A version is deleted in two steps: one release marks it, a later one deletes it. Who moves the
pointer reads what is live, then looks for a mark, then creates the next pointer. Who deletes
reads what is live, sees that the version need not stay, creates the mark with that number, then
reads what is live once more and keeps that number too, then deletes once a later pointer is live.

A version can go live while it is marked, by somebody who looked before. Such a pointer is later
than the first of the two numbers, and at most one later than the second. So if one of these names
the version, the mark is void for everybody: nothing is deleted by it, the version may go live
again, and who wants to delete it makes another mark. What is live is never deleted, however the
steps of both interleave and whoever dies where:

Suppose somebody saw no mark and creates pointer N for the version. Then N - 1 was live before the
mark was there, so the second number is N - 1 or higher, and pointer N exists before anybody deletes
by that mark. If it is another's, creating it fails. If it names this version, either the mark is
void, or N is not above the first number, and whoever made the mark saw that this pointer is no
reason to keep the version. Whether a mark is void is settled before anybody may delete by it.
"""

from __future__ import annotations

from infra.errors import StorageError
from infra.ledger.live_pointer import between
from infra.places import CLAIMS, LIVE, RETIRED
from infra.storage import Storage
from infra.stores.numbered import key, newest
from infra.stores.object_store import AlreadyExistsError


def is_retired(storage: Storage, version: str) -> bool:
    """Tell whether a version has a mark that counts, also one by an earlier Catwalk."""
    last = newest(storage.published, _marks(version))
    if last and not _void(storage, version, last):
        return True
    number = newest(storage.published, f"{CLAIMS}/{version}")
    claim = storage.published.read(key(f"{CLAIMS}/{version}", number)) if number else b""
    return b'"pointer":null' in claim


def mark(storage: Storage, version: str, live: int) -> None:
    """Mark a version, unless it has a mark that counts.

    Parameters
    ----------
    live : int
        The number of the newest pointer, read before it was seen that the version need not stay.
    """
    last = newest(storage.published, _marks(version))
    if not last or _void(storage, version, last):
        last += 1
        _create(storage, version, last, live)
    if last % 2:
        _create(storage, version, last + 1, newest(storage.published, LIVE))


def may_be_deleted(storage: Storage, version: str) -> bool:
    """Tell whether a pointer came after the mark of a version, and the mark counts."""
    last = newest(storage.published, _marks(version))
    if not last or last % 2:
        return False
    came_since = newest(storage.published, LIVE) > _number(storage, version, last)
    return came_since and not _void(storage, version, last)


def _void(storage: Storage, version: str, last: int) -> bool:
    """Tell whether a version went live while it was marked; `last` is its newest entry."""
    if last % 2:  # its second number is missing, so nobody can tell
        return False
    before, after = _number(storage, version, last - 1), _number(storage, version, last)
    return any(record.version == version for record in between(storage, before + 1, after + 1))


def _number(storage: Storage, version: str, entry: int) -> int:
    place = key(_marks(version), entry)
    content = storage.published.read(place)
    if not content.isdigit():
        raise StorageError(f"{place} holds no number.", "Restore it from a backup.")
    return int(content)


def _create(storage: Storage, version: str, entry: int, number: int) -> None:
    try:
        storage.published.create(key(_marks(version), entry), str(number).encode())
    except AlreadyExistsError:
        return  # an earlier call, or another one beside this


def _marks(version: str) -> str:
    return f"{RETIRED}/{version}"
