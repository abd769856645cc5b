"""Records of evaluations are read as they were written at any time."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from infra.records.evaluation import EvaluationRecord, ExperimentRecord

SCORES_OF_756A9B8 = """[
 {
  "name": "content",
  "role": "candidate",
  "parameters": {"weight": 0.5},
  "metrics": {"ndcg_at_10": 0.0311, "user_coverage": 1.0},
  "model_sha256": "8a1bb3f8d821402b190979dac8a0b21dc8e2e664e7086d02b61161e87173b424",
  "intervals": {"ndcg_at_10": [0.0275, 0.0351]},
  "noise": 0.0,
  "comparisons": [
   {
    "metric": "ndcg_at_10",
    "against": "popularity",
    "difference": 0.004602122783884517,
    "low": -0.0001202428677554331,
    "high": 0.009542286698286717,
    "verdict": "cannot tell"
   }
  ],
  "slices": [{"name": "new users", "users": 872, "too_small": false, "metrics": {"auc": 0.7}}]
 }
]"""
SIZE = {"users": 3127, "items": 1832, "train_interactions": 55523, "notes": []}
WHEN = {"at": "2026-11-29T22:56:04.520696Z", "cut": "2026-11-26T00:00:00Z"}


def test_an_evaluation_of_756a9b8_is_read_and_written_in_the_words_of_today() -> None:
    old = {"run": "run=a", **WHEN, **SIZE, "holdout_interactions": 11990, "champion": None}
    content = json.dumps({**old, "scores": json.loads(SCORES_OF_756A9B8), "written": {}})
    record = EvaluationRecord.model_validate_json(content)
    (comparison,) = record.scores[0].comparisons
    assert comparison.finding == "cannot tell"
    assert '"verdict"' not in record.model_dump_json()
    assert EvaluationRecord.model_validate_json(record.model_dump_json()) == record


def test_an_evaluation_whose_tables_are_no_names_cannot_be_read() -> None:
    record = {"run": "run=a", **WHEN, **SIZE, "holdout_interactions": 11990, "scores": []}
    with pytest.raises(ValidationError, match="written"):
        EvaluationRecord.model_validate({**record, "written": [1]})


def test_an_experiment_of_756a9b8_is_read() -> None:
    old = {"experiment": "e", "run": "run=a", "candidate": "content", "share": 0.5, **WHEN, **SIZE}
    record = ExperimentRecord.model_validate({**old, "scores": json.loads(SCORES_OF_756A9B8)})
    assert record.scores[0].comparisons[0].finding == "cannot tell"
