"""Scores the models of a run side by side: a pure function of tables and models.

`evaluate`, experiments and the benchmarks all score this way, so that their numbers mean the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from infra.errors import InputError
from infra.placements import Placements
from infra.records.evaluation import Score
from models.data.holdout import Holdout, select
from models.data.run_tables import RunTables
from models.evaluation.audience import audience
from models.evaluation.compare import compared
from models.evaluation.measure import EvaluationData, Measured, measure
from models.evaluation.newcomers import questions_of
from models.evaluation.values import UserValues, values_of
from models.metrics.ranking import require_ranking
from models.recommender import Recommender
from models.steps import Steps


@dataclass(frozen=True)
class Entrant:
    """A trained model that is to be scored.

    Attributes
    ----------
    score : Score
        What is known before any list is made: name, role, parameters, costs, digest, noise.
    model : Recommender
    """

    score: Score
    model: Recommender


@dataclass(frozen=True)
class ScoredRun:
    """What scoring a run gives.

    Attributes
    ----------
    holdout : Holdout
        Whom the models were scored on.
    scores : tuple of Score
        Complete, in the order of the entrants.
    measured : tuple of Measured
        The same models in the same order.
    values : UserValues
        What each is worth to each user, by which releases are judged.
    notes : tuple of str
        Sentences that name the models of earlier runs which gave no lists.
    """

    holdout: Holdout
    scores: tuple[Score, ...]
    measured: tuple[Measured, ...]
    values: UserValues
    notes: tuple[str, ...]


def score_run(
    tables: RunTables,
    steps: Steps | None,
    entrants: Iterable[Entrant],
    placements: Placements,
    rivals: frozenset[str],
    seed: int,
) -> ScoredRun:
    """Measure every entrant, and compare it with the champion and the rivals.

    Parameters
    ----------
    steps : Steps or None
        Of the hold-out: by them new customers are scored.
    entrants : iterable of Entrant
        Asked for one after the other, so that one model is in memory at a time.
    placements : Placements
        What counts as a success, what lists leave out, and the metric that chooses.
    rivals : frozenset of str
        Names of the entrants with whom all others are compared, such as the baselines.
    seed : int
        Of what is drawn: the resampled users, and the samples of customers.

    Raises
    ------
    InputError
        The hold-out has nobody to score on, or a candidate gives no lists.
    SettingsError
        `judged_by` of the placements is no ranking metric.
    """
    require_ranking(placements.judged_by, "placements")
    data, scored, notes = evaluation_data(tables, steps, placements, seed), [], []
    for entrant in entrants:
        try:
            scored.append((entrant.score, measure(entrant.model, data)))
        except InputError as error:
            if entrant.score.role == "candidate":
                raise
            notes.append(f"The {entrant.score.role} was not scored: {error.fact}")
    scores = compared(scored, data, rivals, placements.judged_by, seed)
    every = tuple(measured for _, measured in scored)
    return ScoredRun(data.holdout, scores, every, values_of(scored, seed), tuple(notes))


def evaluation_data(
    tables: RunTables, steps: Steps | None, placements: Placements, seed: int
) -> EvaluationData:
    """Choose once on whom all models of a run are measured; raises `InputError` for nobody."""
    return EvaluationData(
        tables=tables,
        holdout=select(tables, placements.home.rule),
        audience=audience(tables, placements.home, seed),
        newcomers=questions_of(tables, steps, seed) if steps else None,
    )
