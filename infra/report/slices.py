"""The table of an evaluation by kind of users and items; a kind that is too small has no number."""

from __future__ import annotations

from dataclasses import dataclass

from infra.records.evaluation import EvaluationRecord, Score
from infra.report.charts import value_text
from infra.report.wording import NOTHING

METRIC = "ndcg_at_10"


@dataclass(frozen=True)
class SliceRow:
    """One slice: how many users it has, and a value per model, in the order of the scores."""

    name: str
    users: int
    too_small: bool
    values: tuple[str, ...]


def slice_table(evaluation: EvaluationRecord) -> list[SliceRow]:
    """Return a row per slice that some model was judged on."""
    first = {part.name: part for score in evaluation.scores for part in score.slices}
    return [
        SliceRow(
            name=name,
            users=part.users,
            too_small=part.too_small,
            values=tuple(_text(score, name) for score in evaluation.scores),
        )
        for name, part in first.items()
    ]


def _text(score: Score, name: str) -> str:
    part = next((part for part in score.slices if part.name == name), None)
    if part is None or part.too_small or METRIC not in part.metrics:
        return NOTHING
    value = part.metrics[METRIC]
    return value_text(METRIC, value, [value, 0.01])
