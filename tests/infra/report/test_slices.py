"""A slice is shown by the metric that chooses; that of new customers by one of its own."""

from __future__ import annotations

from datetime import UTC, datetime

from infra.records.evaluation import EvaluationRecord, Score, Slice
from infra.report.slices import slice_table
from infra.report.wording import NOTHING


def record(*slices: Slice, judged_by: str = "recall_at_20") -> EvaluationRecord:
    score = Score(name="m", role="candidate", parameters={}, metrics={}, slices=slices)
    now = datetime(2026, 11, 24, tzinfo=UTC)
    sizes = {"users": 9, "items": 9, "train_interactions": 9, "holdout_interactions": 9}
    return EvaluationRecord(
        run="run=a", at=now, cut=now, scores=(score,), judged_by=judged_by, **sizes
    )


def part(name: str, **metrics: float) -> Slice:
    return Slice(name=name, users=60, too_small=not metrics, metrics=metrics)


def test_by_the_metric_that_chooses() -> None:
    some = part("repeated", ndcg_at_10=0.1, recall_at_20=0.25)
    assert slice_table(record(some))[0].values == ("0.2500",)
    assert slice_table(record(some, judged_by="ndcg_at_10"))[0].values == ("0.1000",)


def test_new_customers_have_a_metric_of_their_own() -> None:
    some = part("new customers", next_item_ndcg_at_10=0.5, next_item_hit_rate_at_10=0.75)
    assert slice_table(record(some))[0].values == ("0.5000",)


def test_what_is_too_small_has_no_value() -> None:
    row = slice_table(record(part("new customers")))[0]
    assert row.too_small and row.values == (NOTHING,)
