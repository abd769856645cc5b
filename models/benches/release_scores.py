"""Measures models on one window, each of them once however many releases it is part of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from infra.placements import Placements
from infra.records.evaluation import Score
from models.data.run_tables import RunTables
from models.evaluation.compare import CHAMPION, with_metrics
from models.evaluation.measure import EvaluationData, Measured, measure
from models.evaluation.score_run import Entrant, evaluation_data
from models.evaluation.values import UserValues, values_of
from models.recommender import Recommender


@dataclass(frozen=True)
class Scorer:
    """Scores releases as a run does, but for what no limit asks for: slices and new customers.

    Attributes
    ----------
    data : EvaluationData
    judged_by : str
        The metric that chooses among candidates.
    seed : int
        Of all that is drawn.
    """

    data: EvaluationData
    judged_by: str
    seed: int
    _measured: dict[int, tuple[Recommender, Measured]] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: RunTables, placements: Placements, seed: int) -> Scorer:
        """Choose on whom the models of a window are measured."""
        return cls(evaluation_data(tables, None, placements, seed), placements.judged_by, seed)

    def branch(self) -> Scorer:
        """Return one that knows what this one measured, and keeps what it adds to itself."""
        return replace(self, _measured=dict(self._measured))

    def score(self, entrants: Sequence[Entrant]) -> tuple[tuple[Score, ...], UserValues]:
        """Complete the scores of the models of a release, and say what each is worth to whom."""
        scored = [(entrant.score, self._measure(entrant.model)) for entrant in entrants]
        live = next((measured for score, measured in scored if score.role == CHAMPION), None)
        scores = tuple(with_metrics(score, measured, live) for score, measured in scored)
        return scores, values_of(scored, self.seed)

    def _measure(self, model: Recommender) -> Measured:
        """Measure a model; it is kept, so that no other one can get its id."""
        if id(model) not in self._measured:
            self._measured[id(model)] = (model, measure(model, self.data))
        return self._measured[id(model)][1]
