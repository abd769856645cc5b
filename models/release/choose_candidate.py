"""Lets a person choose another candidate than the one that goes on.

The choice is an approval of that candidate: it meets every limit by itself, and whoever chooses it
has seen why the run needed a person. The bundle of it is built from the very model that was judged.
Where another candidate was released while the best one waits, the best may be chosen too: it meets
not every limit, so a person is then asked about its bundle.
"""

from __future__ import annotations

from datetime import UTC, datetime

from infra.errors import ReleaseError
from infra.ledger.run_records import RunRecords
from infra.records.release import Approval, CandidateVerdict, VerdictRecord
from infra.storage import Storage
from models.release.verdict import not_rejected, outcome_of


def choose_candidate(
    storage: Storage, run: str, candidate: str, by: str, why: str
) -> VerdictRecord:
    """Save and return a new verdict on the same run, by which the chosen candidate goes on.

    Doubts about the run as a whole stay in it; `chosen` names who decided in spite of them. The
    same choice by the same person again, by a step that ran again, changes nothing.

    Raises
    ------
    ReleaseError
        The person may not approve or gives no reason, or the verdict neither offers the candidate
        among its `choices` nor lets it wait.
    """
    if by not in storage.settings.approvers:
        raise ReleaseError(f"{by} may not choose.", "CATWALK_APPROVERS names who may.")
    if not why.strip():
        raise ReleaseError(f"{by} gave no reason.", "Say why another candidate goes live.")
    verdict = not_rejected(storage, run)
    if _is_chosen(verdict, candidate, by):
        return verdict
    chosen = _choice(verdict, candidate)
    now = datetime.now(UTC)
    judgements = (*chosen.judgements, *verdict.doubts)
    approval = Approval(by=by, at=now, why=why)
    change = {
        "at": now,
        "outcome": outcome_of(judgements),
        "candidate": chosen.name,
        "judgements": judgements,
        "model_sha256": chosen.model_sha256,
        "chosen": approval if chosen.outcome == "release" else None,
    }
    record = verdict.model_copy(update=change)
    RunRecords(storage, run).save_verdict(record)
    return record


def _is_chosen(verdict: VerdictRecord, candidate: str, by: str) -> bool:
    """Tell whether the verdict is that of this very choice."""
    if verdict.candidate != candidate:
        return False
    if verdict.chosen is not None:
        return verdict.chosen.by == by
    return verdict.outcome == "review"  # it is being asked about


def _choice(verdict: VerdictRecord, candidate: str) -> CandidateVerdict:
    choices = {choice.name: choice for choice in (*verdict.choices, *verdict.waiting)}
    if candidate not in choices:
        names = ", ".join(choices) or "none"
        raise ReleaseError(
            f"'{candidate}' of {verdict.run} cannot be chosen.", f"It offers {names}."
        )
    return choices[candidate]
