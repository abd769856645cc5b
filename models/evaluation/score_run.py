"""Scores the models of a run side by side: a pure function of tables and models.

`evaluate`, experiments and the benchmarks all score this way, so that their numbers mean the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from infra.errors import InputError
from infra.records.evaluation import Score
from models.data.holdout import Holdout, select
from models.data.run_tables import RunTables
from models.evaluation.compare import compared
from models.evaluation.measure import Measured, measure
from models.recommender import Recommender


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
        The same models in the same order, with their values by user.
    notes : tuple of str
        Sentences that name the models of earlier runs which gave no lists.
    """

    holdout: Holdout
    scores: tuple[Score, ...]
    measured: tuple[Measured, ...]
    notes: tuple[str, ...]


def score_run(
    tables: RunTables, entrants: Iterable[Entrant], rivals: frozenset[str], seed: int
) -> ScoredRun:
    """Measure every entrant, and compare it with the champion and the rivals.

    Parameters
    ----------
    entrants : iterable of Entrant
        Asked for one after the other, so that one model is in memory at a time.
    rivals : frozenset of str
        Names of the entrants with whom all others are compared, such as the baselines.
    seed : int
        Of what is drawn: the resampled users.

    Raises
    ------
    InputError
        The hold-out has nobody to score on, or a candidate gives no lists.
    """
    holdout, scored, notes = select(tables), [], []
    for entrant in entrants:
        try:
            scored.append((entrant.score, measure(entrant.model, holdout, tables)))
        except InputError as error:
            if entrant.score.role == "candidate":
                raise
            notes.append(f"The {entrant.score.role} was not scored: {error.fact}")
    scores = compared(scored, holdout, tables, seed, rivals)
    return ScoredRun(holdout, scores, tuple(measured for _, measured in scored), tuple(notes))
