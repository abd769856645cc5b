"""Put a released bundle live: an immutable version, then one pointer.

The pointer is a new object with the next number, created only if nobody else did; readers take
the highest. So there is no moment without a live version, and never two for one number.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from infra.errors import BundleError, PublishError, StorageError
from infra.live_pointer import live, lost, next_time, point
from infra.records import Approval, GateRecord, VerdictRecord
from infra.release_records import LearntFrom, PublishRecord
from infra.run_records import RunRecords
from infra.schemas import INTERACTIONS, RECOMMENDATIONS
from infra.storage import Storage
from infra.stores.object_store import AlreadyExistsError
from models.approval import require_approved
from models.build_bundle import refit_of
from models.bundle import (
    JUDGED,
    LISTS_WRITTEN_AT,
    MODEL,
    bundle_key,
    manifest_sha256,
    not_rejected,
    version_of,
)
from models.digests import FolderManifest, verified
from models.train import FIT

VERSIONS = "versions"
GATES = ("events", "items", "interactions", "recommendations")


def version_key(version: str) -> str:
    """Return the folder of a version in the published store."""
    return f"{VERSIONS}/{version}"


def publish(run: str, storage: Storage) -> PublishRecord:
    """Put the bundle of a run live, once, however often it is called.

    Raises
    ------
    ReleaseError
        The verdict of the run says reject.
    PublishError
        The bundle is not what was judged or was never seen to answer, a gate did not pass, a
        person who had to approve it did not, or something else went live since the verdict.
    BundleError
        The bundle, or its published copy, is not what its manifest says.
    """
    verdict = not_rejected(run, storage)
    _require_gates(run, storage)
    with storage.scratch() as scratch:
        folder = storage.lake.store.fetch_folder(bundle_key(run), scratch)
        manifest = verified(folder)
        _require_judged(manifest, verdict, storage)
        _require_gated_lists(run, storage, manifest)
        version, sha256 = version_of(folder), manifest_sha256(folder)
        _require_served(run, storage, sha256)
        require_approved(verdict, storage, sha256)
        record = _already_live(storage, run, version)
        if record is None:
            before = _champion(storage, verdict)
            arrays = manifest.model_sha256(f"{MODEL}/", without=FIT)
            _require_not_withdrawn(before, version, arrays)
            _upload(storage, folder, version, sha256)
            record = _point(
                storage,
                PublishRecord(
                    run=run,
                    at=next_time(before),
                    number=before.number + 1 if before else 1,
                    version=version,
                    manifest_sha256=sha256,
                    candidate=verdict.candidate,
                    previous=before.version if before else None,
                    arrays_sha256=arrays,
                    data=_learnt_from(verdict, storage),
                    decided=_decided(verdict, storage),
                    withdrawn=before.withdrawn if before else (),
                    roll_backs=before.roll_backs if before else (),
                ),
            )
    RunRecords(storage, run).save_published(record)
    return record


def _require_gates(run: str, storage: Storage) -> None:
    """Refuse a run whose data was stopped: the colour of a task can be changed by hand."""
    for name in GATES:
        gate = RunRecords(storage, run).load_gate(name)
        if gate is None or (gate.gate, gate.run) != (name, run) or not _judged(gate):
            raise PublishError(f"The {name} of {run} are not checked.", f"Run gate_{name} first.")
        if gate.verdict == "stopped" or _broken(gate):
            raise PublishError(
                f"The {name} of {run} were stopped by their gate.",
                f"Mend what its report names, then run gate_{name} again.",
            )


def _judged(gate: GateRecord) -> bool:
    """Tell whether the gate looked at anything; only without new events is there nothing to see."""
    return bool(gate.checks) or (gate.gate == "events" and not gate.partitions)


def _broken(gate: GateRecord) -> bool:
    return any(check.severity == "critical" and check.failed for check in gate.checks)


def _require_gated_lists(run: str, storage: Storage, manifest: FolderManifest) -> None:
    """Refuse lists made after their gate looked, and a bundle of other lists than it looked at."""
    written_at = storage.lake.manifest(RECOMMENDATIONS.name, run).get("written_at")
    gate = RunRecords(storage, run).load_gate(RECOMMENDATIONS.name)
    if written_at is None or gate is None or gate.at < datetime.fromisoformat(written_at):
        raise PublishError(
            f"The lists of {run} were made after their gate.", "Run gate_recommendations again."
        )
    if manifest.facts.get(LISTS_WRITTEN_AT) != written_at:
        raise PublishError(
            f"The bundle of {run} holds other lists than its gate saw.", "Build the bundle again."
        )


def _require_served(run: str, storage: Storage, sha256: str) -> None:
    served = RunRecords(storage, run).load_serving()
    if served is None or (served.run, served.manifest_sha256) != (run, sha256):
        raise PublishError(
            f"The bundle of {run} was never seen to answer, or was built again since.",
            "Run check_serving first.",
        )


def _require_judged(manifest: FolderManifest, verdict: VerdictRecord, storage: Storage) -> None:
    """Refuse a bundle unless it holds the judged model and what was fitted by it."""
    made = refit_of(verdict, storage)
    judged = manifest.model_sha256(f"{JUDGED if made.refitted else MODEL}/")
    served = manifest.model_sha256(f"{MODEL}/")
    same = (judged, served) == (verdict.model_sha256, made.model_sha256)
    named = {"run": verdict.run, "candidate": verdict.candidate}
    if not same or any(manifest.facts.get(key) != value for key, value in named.items()):
        raise PublishError(
            f"The bundle of {verdict.run} does not hold the model that was judged.",
            "Build the bundle again, after the verdict.",
        )


def _already_live(storage: Storage, run: str, version: str) -> PublishRecord | None:
    now = live(storage)
    return now if now is not None and (now.run, now.version) == (run, version) else None


def _champion(storage: Storage, verdict: VerdictRecord) -> PublishRecord | None:
    """Return what is live, if it is still what the verdict compared with."""
    now = live(storage)
    version = now.version if now else None
    if version != verdict.champion:
        raise PublishError(
            f"{version or 'nothing'} is live, but {verdict.run} was judged against "
            f"{verdict.champion or 'nothing'}.",
            "Run evaluate and judge_release again, against what is live now.",
        )
    return now


def _upload(storage: Storage, folder: Path, version: str, sha256: str) -> None:
    """Copy the bundle unless it stands there whole, and read it back: nobody else checks it."""
    if not _stands(storage, version, sha256):
        storage.published.delete_folder(version_key(version))
        storage.published.put_folder(folder, version_key(version))
        if not _stands(storage, version, sha256):
            raise PublishError(f"Version {version} differs from its bundle.", "Publish again.")


def _stands(storage: Storage, version: str, sha256: str) -> bool:
    with storage.scratch() as scratch:
        try:
            copy = storage.published.fetch_folder(version_key(version), scratch)
            verified(copy)
        except (StorageError, BundleError):
            return False
        return manifest_sha256(copy) == sha256


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
    """Return who approved a review; None where the thresholds alone decided."""
    given = RunRecords(storage, verdict.run).load_approval()
    if verdict.outcome != "review" or given is None or given.by is None or given.at is None:
        return None
    return Approval(by=given.by, at=given.at, why=given.why)


def _point(storage: Storage, record: PublishRecord) -> PublishRecord:
    try:
        return point(storage, record)
    except AlreadyExistsError as error:
        same = _already_live(storage, record.run, record.version)
        if same is not None:  # the same task, started twice
            return same
        raise lost(record, error) from error
