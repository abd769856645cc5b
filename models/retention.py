"""Delete old versions: never one that is live, was live before it, or may still be read.

Kept are the last `keep_versions` that were live, and all that were replaced within
`keep_version_hours`: a reader may have looked at the pointer then and be copying still. What was
never live, the rest of a publisher that died, goes after the same time. Deleting can be killed
anywhere: the manifest goes first, and the next call goes on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from infra.live_pointer import history
from infra.storage import Storage
from models.publish import VERSIONS, version_key


def retire(storage: Storage, now: datetime | None = None) -> list[str]:
    """Delete the versions that need not stay, and return their names.

    Raises
    ------
    PublishError
        A pointer cannot be understood: nothing is deleted then.
    """
    now = now or datetime.now(UTC)
    grace = now - timedelta(hours=storage.settings.keep_version_hours)
    kept = _kept(storage, grace)
    written: dict[str, datetime] = {}
    for key, at in storage.published.written(VERSIONS).items():
        version = key.split("/")[1]
        written[version] = max(at, written.get(version, at))
    gone = [
        version for version, at in sorted(written.items()) if version not in kept and at < grace
    ]
    for version in gone:
        storage.published.delete_folder(version_key(version))
    storage.published.sweep(VERSIONS, grace)
    return gone


def _kept(storage: Storage, grace: datetime) -> set[str]:
    kept: set[str] = set()
    replaced_at: datetime | None = None
    for record in history(storage):
        enough = len(kept) >= storage.settings.keep_versions and replaced_at is not None
        if enough and replaced_at is not None and replaced_at < grace:
            break
        kept.add(record.version)
        if replaced_at is None and record.previous:
            kept.add(record.previous)
        replaced_at = record.at
    return kept
