"""Ask a person about a `review` verdict, write the answer down, and demand it of publishing.

The answer counts for one bundle, named by the digest of its manifest: the bundle that was asked
about, that the form showed and that goes live must be the same.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from infra.asking import Answer, Question
from infra.errors import PublishError, ReleaseError
from infra.ledger.run_records import RunRecords
from infra.places import bundle_key
from infra.records.release import ApprovalRecord, VerdictRecord
from infra.storage import Storage
from infra.stores.object_store import MANIFEST
from models.release.approval_form import form
from models.release.verdict import not_rejected

ASK_AGAIN = "Start a new run: Airflow shows the form of this one as it was."


def ask(storage: Storage, run: str) -> Question | None:
    """Return what a person must be asked before a run may publish, and write down that it was.

    Returns
    -------
    Question or None
        None if the thresholds released the run and nobody was ever asked about it, or somebody
        approved exactly this bundle.

    Raises
    ------
    ReleaseError
        The verdict says reject, the bundle was not seen to answer, or this run asked before with
        another bundle or another form, which Airflow would show again.
    """
    verdict, records = not_rejected(storage, run), RunRecords(storage, run)
    before = records.load_approval()
    if _needs_nobody(verdict, before):
        return None
    digest = _digest(storage, run)
    if before is not None and before.manifest_sha256 != digest:
        raise ReleaseError(f"{run} asked about another bundle before.", ASK_AGAIN)
    if _refusal(before, verdict, storage, digest) is None:
        return None
    body = form(verdict, records.load_evaluation())
    form_sha256 = hashlib.sha256(body.encode()).hexdigest()
    if before is not None and before.form_sha256 != form_sha256:
        raise ReleaseError(f"{run} was judged by other numbers since it asked.", ASK_AGAIN)
    asked = ApprovalRecord(
        run=run,
        candidate=verdict.candidate,
        manifest_sha256=digest,
        form_sha256=form_sha256,
        asked=storage.settings.approvers,
        asked_at=datetime.now(UTC),
        thresholds=verdict.thresholds,
    )
    records.save_approval(asked)
    return Question(f"Release {verdict.candidate}?", body, digest)


def record_answer(storage: Storage, run: str, answer: Answer) -> dict[str, object]:
    """Write down what was answered; everything but a whole approval is a rejection.

    Returns
    -------
    dict
        What Airflow shows.

    Raises
    ------
    ReleaseError
        It is a rejection, or nothing was asked.
    """
    records = RunRecords(storage, run)
    asked = records.load_approval()
    if asked is None or asked.run != run:
        raise ReleaseError(f"Nobody was asked about {run}.", "Clear the task to ask.")
    objection = _objection(asked, answer, storage)
    change = {
        "answer": "approved" if objection is None else "rejected",
        "by": answer.by,
        "at": answer.at,
        "why": answer.why if objection is None else objection,
    }
    record = asked.model_copy(update=change)
    records.save_approval(record)
    if objection is not None:
        who = answer.by or "nobody"
        raise ReleaseError(
            f"{asked.candidate} of {run} is rejected by {who}: {objection}",
            "What is live stays live.",
        )
    return record.counts()


def require_approved(verdict: VerdictRecord, storage: Storage, manifest_sha256: str) -> None:
    """Refuse to publish a bundle that needs an approval and has none: for these very bytes.

    Raises
    ------
    PublishError
        Nobody answered, somebody rejected, or the answer is about something else.
    """
    found = RunRecords(storage, verdict.run).load_approval()
    if _needs_nobody(verdict, found):
        return
    refusal = _refusal(found, verdict, storage, manifest_sha256)
    if refusal is not None:
        raise PublishError(
            f"{verdict.candidate} of {verdict.run} needs an approval: {refusal}.",
            "Marking a task as success is no answer; the form of approve_release is.",
        )


def _needs_nobody(verdict: VerdictRecord, found: ApprovalRecord | None) -> bool:
    """Tell a release that no person was asked about: one who was has the word from then on.

    So judging a run again overrules no rejection.
    """
    return verdict.outcome == "release" and found is None


def _refusal(
    found: ApprovalRecord | None, verdict: VerdictRecord, storage: Storage, manifest_sha256: str
) -> str | None:
    """Say what is wrong with an approval; None if it is one for this verdict and these bytes."""
    if found is None or (found.run, found.candidate) != (verdict.run, verdict.candidate):
        return "nobody was asked"
    if found.answer != "approved":
        return "nobody has answered" if found.answer == "waiting" else f"rejected: {found.why}"
    if found.by not in storage.settings.approvers:
        return f"{found.by} may not approve"
    if found.answer_to(verdict) != "approved":
        return "the run was judged again after the question"
    if found.manifest_sha256 != manifest_sha256:
        return "the bundle was built again after it was approved"
    return None


def _objection(asked: ApprovalRecord, answer: Answer, storage: Storage) -> str | None:
    """Say why an answer does not approve; None if it does."""
    if answer.by is None:
        return "no answer in time"
    if answer.by not in storage.settings.approvers or answer.by not in asked.asked:
        return f"{answer.by} may not approve"
    if not answer.approved:
        return answer.why or "no reason given"
    if not answer.why:
        return "approved without a reason, which counts as a rejection"
    if answer.digest != asked.manifest_sha256:
        return "the form that was answered is about another bundle"
    return None


def _digest(storage: Storage, run: str) -> str:
    """Return the digest of the bundle of a run, which must have been seen to answer."""
    key = f"{bundle_key(run)}/{MANIFEST}"
    store = storage.lake.store
    digest = hashlib.sha256(store.read(key)).hexdigest() if store.exists(key) else ""
    served = RunRecords(storage, run).load_serving()
    if not digest or served is None or served.manifest_sha256 != digest:
        raise ReleaseError(
            f"The bundle of {run} was never seen to answer, or was built again since.",
            "Run check_serving first.",
        )
    return digest
