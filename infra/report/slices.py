"""The table of an evaluation by kind of users and items; a kind that is too small has no number."""

from __future__ import annotations

from dataclasses import dataclass

from infra.records.evaluation import EvaluationRecord, Score, Slice
from infra.report.charts import value_text
from infra.report.wording import NOTHING

NEXT_ITEM = "next_item_ndcg_at_10"  # of new customers, who want one item at a time


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
            values=tuple(_text(score, name, evaluation.judged_by) for score in evaluation.scores),
        )
        for name, part in first.items()
    ]


def value_of(part: Slice, judged_by: str) -> float | None:
    """Return what is shown of a slice: the metric that chooses, or that of new customers."""
    return part.metrics.get(judged_by, part.metrics.get(NEXT_ITEM))


def _text(score: Score, name: str, judged_by: str) -> str:
    part = next((part for part in score.slices if part.name == name), None)
    value = None if part is None or part.too_small else value_of(part, judged_by)
    return NOTHING if value is None else value_text(judged_by, value, [value, 0.01])
