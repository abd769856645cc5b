"""Places the bars and limit lines of charts, in percent of the width, to fit any screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infra.records.evaluation import EvaluationRecord, Score
from infra.records.release import Judgement, VerdictRecord
from infra.report.results import bounds_of, judgement_texts
from infra.report.units import MOST_DIGITS, beside, digits_beside, unit_of, written
from infra.report.wording import NOTHING, decimals, is_share, number, plain_name, shortened

LABEL_LENGTH = 28  # letters of 14 px that fit beside a value on a phone of 390 px
MARKS = {"met": "✓", "missed": "✕", "cannot tell": "?", "not judged": "·"}
UNJUDGED_CHARTS = 4  # before a verdict there is no choice of metrics, and a page holds about four


@dataclass(frozen=True)
class Segment:
    """One part of a stacked bar; `start` and `width` in percent."""

    name: str
    rows: int
    share: str
    start: float
    width: float


@dataclass(frozen=True)
class Bar:
    """One model on one metric; `width` is None where it was not measured.

    `interval` is where its 95% interval starts and ends, None where nobody computed one.
    """

    name: str
    role: str
    chosen: bool
    text: str
    start: float
    width: float | None
    interval: tuple[float, float] | None = None

    @property
    def label(self) -> str:
        """Name and role, short enough not to run into the value beside them."""
        role = "" if self.role == "candidate" else f" · {self.role}"
        return shortened(self.name, LABEL_LENGTH - len(role)) + role


@dataclass(frozen=True)
class Line:
    """One limit; `at` is None where it is known in words only.

    `mark` says what the table of thresholds says: met, missed, or nobody can tell.
    """

    text: str
    missed: bool
    mark: str
    at: float | None


@dataclass(frozen=True)
class Chart:
    """All models on one metric."""

    metric: str
    title: str
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]

    @property
    def summary(self) -> str:
        """The drawing in one sentence, for those who cannot see it."""
        bars = [f"{bar.name} ({bar.role}) {bar.text}" for bar in self.bars]
        limits = [f"limit {line.text}" for line in self.lines]
        return f"{self.title}: " + ", ".join(bars + limits)


def stack(parts: dict[str, int], total: int) -> list[Segment]:
    """Lay parts of a whole side by side; every part that is not empty stays visible."""
    drawn = {name: max(rows / total, 0.006) if rows else 0.0 for name, rows in parts.items()}
    whole = sum(drawn.values()) or 1.0
    segments, start = [], 0.0
    for name, rows in parts.items():
        width = 100 * drawn[name] / whole
        share = number(rows / total, share=True, digits=2) if total else NOTHING
        segments.append(Segment(name, rows, share, start, width))
        start += width
    return segments


def charts(evaluation: EvaluationRecord, verdict: VerdictRecord | None) -> list[Chart]:
    """Return a chart per metric that the verdict judged, or of the first few before it."""
    judgements = verdict.judgements if verdict else ()
    chosen = verdict.candidate if verdict else ""
    return [
        _chart(metric, evaluation.scores, chosen, _of(metric, judgements))
        for metric in shown_metrics(evaluation, verdict)
    ]


def _of(metric: str, judgements: Sequence[Judgement]) -> list[Judgement]:
    """Return what was judged of a metric over everybody: no bar shows a slice."""
    return [
        judgement for judgement in judgements if judgement.metric == metric and not judgement.slice
    ]


def shown_metrics(evaluation: EvaluationRecord, verdict: VerdictRecord | None) -> list[str]:
    """Return the metrics worth a chart, in the order of the verdict."""
    measured = all_metrics(evaluation)
    if verdict is None:
        return measured[:UNJUDGED_CHARTS]
    judged = dict.fromkeys(judgement.metric for judgement in verdict.judgements)
    return [metric for metric in judged if metric in measured]


def all_metrics(evaluation: EvaluationRecord) -> list[str]:
    """Return every metric that some model has, in the order they were written."""
    return list(dict.fromkeys(metric for score in evaluation.scores for metric in score.metrics))


def value_text(metric: str, value: float | None, column: Sequence[float]) -> str:
    """Write a value of a metric with as many decimals as its whole column has."""
    digits = decimals(column, share=is_share(metric)) if column else 0
    return written(value, unit_of(metric), digits)


def _chart(
    metric: str, scores: Sequence[Score], chosen: str, judgements: Sequence[Judgement]
) -> Chart:
    values = [score.metrics[metric] for score in scores if metric in score.metrics]
    bounds = [bound for judgement in judgements for bound in bounds_of(judgement)]
    ends = [end for score in scores for end in score.intervals.get(metric, ())]
    scale = _Scale(metric, values, [*bounds, *ends])
    return Chart(
        metric=metric,
        title=plain_name(metric),
        bars=tuple(_bar(metric, score, chosen, scale, bounds) for score in scores),
        lines=tuple(_line(judgement, scale) for judgement in judgements),
    )


def _bar(metric: str, score: Score, chosen: str, scale: _Scale, bounds: Sequence[float]) -> Bar:
    value = score.metrics.get(metric)
    start, width = (0.0, None) if value is None else scale.span(value)
    judged = score.role == "candidate" and score.name == chosen
    text = "not measured"
    if value is not None:
        text = _beside_limits(metric, value, scale.values, bounds if judged else ())
    ends = score.intervals.get(metric)
    interval = None if ends is None else (scale.at(ends[0]), scale.at(ends[1]))
    return Bar(score.name, score.role, judged, text, start, width, interval)


def _beside_limits(
    metric: str, value: float, column: Sequence[float], bounds: Sequence[float]
) -> str:
    """Write a value as its column does, or as exactly as its limits ask for."""
    unit, digits = unit_of(metric), decimals(column, share=is_share(metric))
    needed = digits_beside([value], bounds, unit)
    exact = value in bounds or needed > MOST_DIGITS
    return beside(value, bounds, unit) if exact else written(value, unit, max(digits, needed))


def _line(judgement: Judgement, scale: _Scale) -> Line:
    at = None if judgement.bound is None else scale.at(judgement.bound)
    _, limit = judgement_texts(judgement)
    return Line(limit, judgement.result == "missed", MARKS[judgement.result], at)


class _Scale:
    """Values to percent of the width. Zero is always on it: bars that start elsewhere lie."""

    def __init__(self, metric: str, values: Sequence[float], bounds: Sequence[float]) -> None:
        self.values = values
        ends = [0.0, *values, *bounds]
        self._low, highest = min(ends), max(ends)
        self._high = 1.0 if is_share(metric) and 0.5 < highest <= 1 else highest
        if self._low == self._high:
            self._high = self._low + 1.0

    def at(self, value: float) -> float:
        return 100 * (value - self._low) / (self._high - self._low)

    def span(self, value: float) -> tuple[float, float]:
        start, end = sorted((self.at(0.0), self.at(value)))
        return start, end - start
