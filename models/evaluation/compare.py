"""Compares the models of a run: intervals, findings against each other, and slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from infra.records.evaluation import Role, Score
from models.data.holdout import Holdout
from models.data.run_tables import RunTables
from models.evaluation.measure import Measured
from models.evaluation.slices import SHOWN, kinds, score_slices
from models.metrics.confidence import compare, intervals, larger_noise
from models.training.seed_noise import METRIC
from models.training.trained_model import Trained

CHAMPION: Final = "champion"
Scored: TypeAlias = tuple[Score, Measured]  # the score holds what the lists do not tell: its costs


def compared(
    scored: Sequence[Scored],
    holdout: Holdout,
    tables: RunTables,
    seed: int,
    rivals: frozenset[str],
) -> tuple[Score, ...]:
    """Complete the scores of all models of a run, in their order.

    Each is compared with the champion and with the models that `rivals` names, but not with itself.
    """
    named = _named(scored, rivals | {CHAMPION})
    slices = kinds(holdout, tables)

    def complete(score: Score, measured: Measured) -> Score:
        others = {name: rival for name, rival in named.items() if rival[1] is not measured}
        noise = {
            name: larger_noise(score.noise, rival.noise) for name, (rival, _) in others.items()
        }
        values = {name: theirs.by_user[METRIC] for name, (_, theirs) in others.items()}
        return score.model_copy(
            update={
                "metrics": {**measured.metrics, **score.metrics},
                "intervals": intervals({name: measured.by_user[name] for name in SHOWN}, seed),
                "comparisons": compare(METRIC, measured.by_user[METRIC], values, noise, seed),
                "slices": score_slices(measured.lists, holdout, slices),
            }
        )

    return tuple(complete(score, measured) for score, measured in scored)


def score_of(
    name: str,
    role: Role,
    trained: Trained,
    costs: Mapping[str, float],
) -> Score:
    """Start the score of a model with the costs of its training, which its lists do not tell."""
    return Score(
        name=name,
        role=role,
        parameters=trained.fit.parameters,
        metrics={**costs, "model_mb": trained.bytes / 1024**2},
        model_sha256=trained.sha256,
        noise=trained.fit.noise,
    )


def _named(scored: Sequence[Scored], names: frozenset[str]) -> dict[str, Scored]:
    """Return whom all others are compared with by their names; the champion comes first."""
    rivals = {
        CHAMPION if score.role == CHAMPION else score.name: (score, measured)
        for score, measured in scored
    }
    champion_first = sorted(rivals, key=lambda name: name != CHAMPION)
    return {name: rivals[name] for name in champion_first if name in names}
