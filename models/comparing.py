"""Putting the models of a run beside each other: intervals, comparisons and slices of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from infra.records import Score
from models.candidates import load_candidates
from models.confidence import compare, intervals
from models.holdout import Holdout
from models.measure import Measured
from models.noise import METRIC
from models.slices import SHOWN, judge_slices, kinds
from models.tables import RunTables

CHAMPION: Final = "champion"
Judged: TypeAlias = tuple[Score, Measured]  # the score holds what the lists do not tell: its costs


def compared(
    judged: Sequence[Judged], holdout: Holdout, tables: RunTables, seed: int
) -> tuple[Score, ...]:
    """Complete the scores of all models of a run, in their order.

    Each is compared with the champion and with every baseline, but not with itself.
    """
    rivals = _rivals(judged)
    slices = kinds(holdout, tables)

    def complete(score: Score, measured: Measured) -> Score:
        others = {name: rival for name, rival in rivals.items() if rival[1] is not measured}
        noise = {
            name: max(score.noise or 0, rival.noise or 0) for name, (rival, _) in others.items()
        }
        values = {name: theirs.by_user[METRIC] for name, (_, theirs) in others.items()}
        return score.model_copy(
            update={
                "metrics": {**measured.metrics, **score.metrics},
                "intervals": intervals({name: measured.by_user[name] for name in SHOWN}, seed),
                "comparisons": compare(METRIC, measured.by_user[METRIC], values, noise, seed),
                "slices": judge_slices(measured.lists, holdout, slices),
            }
        )

    return tuple(complete(*one) for one in judged)


def _rivals(judged: Sequence[Judged]) -> dict[str, Judged]:
    baselines = {candidate.name for candidate in load_candidates() if candidate.baseline}
    named = [(one[0].name if one[0].role != CHAMPION else CHAMPION, one) for one in judged]
    found = {name: one for name, one in named if name in baselines | {CHAMPION}}
    return dict(sorted(found.items(), key=lambda one: one[0] != CHAMPION))
