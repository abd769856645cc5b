"""Put a released bundle live: an immutable version, then one pointer.

The pointer is a new object with the next number, created only if nobody else did; readers take
the highest. So there is no moment without a live version, and never two for one number. What is
live is whole: a copy is claimed, then checked, then pointed to; see `version_claims`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from infra.errors import BundleError, PublishError, StorageError
from infra.ledger.live_pointer import history, live, lost, next_time, point
from infra.ledger.run_records import RunRecords
from infra.places import bundle_key, version_key
from infra.records.release import Approval, LearntFrom, PublishRecord, VerdictRecord
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from infra.stores.digests import FolderManifest, verified
from infra.stores.object_store import AlreadyExistsError
from models.bundle_layout import MODEL, manifest_sha256, version_of
from models.publishing.publishable import require_gates, require_publishable
from models.publishing.version_claims import claim
from models.release.verdict import not_rejected
from models.training.trained_model import FIT


def publish(storage: Storage, run: str) -> PublishRecord:
    """Put the bundle of a run live, once, however often it is called.

    Raises
    ------
    ReleaseError
        The verdict of the run says reject.
    PublishError
        The bundle is not what was judged or was never seen to answer, a gate did not pass, a
        person who had to approve it did not, something else went live since the verdict, or the
        version stood there before and was deleted.
    BundleError
        The bundle, or its published copy, is not what its manifest says.
    """
    verdict = not_rejected(storage, run)
    require_gates(storage, run)
    with storage.scratch() as scratch:
        folder = storage.lake.store.fetch_folder(bundle_key(run), scratch)
        manifest = verified(folder)
        require_publishable(verdict, storage, folder, manifest)
        unrecorded = _unrecorded(storage, run, version_of(folder))
        if unrecorded is not None:
            RunRecords(storage, run).save_published(unrecorded)
            return unrecorded
        standing = _already_live(storage, run, version_of(folder))
        record = standing or _next_pointer(verdict, storage, folder, manifest)
        if standing is None:
            claim(storage, record.version, record.number)  # from here on it is not deleted
        _upload(storage, folder, record)  # also what is live: its copy may have been harmed
    if standing is None:
        record = _point(storage, record)
    RunRecords(storage, run).save_published(_release(storage, record))
    return record


def _already_live(storage: Storage, run: str, version: str) -> PublishRecord | None:
    now = live(storage)
    return now if now is not None and (now.run, now.version) == (run, version) else None


def _unrecorded(storage: Storage, run: str, version: str) -> PublishRecord | None:
    """Return the pointer of a publisher that died before its record, if it is live no longer."""
    recorded = RunRecords(storage, run).load_published()
    known = recorded is not None and recorded.version == version
    if known or _already_live(storage, run, version):
        return None
    released = (one for one in history(storage) if one.action == "release")
    return next((one for one in released if (one.run, one.version) == (run, version)), None)


def _release(storage: Storage, record: PublishRecord) -> PublishRecord:
    """Return the pointer of a version's release, also where a roll-back put it live again."""
    if record.action == "release":
        return record
    released = (one for one in history(storage) if one.action == "release")
    return next((one for one in released if one.version == record.version), record)


def _champion(storage: Storage, verdict: VerdictRecord) -> PublishRecord | None:
    """Return what is live, if it is still what the verdict compared with."""
    now = live(storage)
    version = now.version if now else None
    if version != verdict.champion:
        raise PublishError(
            f"{version or 'nothing'} is live, but {verdict.run} was judged against "
            f"{verdict.champion or 'nothing'}.",
            "Run evaluate again, and all that follows, against what is live now.",
        )
    return now


def _next_pointer(
    verdict: VerdictRecord, storage: Storage, folder: Path, manifest: FolderManifest
) -> PublishRecord:
    """Return the pointer that follows what is live; refuse one that must not."""
    before, version = _champion(storage, verdict), version_of(folder)
    arrays = manifest.model_sha256(f"{MODEL}/", without=FIT)
    _require_not_withdrawn(before, version, arrays)
    return PublishRecord(
        run=verdict.run,
        at=next_time(before),
        number=before.number + 1 if before else 1,
        version=version,
        manifest_sha256=manifest_sha256(folder),
        candidate=verdict.candidate,
        previous=before.version if before else None,
        arrays_sha256=arrays,
        data=_learnt_from(verdict, storage),
        thresholds=verdict.thresholds,
        decided=_decided(verdict, storage),
        withdrawn=before.withdrawn if before else (),
        roll_backs=before.roll_backs if before else (),
    )


def _upload(storage: Storage, folder: Path, record: PublishRecord) -> None:
    """Copy the bundle unless it stands there whole, and read it back: nobody else checks it."""
    if not _stands(storage, record):
        storage.published.fill_folder(folder, version_key(record.version))
        if not _stands(storage, record):
            raise PublishError(
                f"Version {record.version} differs from its bundle.", "Publish again."
            )


def _stands(storage: Storage, record: PublishRecord) -> bool:
    with storage.scratch() as scratch:
        try:
            copy = storage.published.fetch_folder(version_key(record.version), scratch)
            verified(copy)
        except (StorageError, BundleError):
            return False
        return manifest_sha256(copy) == record.manifest_sha256


def _require_not_withdrawn(before: PublishRecord | None, version: str, arrays: str) -> None:
    """Refuse what a person rolled back from, also if a new training gave it another name."""
    for one in before.withdrawn if before else ():
        if version == one.version or arrays == one.arrays_sha256:
            raise PublishError(
                f"{version} holds the model of {one.version}, which was rolled back.",
                "If it shall be live again, a person does that: roll_back_release.",
            )


def _learnt_from(verdict: VerdictRecord, storage: Storage) -> LearntFrom:
    facts = storage.lake.manifest(INTERACTIONS.name, verdict.run)
    window = {name: str(facts.get(name)) for name in ("start", "cut", "as_of")}
    return LearntFrom(**window, batches=verdict.batches)


def _decided(verdict: VerdictRecord, storage: Storage) -> Approval | None:
    """Return who approved; None where the thresholds alone decided and nobody was asked."""
    given = RunRecords(storage, verdict.run).load_approval()
    if given is None or given.answer != "approved" or given.by is None or given.at is None:
        return None
    return Approval(by=given.by, at=given.at, why=given.why)


def _point(storage: Storage, record: PublishRecord) -> PublishRecord:
    """Move the pointer; it is of now, since copying may have taken long."""
    try:
        return point(storage, record.model_copy(update={"at": max(record.at, datetime.now(UTC))}))
    except AlreadyExistsError as error:
        same = _already_live(storage, record.run, record.version)
        if same is not None:  # the same task, started twice
            return same
        raise lost(record, error) from error
