"""Publishes a released bundle: writes an immutable version, then one pointer to it.

The pointer is a new object with the next number, created only if nobody else did; readers take
the highest. So there is no moment without a live version, and never two for one number. The
live version is complete: a copy is checked before the pointer names it, and is not deleted while
it is live; see `models.publishing.retired_versions`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from infra.ledger.live_pointer import live, lost, next_time, point
from infra.ledger.run_records import RunRecords
from infra.records.release import Approval, ApprovalRecord, LearntFrom, PublishRecord, VerdictRecord
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from infra.stores.object_store import AlreadyExistsError
from models.publishing.evidence import Built, Evidence, read_evidence
from models.publishing.publishable import refusals
from models.publishing.uploads import upload
from models.release.verdict import no_verdict


def publish(storage: Storage, run: str) -> PublishRecord:
    """Put the bundle of a run live, once, however often it is called.

    Raises
    ------
    ReleaseError
        The verdict of the run says reject.
    PublishError
        The bundle is not what was judged or was never seen to answer, a gate did not pass, a
        person who had to approve it did not, something else went live since the verdict, or the
        version was deleted. The error names every reason.
    BundleError
        The bundle, or its published copy, is not what its manifest says.
    """
    with storage.scratch() as scratch:
        evidence = read_evidence(storage, run, scratch)
        verdict, built = _require_publishable(evidence)
        if evidence.unrecorded is not None:
            pointer = release = evidence.unrecorded
        elif evidence.standing is not None:
            _upload(storage, built, evidence.standing)  # its copy may have been harmed
            pointer, release = evidence.standing, evidence.released or evidence.standing
        else:
            pointer = _next_pointer(verdict, built, evidence)
            _upload(storage, built, pointer)
            pointer = release = _point(storage, pointer)
    RunRecords(storage, run).save_published(release)
    return pointer


def _require_publishable(evidence: Evidence) -> tuple[VerdictRecord, Built]:
    """Raise all refusals of a run as one error, of the type of the first."""
    against = refusals(evidence)
    if against:
        *others, last = against
        raise type(against[0])(" ".join([*map(str, others), last.fact]), last.cure)
    if evidence.verdict is None or evidence.built is None:  # named above
        raise no_verdict(evidence.run)
    return evidence.verdict, evidence.built


def _next_pointer(verdict: VerdictRecord, built: Built, evidence: Evidence) -> PublishRecord:
    """Return the pointer that follows what is live."""
    before = evidence.live
    return PublishRecord(
        run=evidence.run,
        at=next_time(before),
        number=before.number + 1 if before else 1,
        version=built.version,
        manifest_sha256=built.manifest_sha256,
        candidate=verdict.candidate,
        previous=before.version if before else None,
        arrays_sha256=built.arrays_sha256,
        data=_learnt_from(verdict, evidence),
        recipe=built.recipe,
        thresholds=verdict.thresholds,
        decided=verdict.chosen or _decided(evidence.approval),
        withdrawn=before.withdrawn if before else (),
        roll_backs=before.roll_backs if before else (),
    )


def _learnt_from(verdict: VerdictRecord, evidence: Evidence) -> LearntFrom:
    facts = evidence.tables[INTERACTIONS.name]
    window = {name: str(facts.get(name)) for name in ("start", "cut", "as_of")}
    return LearntFrom(**window, batches=verdict.batches)


def _decided(approval: ApprovalRecord | None) -> Approval | None:
    """Return who approved; None where the thresholds alone decided and nobody was asked."""
    if approval is None or approval.answer != "approved":
        return None
    if approval.by is None or approval.at is None:
        return None
    return Approval(by=approval.by, at=approval.at, why=approval.why)


def _upload(storage: Storage, built: Built, record: PublishRecord) -> None:
    upload(storage, built.folder, record.version, record.manifest_sha256)


def _point(storage: Storage, record: PublishRecord) -> PublishRecord:
    """Create the pointer, dated now: the upload before may have taken minutes."""
    try:
        return point(storage, record.model_copy(update={"at": max(record.at, datetime.now(UTC))}))
    except AlreadyExistsError as error:
        now = live(storage)
        if now is not None and (now.run, now.version) == (record.run, record.version):
            return now  # the same task, started twice
        raise lost(record, error) from error
