"""The page of an experiment: its variants side by side, one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.records.evaluation import Comparison, ExperimentRecord, Score
from infra.report.slices import value_of
from infra.report.templates import Frame, fill
from infra.report.wording import plain_name


@dataclass(frozen=True)
class Row:
    """One model; `start`, `width` and `at` place its interval and its value in percent."""

    name: str
    differs: Sequence[tuple[str, Any]]
    value: float
    low: float
    high: float
    start: float
    width: float
    at: float
    against: Mapping[str, Comparison]
    metrics: Mapping[str, float]


def render_experiment(record: ExperimentRecord, frame: Frame | None = None) -> str:
    """Turn the record of an experiment into its page."""
    scores = record.scores
    best = max(scores, key=lambda score: score.metrics[record.judged_by])
    heading, sentence, tone = _headline(record, best)
    return fill(
        "experiment.html",
        frame,
        record=record,
        name=record.experiment.rpartition("/")[2],
        heading=heading,
        sentence=sentence,
        tone=tone,
        best=best.name,
        rows=_rows(record),
        rivals=list(
            dict.fromkeys(
                comparison.against for score in scores for comparison in score.comparisons
            )
        ),
        slices=_slices(record),
        metrics=list(scores[0].metrics),
    )


def _headline(record: ExperimentRecord, best: Score) -> tuple[str, str, str]:
    """Say what the highest variant is worth against the candidate as it is."""
    metric = plain_name(record.judged_by)
    if best.name == record.candidate:
        return "Nothing beat it", f"{best.name} as it is reached the highest {metric}.", "calm"
    findings = [
        comparison.finding
        for comparison in best.comparisons
        if comparison.against == record.candidate
    ]
    value = f"{best.name} reached the highest {metric}, {best.metrics[record.judged_by]:.4f}"
    if findings[:1] == ["better"]:
        return "Better", f"{value}, and is better than {record.candidate} as it is.", "good"
    return "Cannot tell", f"{value}; chance alone could explain the difference.", "warn"


def _rows(record: ExperimentRecord) -> list[Row]:
    asis = next(score for score in record.scores if score.name == record.candidate)
    metric = record.judged_by
    longest = max(score.intervals[metric][1] for score in record.scores) or 1.0
    return [_row(score, asis, metric, longest) for score in record.scores]


def _row(score: Score, asis: Score, metric: str, longest: float) -> Row:
    low, high = score.intervals[metric]
    value, per_cent = score.metrics[metric], 100 / longest
    same_kind = score.name.startswith(asis.name)
    changed = [
        (name, value)
        for name, value in score.parameters.items()
        if asis.parameters.get(name) != value
    ]
    return Row(
        name=score.name,
        differs=changed if same_kind else [],
        value=value,
        low=low,
        high=high,
        start=low * per_cent,
        width=(high - low) * per_cent,
        at=value * per_cent,
        against={comparison.against: comparison for comparison in score.comparisons},
        metrics=score.metrics,
    )


def _slices(record: ExperimentRecord) -> list[dict[str, Any]]:
    scores, metric = record.scores, record.judged_by
    return [
        {
            "name": first.name,
            "users": first.users,
            "values": [value_of(score.slices[place], metric) for score in scores],
        }
        for place, first in enumerate(scores[0].slices)
    ]
