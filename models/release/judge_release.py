"""Decides whether a run may be released, and by which candidate, as `release.yaml` says.

Everything fails closed: what cannot be judged is rejected, on the record, before the error is
raised. docs/reference/release_verdicts.md lists every case.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from infra.errors import CatwalkError, ReleaseError
from infra.ledger.decision_log import THRESHOLDS
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import rules_of
from infra.records.release import Judgement, VerdictRecord
from infra.records.run_rules import KeptFile
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from models.candidates import candidates_of
from models.evaluation.values import load_values
from models.release.ab_tested import ab_tested
from models.release.columns import columns_of, columns_of_version, judge_columns
from models.release.judging import judge
from models.release.thresholds import parse_thresholds

NOBODY = "none"


def judge_release(storage: Storage, run: str) -> VerdictRecord:
    """Judge every candidate that is no baseline, and save the verdict on the run.

    The rules are those that the run kept when it began; see `models.release.judging` for the rest.

    Raises
    ------
    ReleaseError
        All candidates are rejected, or nothing was evaluated.
    SettingsError
        The thresholds or the candidates cannot be read.
    StorageError
        What the run wrote cannot be read.

    Whatever is raised, a verdict that says reject is saved before.
    """
    records = RunRecords(storage, run)
    try:
        verdict = _verdict(storage, run)
    except Exception as error:
        records.save_verdict(_without_judging(storage, run, error))
        raise
    records.save_verdict(verdict)
    _require_not_rejected(verdict)
    return verdict


def _verdict(storage: Storage, run: str) -> VerdictRecord:
    kept = rules_of(storage, run).release
    rules = parse_thresholds(kept.content, kept.origin)
    evaluation = RunRecords(storage, run).load_evaluation()
    if evaluation is None or evaluation.run != run:
        raise ReleaseError(f"{run} was never evaluated.", "Run evaluate first.")
    columns, live = columns_of(storage, run), evaluation.champion
    held = () if live is None else (judge_columns(columns, columns_of_version(storage, live)),)
    baselines = frozenset(
        candidate.name for candidate in candidates_of(storage, run) if candidate.baseline
    )
    values, tested = load_values(storage, evaluation), ab_tested(storage)
    ruling = judge(evaluation, values, rules, held, baselines, tested)
    return VerdictRecord(
        run=run,
        at=datetime.now(UTC),
        **vars(ruling),
        **_thresholds(kept),
        batches=tuple(storage.lake.manifest(INTERACTIONS.name, run)["batches"]),
        champion=live,
        columns=columns,
    )


def _without_judging(storage: Storage, run: str, error: Exception) -> VerdictRecord:
    """Reject a run that could not be judged, so that no earlier verdict counts for it."""
    ours = isinstance(error, CatwalkError)  # any other text may hold what nobody should read
    reason = str(error) if ours else f"It failed by {type(error).__name__}: see the task's log."
    try:
        thresholds = _thresholds(rules_of(storage, run).release)
    except CatwalkError:
        thresholds = {"thresholds_sha256": "unknown"}
    judgement = Judgement(
        metric="judge_release",
        value=None,
        limit="every rule can be judged",
        result="not judged",
        outcome="reject",
        reason=reason,
        why="what cannot be judged does not go live",
    )
    return VerdictRecord(
        run=run,
        at=datetime.now(UTC),
        outcome="reject",
        candidate=NOBODY,
        **thresholds,
        batches=(),
        judgements=(judgement,),
    )


def _thresholds(kept: KeptFile) -> dict[str, Any]:
    """Return the fields of a verdict that keep the file of thresholds, whoever changes it later."""
    return {"thresholds_sha256": kept.sha256, "thresholds_text": kept.text}


def _require_not_rejected(verdict: VerdictRecord) -> None:
    missed = [judgement.reason for judgement in verdict.judgements if not judgement.passed]
    if verdict.outcome == "reject":
        raise ReleaseError(
            f"{verdict.candidate} of {verdict.run} is not released: {' '.join(missed)}",
            f"What is live stays live. Improve the model or the data; see {THRESHOLDS}.",
        )
