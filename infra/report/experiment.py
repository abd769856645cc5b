"""The page of an experiment: its variants side by side, one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.records.evaluation import Comparison, ExperimentRecord, Score
from infra.report.slices import value_of
from infra.report.templates import Frame, fill
from infra.report.units import gaps, in_column, unit_of
from infra.report.wording import plain_name

MOST_TRIED = 10  # points of a search, the best ones


@dataclass(frozen=True)
class Row:
    """One model; `start`, `width` and `at` place its interval and its value in percent.

    `against` has the finding against each rival, and the difference with its interval.
    """

    name: str
    differs: Sequence[tuple[str, Any]]
    value: str
    low: str
    high: str
    start: float
    width: float
    at: float
    against: Mapping[str, tuple[str, str]]
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
        searched=sorted(
            (tried for tried in record.tried if tried.value is not None),
            key=lambda tried: -(tried.value or 0.0),
        )[:MOST_TRIED],
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
    reached = _values(record)[record.scores.index(best)]
    value = f"{best.name} reached the highest {metric}, {reached}"
    if findings[:1] == ["better"]:
        chosen = (
            f"It was chosen among {len(record.scores)} by these same customers: the interval holds "
            "for all of them at once, and new customers will show a little less."
        )
        return (
            "Better",
            f"{value}, and is better than {record.candidate} as it is. {chosen}",
            "good",
        )
    return "Cannot tell", f"{value}; chance alone could explain the difference.", "warn"


def _values(record: ExperimentRecord) -> list[str]:
    metric = record.judged_by
    return in_column([score.metrics[metric] for score in record.scores], unit_of(metric))


def _rows(record: ExperimentRecord) -> list[Row]:
    asis = next(score for score in record.scores if score.name == record.candidate)
    longest = max(score.intervals[record.judged_by][1] for score in record.scores) or 1.0
    values = zip(record.scores, _values(record), strict=True)
    return [_row(score, value, asis, record.judged_by, longest) for score, value in values]


def _row(score: Score, value: str, asis: Score, metric: str, longest: float) -> Row:
    (low, high), per_cent = score.intervals[metric], 100 / longest
    low_text, high_text = in_column([low, high], unit_of(metric))
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
        low=low_text,
        high=high_text,
        start=low * per_cent,
        width=(high - low) * per_cent,
        at=score.metrics[metric] * per_cent,
        against={made.against: (made.finding, _told(made)) for made in score.comparisons},
        metrics=score.metrics,
    )


def _told(made: Comparison) -> str:
    ends = (made.difference, made.low, made.high)
    difference, low, high = gaps(ends, unit_of(made.metric))
    return f"{difference} (95%: {low} to {high})"


def _slices(record: ExperimentRecord) -> list[dict[str, Any]]:
    scores, metric = record.scores, record.judged_by
    return [
        {
            "name": first.name,
            "users": first.users,
            "values": in_column(
                [value_of(score.slices[place], metric) for score in scores], unit_of(metric)
            ),
            "too_small": first.too_small,
        }
        for place, first in enumerate(scores[0].slices)
    ]
