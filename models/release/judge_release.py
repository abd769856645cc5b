"""Decides whether a candidate may be released: holds its scores against `release.yaml`.

Everything fails closed: what cannot be judged is rejected, on the record, before the error is
raised. docs/reference/release_verdicts.md lists every case.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from infra.errors import CatwalkError, ReleaseError
from infra.ledger.decision_log import THRESHOLDS
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import rules_of
from infra.records.evaluation import EvaluationRecord, Score
from infra.records.release import Judgement, VerdictRecord
from infra.records.run_rules import KeptFile
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from models.candidates import Candidate, candidates_of
from models.evaluation.compare import CHAMPION
from models.release.columns import columns_of, columns_of_version, judge_columns
from models.release.judging import CHOSEN_BY, judge, rivals_of
from models.release.thresholds import ReleaseRules, parse_thresholds
from models.release.verdict import WORST_FIRST, outcome_of

Judged: TypeAlias = tuple[Score, tuple[Judgement, ...]]
NOBODY = "none"


def judge_release(storage: Storage, run: str) -> VerdictRecord:
    """Judge every candidate that is no baseline, and save the verdict on the best one.

    The rules are those that the run kept when it began.
    The best has the best outcome: release, then review, then reject; among equals it has the
    highest ndcg_at_10.

    Raises
    ------
    ReleaseError
        The best is rejected, or nothing was evaluated.
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


def judge_all(
    evaluation: EvaluationRecord,
    rules: ReleaseRules,
    candidates: Iterable[Candidate],
    columns: tuple[Judgement, ...] = (),
) -> Judged:
    """Return the best releasable candidate of an evaluation and how it met the rules.

    Parameters
    ----------
    candidates : iterable of Candidate
        Those that competed in the run.
    columns : tuple of Judgement
        The judgement of the data's columns; counts for every candidate.

    Raises
    ------
    ReleaseError
        There is no candidate that could be released.
    """
    return best(
        [
            (score, (*judge(score, rivals_of(score, evaluation), rules), *columns))
            for score in _releasable(evaluation, candidates)
        ]
    )


def best(judged: Sequence[Judged]) -> Judged:
    """Return the candidate with the best outcome; among equals the highest ndcg_at_10."""
    return max(judged, key=_standing)


def _verdict(storage: Storage, run: str) -> VerdictRecord:
    kept = rules_of(storage, run).release
    rules = parse_thresholds(kept.content, kept.origin)
    evaluation = RunRecords(storage, run).load_evaluation()
    if evaluation is None or evaluation.run != run:
        raise ReleaseError(f"{run} was never evaluated.", "Run evaluate first.")
    columns, live = columns_of(storage, run), evaluation.champion
    held = () if live is None else (judge_columns(columns, columns_of_version(storage, live)),)
    score, judgements = judge_all(evaluation, rules, candidates_of(storage, run), held)
    return VerdictRecord(
        run=run,
        at=datetime.now(UTC),
        outcome=outcome_of(judgements),
        candidate=score.name,
        **_thresholds(kept),
        batches=tuple(storage.lake.manifest(INTERACTIONS.name, run)["batches"]),
        judgements=judgements,
        model_sha256=score.model_sha256,
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


def _releasable(evaluation: EvaluationRecord, candidates: Iterable[Candidate]) -> list[Score]:
    names = {candidate.name for candidate in candidates if not candidate.baseline}
    scores = [
        score for score in evaluation.scores if score.role != CHAMPION and score.name in names
    ]
    if not scores:
        raise ReleaseError(f"{evaluation.run} scored no releasable candidate.", "Evaluate again.")
    return scores


def _standing(judged: Judged) -> tuple[int, float]:
    score, judgements = judged
    quality = score.metrics.get(CHOSEN_BY, math.nan)
    place = WORST_FIRST.index(outcome_of(judgements))
    return place, quality if math.isfinite(quality) else -math.inf


def _require_not_rejected(verdict: VerdictRecord) -> None:
    missed = [judgement.reason for judgement in verdict.judgements if not judgement.passed]
    if verdict.outcome == "reject":
        raise ReleaseError(
            f"{verdict.candidate} of {verdict.run} is not released: {' '.join(missed)}",
            f"What is live stays live. Improve the model or the data; see {THRESHOLDS}.",
        )
