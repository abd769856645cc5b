"""Deletes old versions: never one that is live, was live before it, or may still be read.

Kept are the last `keep_versions` that were live, the one that a roll-back to `previous` means,
those of A/B tests that run, and all that were replaced within `keep_version_hours`: a reader may
have looked at the pointer then and be copying still. A version that was never live, left by a
publisher that died, goes after the same time.
A version that need not stay is marked first and deleted after the next release; see
`models.publishing.retired_versions`. Deleting can be killed anywhere: the manifest goes first, and
the next call goes on. What to keep is asked anew before each deletion.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from infra.ledger.ab_tests import versions_under_test
from infra.ledger.live_pointer import before_live, history, live
from infra.places import LIVE, VERSIONS, version_key
from infra.storage import Storage
from infra.stores.numbered import newest
from models.publishing.retired_versions import mark, may_be_deleted


def retire(storage: Storage, now: datetime | None = None) -> list[str]:
    """Delete the versions that need not stay, and return their names.

    Raises
    ------
    PublishError
        A pointer cannot be understood: nothing is deleted then.
    """
    now = now or datetime.now(UTC)
    grace = _grace(storage, now)
    gone = []
    for version in _written_before(storage, grace):
        if _may_go(storage, version, now):
            storage.published.delete_folder(version_key(version))
            gone.append(version)
    storage.published.sweep(VERSIONS, grace)
    return gone


def _written_before(storage: Storage, moment: datetime) -> list[str]:
    written: dict[str, datetime] = {}
    for key, stamp in storage.published.stamps(VERSIONS).items():
        _, version, *inside = key.split("/")
        if inside:  # a file beside the versions' folders is not a version
            written[version] = max(stamp.written, written.get(version, stamp.written))
    return sorted(version for version, at in written.items() if at < moment)


def _may_go(storage: Storage, version: str, now: datetime) -> bool:
    """Mark a version that need not stay; tell whether it can be deleted by its mark."""
    number = newest(storage.published, LIVE)
    if version in kept(storage, now):
        return False
    mark(storage, version, number)
    return may_be_deleted(storage, version) and version not in kept(storage, now)


def kept(storage: Storage, now: datetime) -> set[str]:
    """Return the versions that must stay at a moment."""
    latest = live(storage)
    before = before_live(storage, latest) if latest else None
    under_test = versions_under_test(storage)
    lately = _last(storage, _grace(storage, now))
    return lately | under_test | ({before.version} if before else set())


def _grace(storage: Storage, now: datetime) -> datetime:
    return now - timedelta(hours=storage.settings.keep_version_hours)


def _last(storage: Storage, grace: datetime) -> set[str]:
    versions: set[str] = set()
    replaced_at: datetime | None = None
    for record in history(storage):
        enough = len(versions) >= storage.settings.keep_versions and replaced_at is not None
        if enough and replaced_at is not None and replaced_at < grace:
            break
        versions.add(record.version)
        if replaced_at is None and record.previous:
            versions.add(record.previous)
        replaced_at = record.at
    return versions
