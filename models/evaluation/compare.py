"""Compares the models of a run: intervals, findings against each other, and slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from infra.records.evaluation import Role, Score
from models.evaluation.measure import Measured, Sitting
from models.evaluation.slices import SHOWN, kinds, newcomers_slice, score_slices
from models.metrics.confidence import compare, intervals, larger_noise
from models.metrics.lists import overlap
from models.metrics.ranking import OVERLAP
from models.training.seed_noise import METRIC
from models.training.trained_model import Trained

CHAMPION: Final = "champion"
Scored: TypeAlias = tuple[Score, Measured]  # the score holds what the lists do not tell: its costs


def compared(
    scored: Sequence[Scored], sitting: Sitting, rivals: frozenset[str], judged_by: str, seed: int
) -> tuple[Score, ...]:
    """Complete the scores of all models of a run, in their order.

    Each is compared by the metric `judged_by` with the champion and with the models that `rivals`
    names, but not with itself.
    """
    named = _named(scored, rivals | {CHAMPION})
    slices = kinds(sitting.holdout, sitting.tables)
    shown = tuple(dict.fromkeys((*SHOWN, judged_by)))
    live = next((measured for score, measured in scored if score.role == CHAMPION), None)

    def complete(score: Score, measured: Measured) -> Score:
        others = {name: rival for name, rival in named.items() if rival[1] is not measured}
        noise = {
            name: larger_noise(score.noise, rival.noise) if judged_by == METRIC else None
            for name, (rival, _) in others.items()
        }
        values = {name: theirs.by_user[judged_by] for name, (_, theirs) in others.items()}
        return score.model_copy(
            update={
                "metrics": {**measured.metrics, **_overlap(score, measured, live), **score.metrics},
                "intervals": intervals({name: measured.by_user[name] for name in shown}, seed),
                "comparisons": compare(judged_by, measured.by_user[judged_by], values, noise, seed),
                "slices": (
                    *score_slices(measured.lists, slices, shown),
                    *newcomers_slice(measured.by_newcomer),
                ),
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


def _overlap(score: Score, measured: Measured, live: Measured | None) -> dict[str, float]:
    """Return how much of the lists that customers get now would stay."""
    if live is None or score.role == CHAMPION:
        return {}
    return {OVERLAP: float(overlap(measured.shown, live.shown).mean())}


def _named(scored: Sequence[Scored], names: frozenset[str]) -> dict[str, Scored]:
    """Return whom all others are compared with by their names; the champion comes first."""
    rivals = {
        CHAMPION if score.role == CHAMPION else score.name: (score, measured)
        for score, measured in scored
    }
    champion_first = sorted(rivals, key=lambda name: name != CHAMPION)
    return {name: rivals[name] for name in champion_first if name in names}
