"""Compares each model with the champion and the baselines: better, worse, or cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infra.records.evaluation import Comparison, EvaluationRecord, Score
from infra.report.charts import LABEL_LENGTH
from infra.report.headline import Tone
from infra.report.units import gaps, unit_of
from infra.report.wording import decimals, plain_name, shortened

CHAMPION, ANCHOR = "champion", "anchor"
WORDS: dict[str, Tone] = {"better": "good", "worse": "bad", "cannot tell": "calm"}


@dataclass(frozen=True)
class Whisker:
    """One model minus its rival; all places in percent of the width."""

    name: str
    chosen: bool
    word: str
    tone: Tone
    text: str
    low: float
    middle: float
    high: float

    @property
    def label(self) -> str:
        """The name, short enough for a phone."""
        return shortened(self.name, LABEL_LENGTH)


@dataclass(frozen=True)
class Duel:
    """All models against one rival on one metric."""

    title: str
    metric: str
    zero: float
    whiskers: tuple[Whisker, ...]

    @property
    def summary(self) -> str:
        """The drawing in one sentence, for those who cannot see it."""
        texts = [f"{whisker.name} is {whisker.word}, {whisker.text}" for whisker in self.whiskers]
        return f"{self.metric} {self.title}: " + "; ".join(texts)


def duels(evaluation: EvaluationRecord, chosen: str) -> list[Duel]:
    """Return a duel per rival and metric, the champion first."""
    pairs: dict[tuple[str, str], list[tuple[Score, Comparison]]] = {}
    for score in evaluation.scores:
        for comparison in score.comparisons:
            key = (comparison.against, comparison.metric)
            pairs.setdefault(key, []).append((score, comparison))
    keys = sorted(pairs, key=lambda key: key[0] != CHAMPION)
    return [_duel(rival, pairs[rival, metric], chosen) for rival, metric in keys]


def _duel(rival: str, pairs: Sequence[tuple[Score, Comparison]], chosen: str) -> Duel:
    scale = _Scale([comparison for _, comparison in pairs])
    rows = [_whisker(score, comparison, scale, chosen) for score, comparison in pairs]
    title = f"against the {rival}" if rival in (CHAMPION, ANCHOR) else f"against {rival}"
    rows.sort(key=lambda row: -row.middle)
    return Duel(title, plain_name(pairs[0][1].metric), scale.at(0.0), tuple(rows))


def _whisker(score: Score, comparison: Comparison, scale: _Scale, chosen: str) -> Whisker:
    ends, unit = (
        (comparison.low, comparison.difference, comparison.high),
        unit_of(comparison.metric),
    )
    low, middle, high = gaps(ends, unit, scale.digits)
    return Whisker(
        name=score.name if score.role == "candidate" else f"the {score.role}",
        chosen=score.name == chosen and score.role == "candidate",
        word=comparison.finding,
        tone=WORDS[comparison.finding],
        text=f"{middle} (95%: {low} to {high})",
        low=scale.at(comparison.low),
        middle=scale.at(comparison.difference),
        high=scale.at(comparison.high),
    )


class _Scale:
    """Differences to percent of the width, with zero always on it and some air at both ends."""

    def __init__(self, comparisons: Sequence[Comparison]) -> None:
        ends = [0.0, *(end for rival in comparisons for end in (rival.low, rival.high))]
        air = 0.04 * ((max(ends) - min(ends)) or 1.0)
        self._low, self._high = min(ends) - air, max(ends) + air
        self.digits = decimals([end for end in ends if end] or [0.1])

    def at(self, value: float) -> float:
        return 100 * (value - self._low) / (self._high - self._low)
