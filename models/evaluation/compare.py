"""Compares the models of a run: intervals, findings against each other, and slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from infra.records.evaluation import Comparison, Role, Score
from models.candidates import ANCHOR, MOVED
from models.evaluation.measure import EvaluationData, Measured
from models.evaluation.slices import SHOWN, kinds, newcomers_slice, score_slices
from models.metrics.confidence import Margin, intervals, margins, sample
from models.metrics.lists import overlap
from models.metrics.noise import noise_on
from models.metrics.ranking import OVERLAP
from models.training.trained_model import Trained

CHAMPION: Final = "champion"
Scored: TypeAlias = tuple[Score, Measured]  # the score holds what the lists do not tell: its costs


def compared(
    scored: Sequence[Scored],
    data: EvaluationData,
    rivals: frozenset[str],
    judged_by: str,
    seed: int,
) -> tuple[Score, ...]:
    """Complete the scores of all models of a run, in their order.

    Each is compared by the metric `judged_by` with the champion, the anchor and the models that
    `rivals` names, but not with itself.
    """
    against = rivals | {CHAMPION, ANCHOR}
    comparisons = _comparisons(scored, against, judged_by, seed)
    slices = kinds(data.holdout, data.tables)
    shown = tuple(dict.fromkeys((*SHOWN, judged_by)))
    live = next((measured for score, measured in scored if score.role == CHAMPION), None)

    def complete(score: Score, measured: Measured) -> Score:
        return with_metrics(score, measured, live).model_copy(
            update={
                "intervals": intervals({name: measured.by_user[name] for name in shown}, seed),
                "comparisons": tuple(comparisons[entry_of(score)]),
                "slices": (
                    *score_slices(measured.lists, slices, shown),
                    *newcomers_slice(measured.by_newcomer),
                ),
            }
        )

    return tuple(complete(score, measured) for score, measured in scored)


def with_metrics(score: Score, measured: Measured, live: Measured | None) -> Score:
    """Add to a score what the lists tell: costs stay as they are; `live` is the champion."""
    metrics = {**measured.metrics, **_overlap(score, measured, live), **score.metrics}
    return score.model_copy(update={"metrics": metrics})


def entry_of(score: Score) -> str:
    """Name a model among all that were scored in a run: by its role, or as a candidate."""
    return score.name if score.role == "candidate" else score.role


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
        class_path=MOVED.get(trained.fit.class_path, trained.fit.class_path),
        metrics={**costs, "model_mb": trained.bytes / 1024**2},
        model_sha256=trained.sha256,
        noise=trained.fit.noise,
        learning=trained.fit.learning,
    )


def _overlap(score: Score, measured: Measured, live: Measured | None) -> dict[str, float]:
    """Return how much of the lists that customers get now would stay."""
    if live is None or score.role != "candidate":
        return {}
    return {OVERLAP: float(overlap(measured.shown, live.shown).mean())}


def _comparisons(
    scored: Sequence[Scored], rivals: frozenset[str], metric: str, seed: int
) -> dict[str, list[Comparison]]:
    """Compare all models with every rival, the champion first."""
    entries = {entry_of(score): (score, measured) for score, measured in scored}
    values = sample({name: entry[1].by_user[metric] for name, entry in entries.items()}, seed)
    noise = {name: noise_on(score, metric) for name, (score, _) in entries.items()}
    found: dict[str, list[Comparison]] = {name: [] for name in entries}
    for rival in sorted(rivals & entries.keys(), key=lambda name: (name != CHAMPION, name)):
        for family in _families(entries, rivals, rival):
            for name, margin in margins(values, family, rival, 1.0, noise).items():
                found[name].append(_comparison(metric, rival, margin))
    return found


def _families(
    entries: Mapping[str, Scored], rivals: frozenset[str], rival: str
) -> Iterator[list[str]]:
    """Give who is compared with a rival together: all that may win; each other model alone."""
    compete = [name for name in entries if name not in rivals]
    if competing := [name for name in compete if name != rival]:
        yield competing
    yield from ([name] for name in entries if name in rivals and name != rival)


def _comparison(metric: str, rival: str, margin: Margin) -> Comparison:
    return Comparison(
        metric=metric,
        against=rival,
        difference=margin.middle,
        low=margin.low,
        high=margin.high,
        finding=margin.finding,
    )
