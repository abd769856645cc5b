"""The outcome of a verdict, and what it demands of the next steps."""

from __future__ import annotations

from infra.errors import ReleaseError
from infra.ledger.run_records import RunRecords
from infra.records.release import Judgement, Outcome, VerdictRecord
from infra.storage import Storage

WORST_FIRST: tuple[Outcome, ...] = ("reject", "review", "release")


def outcome_of(judgements: tuple[Judgement, ...]) -> Outcome:
    """Return the worst outcome; without any judgement nothing is released."""
    found = {judgement.outcome for judgement in judgements}
    return next((one for one in WORST_FIRST if one in found), "reject")


def not_rejected(storage: Storage, run: str) -> VerdictRecord:
    """Return the verdict of a run: release, or review, which a person has to approve.

    Raises
    ------
    ReleaseError
        It says reject, or not what its own judgements say, or there is none.
    """
    verdict = RunRecords(storage, run).load_verdict()
    if verdict is None or verdict.run != run:
        raise ReleaseError(f"{run} has no release verdict.", "Run judge_release first.")
    judged = outcome_of(verdict.judgements)
    if "reject" in (verdict.outcome, judged) or verdict.outcome != judged:
        failed = [judgement.metric for judgement in verdict.judgements if not judgement.passed]
        raise ReleaseError(
            f"The verdict on {verdict.candidate} of {run} is {verdict.outcome}"
            f" ({', '.join(failed) or 'no threshold'} missed).",
            "Read its report; what is live stays live.",
        )
    return verdict
