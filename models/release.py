"""Decide whether a candidate may be released: `release.yaml` against the evaluation.

Everything fails closed: a missing or undefined number misses its threshold, and an empty or
unreadable rules file is an error before anything is judged.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from infra.errors import ReleaseError, SettingsError
from infra.records import EvaluationRecord, Judgement, Score, VerdictRecord
from infra.run_records import RunRecords
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from models.candidates import load_candidates
from models.judging import RELEASE, Thresholds, judge, load_thresholds, passed

CHOSEN_BY = "ndcg_at_10"
Judged: TypeAlias = tuple[Score, tuple[Judgement, ...]]


def decide(run: str, storage: Storage, file: Path = RELEASE) -> VerdictRecord:
    """Judge every candidate that is no baseline, and save the verdict on the best one.

    The best is the passing one with the highest ndcg_at_10, or the highest of all if none passes.

    Raises
    ------
    ReleaseError
        No candidate met every threshold (the verdict is saved before), or nothing was evaluated.
    SettingsError
        The thresholds or the candidates cannot be read.
    """
    thresholds, sha256 = _thresholds(file, storage)
    records = RunRecords(storage, run)
    evaluation = records.load_evaluation()
    if evaluation is None or evaluation.run != run:
        raise ReleaseError(f"{run} was never evaluated.", "Run evaluate first.")
    judged = [
        (score, _judge_score(score, evaluation, thresholds)) for score in _releasable(evaluation)
    ]
    score, judgements = best(judged)
    verdict = VerdictRecord(
        run=run,
        at=datetime.now(UTC),
        outcome="release" if passed(judgements) else "reject",
        candidate=score.name,
        thresholds_sha256=sha256,
        batches=tuple(storage.lake.manifest(INTERACTIONS.name, run)["batches"]),
        judgements=judgements,
        model_sha256=score.model_sha256,
        champion=evaluation.champion,
    )
    records.save_verdict(verdict)
    _require_released(verdict, file)
    return verdict


def _thresholds(file: Path, storage: Storage) -> tuple[Thresholds, str]:
    """Return the thresholds and the hash of the very bytes they were parsed from.

    The file is read once and parsed from a copy, so that an edit meanwhile cannot part the two.
    """
    try:
        content = file.read_bytes()
    except OSError:
        load_thresholds(file)  # says what is wrong with it, and the cure
        raise
    with storage.scratch() as scratch:
        copy = scratch / file.name
        copy.write_bytes(content)
        try:
            return load_thresholds(copy), hashlib.sha256(content).hexdigest()
        except SettingsError as error:
            fact = error.fact.replace(str(copy), str(file))
            raise SettingsError(fact, error.cure) from error


def _releasable(evaluation: EvaluationRecord) -> list[Score]:
    names = {candidate.name for candidate in load_candidates() if not candidate.baseline}
    found = [
        score for score in evaluation.scores if score.role == "candidate" and score.name in names
    ]
    if not found:
        raise ReleaseError(f"{evaluation.run} judged no releasable candidate.", "Evaluate again.")
    return found


def _judge_score(
    score: Score, evaluation: EvaluationRecord, thresholds: Thresholds
) -> tuple[Judgement, ...]:
    others = {
        other.name: other.metrics
        for other in evaluation.scores
        if other.role == "candidate" and other.name != score.name
    }
    judged = [other.metrics for other in evaluation.scores if other.role == "champion"]
    champion = judged[0] if judged else None if evaluation.champion is None else {}
    return judge(score.metrics, others, champion, thresholds)


def best(judged: Sequence[Judged]) -> Judged:
    """Return the passing candidate with the highest ndcg_at_10, or the highest if none passes."""
    return max(judged, key=_standing)


def _standing(judged: Judged) -> tuple[bool, float]:
    score, judgements = judged
    quality = score.metrics.get(CHOSEN_BY, math.nan)
    return passed(judgements), quality if math.isfinite(quality) else -math.inf


def _require_released(verdict: VerdictRecord, file: Path) -> None:
    missed = [judgement.reason for judgement in verdict.judgements if not judgement.passed]
    if verdict.outcome == "reject":
        raise ReleaseError(
            f"{verdict.candidate} of {verdict.run} is not released: {' '.join(missed)}",
            f"What is live stays live. Improve the model or the data; the rules are in {file}.",
        )
