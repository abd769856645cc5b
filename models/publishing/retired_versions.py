"""Marks for published versions that will be deleted: a marked version never goes live again.

A version is deleted in two steps: one release marks it, a later one deletes it. Who moves the
pointer reads what is live, then looks for a mark, then creates the next pointer. Who deletes
creates the mark, then reads what is live and keeps that number, then deletes once a later pointer
is live and no version that must stay is this one. So what is live is never deleted, however the
steps of both interleave and whoever dies where:

Suppose somebody saw no mark and creates pointer N for the version. Then N - 1 was live before the
mark was there, so the number kept is N - 1 or higher, and pointer N exists before anybody deletes.
Either it names this version, and the one who deletes has seen so; or it is another's, and creating
it fails.
"""

from __future__ import annotations

from infra.errors import StorageError
from infra.places import CLAIMS, LIVE, RETIRED
from infra.storage import Storage
from infra.stores.numbered import key, newest
from infra.stores.object_store import AlreadyExistsError

MARK, SEEN = 1, 2  # the mark itself, and the number of the pointer that was live after it


def is_retired(storage: Storage, version: str) -> bool:
    """Tell whether a version was marked, also by an earlier Catwalk."""
    if newest(storage.published, _marks(version)):
        return True
    number = newest(storage.published, f"{CLAIMS}/{version}")
    last = storage.published.read(key(f"{CLAIMS}/{version}", number)) if number else b""
    return b'"pointer":null' in last


def mark(storage: Storage, version: str) -> int:
    """Mark a version; return the number of a pointer that was live after that, 0 for none."""
    _create(storage, version, MARK, b"{}")
    _create(storage, version, SEEN, str(newest(storage.published, LIVE)).encode())
    content = storage.published.read(key(_marks(version), SEEN))
    if not content.isdigit():
        place = key(_marks(version), SEEN)
        raise StorageError(f"{place} holds no number.", "Restore it from a backup.")
    return int(content)


def _create(storage: Storage, version: str, number: int, content: bytes) -> None:
    try:
        storage.published.create(key(_marks(version), number), content)
    except AlreadyExistsError:
        return  # an earlier call, or another one beside this


def _marks(version: str) -> str:
    return f"{RETIRED}/{version}"
