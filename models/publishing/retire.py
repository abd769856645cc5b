"""Delete old versions: never one that is live, was live before it, or may still be read.

Kept are the last `keep_versions` that were live, the one that a roll-back to `previous` means, and
all that were replaced within `keep_version_hours`: a reader may have looked at the pointer then and
be copying still. What was never live, the rest of a publisher that died, goes after the same time.
Deleting can be killed anywhere: the manifest goes first, and the next call goes on. What to keep is
asked anew before each deletion, and no version is deleted that a pointer may still move to:
`models.publishing.version_claims` says why.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from infra.ledger.live_pointer import before_live, history, live
from infra.places import VERSIONS, version_key
from infra.storage import Storage
from models.publishing.version_claims import give_up


def retire(storage: Storage, now: datetime | None = None) -> list[str]:
    """Delete the versions that need not stay, and return their names.

    Raises
    ------
    PublishError
        A pointer cannot be understood: nothing is deleted then.
    """
    now = now or datetime.now(UTC)
    grace = _grace(storage, now)
    written: dict[str, datetime] = {}
    for key, at in storage.published.written(VERSIONS).items():
        _, version, *inside = key.split("/")
        if inside:  # a file that somebody laid there is no version
            written[version] = max(at, written.get(version, at))
    gone = []
    for version in sorted(version for version, at in written.items() if at < grace):
        if give_up(storage, version, partial(_is_kept, storage, version, now)):
            storage.published.delete_folder(version_key(version))
            gone.append(version)
    storage.published.sweep(VERSIONS, grace)
    return gone


def kept(storage: Storage, now: datetime) -> set[str]:
    """Return the versions that must stay at a moment."""
    latest = live(storage)
    before = before_live(storage, latest) if latest else None
    return _last(storage, _grace(storage, now)) | ({before.version} if before else set())


def _is_kept(storage: Storage, version: str, now: datetime) -> bool:
    return version in kept(storage, now)


def _grace(storage: Storage, now: datetime) -> datetime:
    return now - timedelta(hours=storage.settings.keep_version_hours)


def _last(storage: Storage, grace: datetime) -> set[str]:
    found: set[str] = set()
    replaced_at: datetime | None = None
    for record in history(storage):
        enough = len(found) >= storage.settings.keep_versions and replaced_at is not None
        if enough and replaced_at is not None and replaced_at < grace:
            break
        found.add(record.version)
        if replaced_at is None and record.previous:
            found.add(record.previous)
        replaced_at = record.at
    return found
