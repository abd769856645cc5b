"""Puts an earlier version live again, because a person says so: checks it, moves the pointer.

What was released after it does not come back without a person: the new pointer names it as
withdrawn, and `publish` refuses it. Rolling back to a withdrawn version undoes the roll-back: that
version is withdrawn no longer, and the versions that were live meanwhile are not withdrawn either.
"""

from __future__ import annotations

from datetime import UTC, datetime

from infra.errors import BundleError, InputError, PublishError
from infra.ledger.live_pointer import before_live, history, live, lost, next_time, point
from infra.places import version_key
from infra.records.release import Approval, PublishRecord, Withdrawn
from infra.storage import Storage
from infra.stores.object_store import AlreadyExistsError
from models.bundle.check_serving import answers
from models.bundle_layout import manifest_sha256
from models.publishing.retired_versions import is_retired

PREVIOUS = "previous"
CURE = "Choose a version of the page Decisions that was live before."


def roll_back_release(
    storage: Storage, version: str, by: str, why: str, asked_in: str
) -> PublishRecord:
    """Put a version live again; a second call for the same request changes nothing.

    Parameters
    ----------
    version : str
        The name of a version that was live before, or `previous`: the last one that nobody
        rolled back from.
    by, why : str
        Who wants it, and the reason; both are kept for good.
    asked_in : str
        Names the request: the folder name of the run that asks.

    Raises
    ------
    InputError
        There is no reason, or no such version was ever live.
    BundleError
        The version is not what its manifest says, is gone, or does not answer.
    PublishError
        Nothing is live, it is live already, it was deleted, or somebody else moved the pointer
        meanwhile.
    """
    if not why.strip():
        raise InputError("A roll-back needs a reason.", "Say why: others will ask.")
    now = live(storage)
    if now is None:
        raise PublishError("Nothing is live yet.", "Publish something first.")
    if asked_in in now.roll_backs:
        return _pointer_of(storage, asked_in)
    wanted = _wanted(storage, version, now)
    target, later = _target_and_later(storage, wanted)
    left: list[PublishRecord | Withdrawn] = [*later, *_withdrawn_before(storage, now)]
    require_good(storage, target)
    decided = Approval(by=by, at=datetime.now(UTC), why=why.strip())
    return _point(storage, _moved_back(now, target, left, decided, asked_in))


def _wanted(storage: Storage, version: str, now: PublishRecord) -> str:
    """Return the name of the version that is asked for."""
    if version == now.version:
        raise PublishError(f"{version} is live already.", CURE)
    if version != PREVIOUS:
        return version
    before = before_live(storage, now)
    if before is None:
        raise InputError(f"Nothing was live before {now.version} but what was rolled back.", CURE)
    return before.version


def _moved_back(
    now: PublishRecord,
    target: PublishRecord,
    left: list[PublishRecord | Withdrawn],
    decided: Approval,
    asked_in: str,
) -> PublishRecord:
    """Return the next pointer: the version as it was released, and who went back to it."""
    return target.model_copy(
        update={
            "number": now.number + 1,
            "at": next_time(now),
            "previous": now.version,
            "action": "roll_back",
            "decided": decided,
            "asked_in": asked_in,
            "withdrawn": _withdrawn(now, target, left),
            "roll_backs": (*now.roll_backs, asked_in),
        }
    )


def _point(storage: Storage, record: PublishRecord) -> PublishRecord:
    try:
        return point(storage, record)
    except AlreadyExistsError as error:
        now = live(storage)
        if now is not None and record.asked_in in now.roll_backs:  # the same task, started twice
            return _pointer_of(storage, record.asked_in)
        raise lost(record, error) from error


def _pointer_of(storage: Storage, asked_in: str) -> PublishRecord:
    """Return the pointer that a request moved, however long ago."""
    for record in history(storage):
        if record.asked_in == asked_in:
            return record
    raise PublishError(
        f"The pointer that {asked_in} moved was deleted.",
        "Ask for a roll-back anew: start another run of roll_back_release.",
    )


def _target_and_later(storage: Storage, wanted: str) -> tuple[PublishRecord, list[PublishRecord]]:
    """Return the last pointer to a version, and what was released after it, the newest first."""
    target: PublishRecord | None = None
    later: list[PublishRecord] = []
    for record in history(storage):
        if record.version == wanted:
            target = target or record
            if record.is_release:
                break
        elif record.is_release:
            later.append(record)
    if target is None:
        raise InputError(f"The version '{wanted}' was never live.", CURE)
    return target, later


def require_good(storage: Storage, target: PublishRecord) -> None:
    """Refuse a version that is gone, is not what its pointer says, or does not answer.

    Raises
    ------
    BundleError, PublishError
        Why, in one sentence.
    """
    name = f"Version {target.version}"
    if is_retired(storage, target.version):  # after what is live was read
        raise PublishError(f"{name} was deleted, or is being deleted.", CURE)
    with storage.scratch() as scratch:
        key = version_key(target.version)
        if not storage.published.list(key):
            raise BundleError(f"{name} was deleted since.", CURE)
        folder = storage.published.fetch_folder(key, scratch)
        try:
            same = manifest_sha256(folder) == target.manifest_sha256
        except OSError:
            same = False
        if not same:
            raise BundleError(f"{name} is not what was published.", CURE)
        answers(name, folder, storage.settings)


def _withdrawn_before(storage: Storage, now: PublishRecord) -> list[Withdrawn]:
    """Return what is live if it was withdrawn until a roll-back put it there: it will be again."""
    if now.is_release:
        return []
    before = next((record for record in history(storage) if record.number < now.number), now)
    return [out for out in before.withdrawn if out.version == now.version]


def _withdrawn(
    now: PublishRecord, target: PublishRecord, left: list[PublishRecord | Withdrawn]
) -> tuple[Withdrawn, ...]:
    """Return what must not come back by itself: what was, and what this roll-back leaves behind."""
    out = {withdrawn.version: withdrawn for withdrawn in now.withdrawn}
    for model in reversed(left):
        out[model.version] = Withdrawn(version=model.version, arrays_sha256=model.arrays_sha256)
    out.pop(target.version, None)
    return tuple(out.values())
