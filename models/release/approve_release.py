"""Asks a person about a `review` verdict, records the answer, and demands it of publishing.

The answer counts for one bundle, named by the digest of its manifest: the bundle that was asked
about, that the form showed and that goes live must be the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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
        None if the thresholds released the run and nobody was ever asked about it, somebody chose
        this candidate, or somebody approved exactly this bundle.

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
    if verdict.chosen is not None:
        lack = _choosers_lack(verdict, verdict.chosen.by, storage.settings.approvers)
        if lack is None:
            return None
        raise ReleaseError(f"{verdict.candidate} of {run} may not go live: {lack}.", ASK_AGAIN)
    digest = _digest(storage, run)
    if before is not None and before.manifest_sha256 != digest:
        raise ReleaseError(f"{run} asked about another bundle before.", ASK_AGAIN)
    if _lack(before, verdict, storage.settings.approvers, digest) is None:
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


def approval_refusal(
    verdict: VerdictRecord,
    approval: ApprovalRecord | None,
    approvers: Sequence[str],
    manifest_sha256: str,
) -> PublishError | None:
    """Say why a bundle that needs an approval may not go live: it counts for these very bytes."""
    if _needs_nobody(verdict, approval):
        return None
    if verdict.chosen is not None:
        lack = _choosers_lack(verdict, verdict.chosen.by, approvers)
    else:
        lack = _lack(approval, verdict, approvers, manifest_sha256)
    if lack is None:
        return None
    return PublishError(
        f"{verdict.candidate} of {verdict.run} needs an approval: {lack}.",
        "Marking a task as success is no answer; the form of approve_release is.",
    )


def _needs_nobody(verdict: VerdictRecord, approval: ApprovalRecord | None) -> bool:
    """Tell whether thresholds alone released the run, and no person was ever asked about it.

    Once a person was asked, only that person's answer counts: judging again overrules nothing.
    """
    return verdict.outcome == "release" and approval is None and verdict.chosen is None


def _choosers_lack(verdict: VerdictRecord, by: str, approvers: Sequence[str]) -> str | None:
    """Say why the choice of a person does not count; None if it does."""
    mine = (verdict.candidate, verdict.model_sha256, "release")
    offered = {(each.name, each.model_sha256, each.outcome) for each in verdict.candidates}
    if mine not in offered:
        return f"{by} chose what the verdict does not offer"
    return None if by in approvers else f"{by}, who chose it, may not approve"


def _lack(
    approval: ApprovalRecord | None,
    verdict: VerdictRecord,
    approvers: Sequence[str],
    manifest_sha256: str,
) -> str | None:
    """Say what an approval lacks; None if it is one for this verdict and these bytes."""
    if approval is None or (approval.run, approval.candidate) != (verdict.run, verdict.candidate):
        return "nobody was asked"
    if approval.answer != "approved":
        waits = approval.answer == "waiting"
        return "nobody has answered" if waits else f"rejected: {approval.why}"
    if approval.by not in approvers:
        return f"{approval.by} may not approve"
    if approval.answer_to(verdict) != "approved":
        return "the run was judged again after the question"
    if approval.manifest_sha256 != manifest_sha256:
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
