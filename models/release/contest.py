"""Whom a candidate is held against, and how sure the difference is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from infra.records.evaluation import Comparison, EvaluationRecord, Score
from models.evaluation.compare import CHAMPION, entry_of
from models.evaluation.values import UserValues
from models.metrics.confidence import TWO_SIDED, Margin, margins, widened
from models.metrics.noise import NOTHING, noise_on, of_both


@dataclass(frozen=True)
class Contest:
    """All scores of a run, and the values they are compared by.

    Attributes
    ----------
    values : UserValues or None
        None for a run of an earlier Catwalk: then the intervals of its record count.
    baselines : frozenset of str
        Candidates that are compared with and never released.
    """

    evaluation: EvaluationRecord
    values: UserValues | None = None
    baselines: frozenset[str] = frozenset()
    _margins: dict[tuple[str, str, float], dict[str, Margin]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def releasable(self) -> list[Score]:
        """Return the candidates that may go live."""
        return [
            score
            for score in self.evaluation.scores
            if score.role == "candidate" and not (score.baseline or score.name in self.baselines)
        ]

    @property
    def champion(self) -> Score | None:
        """Return the live model as it was scored on the same hold-out."""
        return self._entry(CHAMPION)

    @property
    def anchor(self) -> Score | None:
        """Return the model trained by the recipe of the anchor, which may be a candidate."""
        anchor = self.evaluation.anchor
        return self._entry(anchor.scored_as) if anchor else None

    @property
    def best_baseline(self) -> Score | None:
        """Return the baseline with the highest quality: what a shop has without any model."""
        scores = [
            score
            for score in self.evaluation.scores
            if score.role == "candidate" and (score.baseline or score.name in self.baselines)
        ]
        return max(scores, key=self.quality, default=None)

    def rival(self, name: str) -> Score | None:
        """Return another candidate by its name."""
        score = self._entry(name)
        return score if score is not None and score.role == "candidate" else None

    def quality(self, score: Score) -> float:
        """Return the metric that chooses; whoever has no such number comes last."""
        value = score.metrics.get(self.evaluation.judged_by, math.nan)
        return value if math.isfinite(value) else -math.inf

    def margin(self, score: Score, rival: Score, metric: str, kept: float) -> Margin | None:
        """Compare a model with `kept` times its rival, at once with all candidates of the run.

        Returns
        -------
        Margin or None
            None for a metric whose chance nobody measured: the numbers count as they are.
        """
        values = self.values.sample(metric) if self.values else None
        mine, theirs = entry_of(score), entry_of(rival)
        if values is None or not {mine, theirs} <= values.values.keys():
            return self._written_down(score, rival, metric, kept)
        key = (metric, theirs, kept)
        if mine not in self._margins.get(key, {}):
            family = [entry_of(other) for other in self.releasable if entry_of(other) != theirs]
            compared = [name for name in family if name in values.values]
            names = compared if mine in compared else [mine]
            every = self.evaluation.scores
            noise = {entry_of(other): noise_on(other, metric) for other in every}
            new = margins(values, names, theirs, kept, noise)
            self._margins.setdefault(key, {}).update(new)
        return self._margins[key][mine]

    def _entry(self, name: str) -> Score | None:
        scores = (score for score in self.evaluation.scores if entry_of(score) == name)
        return next(scores, None)

    def _written_down(self, score: Score, rival: Score, metric: str, kept: float) -> Margin | None:
        """Return the margin by the interval that an evaluation without values has on record."""
        comparison = next(self._comparisons(score, rival, metric), None)
        if comparison is None:
            return None
        value = rival.metrics.get(metric, math.nan)
        error = (comparison.high - comparison.low) / 2 / TWO_SIDED
        mine, theirs = noise_on(score, metric), noise_on(rival, metric)
        unknown = mine is None or theirs is None
        noise = None if unknown else of_both(mine or NOTHING, theirs or NOTHING, kept)
        middle = comparison.difference + (1 - kept) * value
        return widened(middle, error, self.evaluation.users, noise)

    def _comparisons(self, score: Score, rival: Score, metric: str) -> Iterator[Comparison]:
        wanted = (metric, entry_of(rival))
        return (made for made in score.comparisons if (made.metric, made.against) == wanted)
