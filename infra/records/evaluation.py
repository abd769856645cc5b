"""Records of an evaluation and of an experiment: how models scored on the hold-out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import AliasChoices, Field, model_validator

from infra.lake import inputs_id
from infra.rules import Strict

Role = Literal["candidate", "champion", "anchor"]
Finding = Literal["better", "worse", "cannot tell"]


class Slice(Strict):
    """One kind of users or items; too small, it has no metrics, as nobody should judge by them."""

    name: str
    users: int
    too_small: bool
    metrics: dict[str, float] = Field(default_factory=dict)


class Comparison(Strict):
    """One metric of a model minus that of a rival, user by user, with a 95% interval.

    `against` is the name of a candidate, or `champion`. The finding is `cannot tell` where the
    interval holds zero, or the difference is within the noise of training again.
    """

    metric: str
    against: str
    difference: float
    low: float
    high: float
    finding: Finding = Field(validation_alias=AliasChoices("finding", "verdict"))


class Score(Strict):
    """One model on the hold-out: metric name to value; the digest says which bytes were scored.

    `intervals` are the 95% intervals of some metrics over users; `noise` is what training again
    with other seeds moves ndcg_at_10 by, None if nobody measured it.
    """

    name: str
    role: Role
    parameters: dict[str, str | int | float | bool | None]
    metrics: dict[str, float]
    model_sha256: str = ""
    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict)
    noise: float | None = None
    comparisons: tuple[Comparison, ...] = ()
    slices: tuple[Slice, ...] = ()


class EvaluationRecord(Strict):
    """All models of a run, scored on the same users and items.

    `champion` is the version that was live then, scored or not; `notes` say what was left out.
    `inputs` is the id of the tables they learnt from and were scored on, see `inputs_id`;
    `judged_by` the metric that chooses among them; `holdout` how the cut was found, as the manifest
    of the interactions says it.
    """

    run: str
    at: datetime
    cut: datetime
    users: int
    items: int
    train_interactions: int
    holdout_interactions: int
    scores: tuple[Score, ...]
    champion: str | None = None
    notes: tuple[str, ...] = ()
    inputs: str = ""
    judged_by: str = "ndcg_at_10"
    holdout: dict[str, int | str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_old_records(cls, content: Any) -> Any:
        """Take the id of the tables from records that say when each was written."""
        if isinstance(content, dict) and isinstance(content.get("written"), dict):
            others = {name: value for name, value in content.items() if name != "written"}
            return {**others, "inputs": inputs_id(content["written"])}
        return content

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        return {"models": len(self.scores), "users": self.users, "items": self.items}


class ExperimentRecord(Strict):
    """All variants of an experiment, scored on a share of a run's users; no release reads it."""

    experiment: str
    run: str
    candidate: str
    share: float
    at: datetime
    cut: datetime
    users: int
    items: int
    train_interactions: int
    scores: tuple[Score, ...]
    notes: tuple[str, ...] = ()
    judged_by: str = "ndcg_at_10"
