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
from infra.ledger.questions import note_question, questions
from infra.ledger.run_records import RunRecords
from infra.places import bundle_key
from infra.records.release import ApprovalRecord, VerdictRecord
from infra.storage import Storage
from infra.stores.object_store import MANIFEST
from models.release.approval_form import form
from models.release.verdict import not_rejected

ASK_AGAIN = "Trigger release_candidate for this run: Airflow shows the form of this one as it was."


def ask(storage: Storage, run: str, asked_in: str = "") -> Question | None:
    """Return what a person must be asked before a run may publish, and write down that it was.

    Parameters
    ----------
    asked_in : str
        The id that Airflow has for the run that asks: it shows one form in each.

    Returns
    -------
    Question or None
        None if the thresholds released the run and nobody was ever asked about it, somebody chose
        this candidate, or somebody approved exactly this bundle.

    Raises
    ------
    ReleaseError
        The verdict says reject, the bundle was not seen to answer, the question was replaced, or
        `asked_in` asked before with another bundle or another form, which it would show again.
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
    here = before if before is not None and before.asked_in == asked_in else None
    if here is not None and here.manifest_sha256 != digest:
        raise ReleaseError(f"{run} asked about another bundle before.", ASK_AGAIN)
    if here is not None and here.answer == "replaced":
        raise _replaced(here)
    if _lack(before, verdict, storage.settings.approvers, digest) is None:
        return None
    body = form(verdict, records.load_evaluation())
    form_sha256 = hashlib.sha256(body.encode()).hexdigest()
    if here is not None and here.form_sha256 != form_sha256:
        raise ReleaseError(f"{run} was judged by other numbers since it asked.", ASK_AGAIN)
    asked = ApprovalRecord(
        run=run,
        candidate=verdict.candidate,
        manifest_sha256=digest,
        form_sha256=form_sha256,
        asked=storage.settings.approvers,
        asked_at=datetime.now(UTC),
        thresholds=verdict.thresholds,
        asked_in=asked_in,
    )
    records.save_approval(asked)
    note_question(storage, run, asked_in, asked.asked_at)
    return Question(f"Release {verdict.candidate}?", body, digest)


def needs_person(storage: Storage, run: str) -> bool:
    """Tell whether a run whose bundle was seen to answer may not go live as it stands.

    Raises
    ------
    ReleaseError
        The verdict says reject, or the bundle was not seen to answer.
    """
    verdict, approval = not_rejected(storage, run), RunRecords(storage, run).load_approval()
    approvers, digest = storage.settings.approvers, _digest(storage, run)
    return approval_refusal(verdict, approval, approvers, digest) is not None


def replaced(storage: Storage, run: str, asked_in: str, triggered: datetime) -> str:
    """Say by what a question was replaced, or may not be asked any more; empty if it may.

    Parameters
    ----------
    triggered : datetime
        When Airflow's run `asked_in` was triggered: no newer question may be asked since, however
        often its tasks are cleared. Who chose a candidate asks nobody.
    """
    records = RunRecords(storage, run)
    asked, verdict = records.load_approval(), records.load_verdict()
    if asked is not None and (asked.asked_in, asked.answer) == (asked_in, "replaced"):
        return asked.why
    if verdict is not None and verdict.chosen is not None:
        return ""
    newest = next(questions(storage), None)
    if newest is None or newest.asked_in == asked_in or newest.at <= triggered:
        return ""
    return f"Replaced by {newest.run}."


def record_answer(
    storage: Storage, run: str, answer: Answer, asked_in: str = ""
) -> dict[str, object]:
    """Write down what was answered; everything but a whole approval is a rejection.

    Returns
    -------
    dict
        What Airflow shows.

    Raises
    ------
    ReleaseError
        It is a rejection, nothing was asked, or the question was replaced: then its record stays.
    """
    records = RunRecords(storage, run)
    asked = records.load_approval()
    if asked is None or asked.run != run:
        raise ReleaseError(f"Nobody was asked about {run}.", "Clear the task to ask.")
    newest = next(questions(storage), None)
    of_newest = newest is None or newest.asked_in == asked_in
    if asked.asked_in != asked_in or asked.answer == "replaced" or not of_newest:
        raise _replaced(asked)
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
    offered = {
        (candidate.name, candidate.model_sha256, candidate.outcome)
        for candidate in verdict.candidates
    }
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
    if approval.answer == "replaced":
        return f"its question was replaced by {approval.replaced_by}"
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


def _replaced(asked: ApprovalRecord) -> ReleaseError:
    by = f" by {asked.replaced_by}" if asked.replaced_by else ""
    return ReleaseError(
        f"The question about {asked.run} counts no longer: it was replaced{by}.",
        "Answer the one that waits, which the page Reports names on top.",
    )


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
