"""The outcome of a verdict, and the refusal of a run that it does not let go on."""

from __future__ import annotations

from infra.errors import ReleaseError
from infra.ledger.run_records import RunRecords
from infra.records.release import Judgement, Outcome, VerdictRecord
from infra.report.results import results
from infra.storage import Storage

WORST_FIRST: tuple[Outcome, ...] = ("reject", "review", "release")


def outcome_of(judgements: tuple[Judgement, ...]) -> Outcome:
    """Return the worst outcome; without any judgement nothing is released."""
    outcomes = {judgement.outcome for judgement in judgements}
    return next((outcome for outcome in WORST_FIRST if outcome in outcomes), "reject")


def not_rejected(storage: Storage, run: str) -> VerdictRecord:
    """Return the verdict of a run: release, or review, which a person has to approve.

    Raises
    ------
    ReleaseError
        There is no verdict, it says reject, or its outcome is not that of its judgements.
    """
    verdict = RunRecords(storage, run).load_verdict()
    refusal = verdict_refusal(verdict, run)
    if verdict is None or refusal is not None:
        raise refusal or no_verdict(run)
    return verdict


def verdict_refusal(verdict: VerdictRecord | None, run: str) -> ReleaseError | None:
    """Say why a verdict does not let a run go on; None if it does."""
    if verdict is None or verdict.run != run:
        return no_verdict(run)
    outcome = outcome_of(verdict.judgements)
    if verdict.outcome == outcome != "reject":
        return None
    return ReleaseError(
        f"The verdict on {run} is {verdict.outcome}: "
        f"{verdict.candidate} {results(verdict.judgements)}.",
        "Read its report; what is live stays live.",
    )


def no_verdict(run: str) -> ReleaseError:
    """Say that a run has no verdict."""
    return ReleaseError(f"{run} has no release verdict.", "Run judge_release first.")
