"""Records of an evaluation and of an experiment: how models scored on the hold-out."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

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


class Noise(Strict):
    """How far training again with other seeds moves a metric, from `refits` trainings more.

    `sd` is the standard deviation over the trainings; `within` is the part of it that the variance
    between customers has already: the luck of each customer with each training.
    """

    sd: float = Field(ge=0, allow_inf_nan=False)
    within: float = Field(0.0, ge=0, allow_inf_nan=False)
    refits: int = Field(ge=1)


def _of_earlier_records(noise: Any) -> Any:
    """Read a number as the largest difference of two NDCG@10, as earlier Catwalks wrote it."""
    if isinstance(noise, bool) or not isinstance(noise, int | float):
        return noise
    if not math.isfinite(noise):
        return None
    sd = abs(noise) / math.sqrt(2)  # as of two trainings: there may have been more
    return {"ndcg_at_10": Noise(sd=sd, refits=1)} if noise else {}


NoiseByMetric: TypeAlias = Annotated[
    dict[str, Noise] | None, BeforeValidator(_of_earlier_records)
]  # empty for a model without a seed, which nothing moves; None where nobody measured it


class Learning(Strict):
    """What a training tells of itself; equal trainings tell the same.

    `curve` is the NDCG@10 after each step (an epoch, a tree) on what was kept back to know when to
    stop; empty where nothing was. `importances` is the part of the gain that each feature brought,
    of a model that weighs features; they sum to 1.
    """

    curve: tuple[float, ...] = ()
    importances: dict[str, float] = Field(default_factory=dict)


class Comparison(Strict):
    """One metric of a model minus that of a rival, user by user, with a 95% interval.

    `against` names a candidate, `champion` or `anchor`. The interval holds for all candidates of
    the run at once, and for training again; records of an earlier Catwalk have those of one
    candidate, over customers alone. The finding is `cannot tell` where it holds zero, or nobody
    knows what training again does.
    """

    metric: str
    against: str
    difference: float
    low: float
    high: float
    finding: Finding = Field(validation_alias=AliasChoices("finding", "verdict"))


class Score(Strict):
    """One model on the hold-out: metric name to value; the digest says which bytes were scored.

    `intervals` are the 95% intervals of some metrics over users. `noise` is what this run measured
    of training again, `pooled` the same from the last runs with equal parameters together.
    `approved` is what the same recipe reached in the run whose release a person approved last, by
    ranking metric; empty where it was not in that run, or nobody approved one. `class_path` is the
    class of the model; earlier records do not name it. `learning` is what its training told.
    """

    name: str
    role: Role
    parameters: dict[str, str | int | float | bool | None]
    metrics: dict[str, float]
    model_sha256: str = ""
    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict)
    noise: NoiseByMetric = None
    pooled: dict[str, Noise] = Field(default_factory=dict)
    approved: dict[str, float] = Field(default_factory=dict)
    class_path: str = ""
    baseline: bool = False
    comparisons: tuple[Comparison, ...] = ()
    slices: tuple[Slice, ...] = ()
    learning: Learning = Learning()

    @property
    def recipe(self) -> tuple[str, dict[str, str | int | float | bool | None]]:
        """What two models have in common that are trained alike."""
        return self.class_path, self.parameters


class Anchor(Strict):
    """The earlier version whose recipe is trained again: what is live must not erode against it.

    `scored_as` names the model that was scored in its place: `anchor`, or a candidate with the same
    recipe; empty if nothing could be scored, and `missing` says why.
    """

    version: str
    live_at: datetime
    candidate: str
    scored_as: str = ""
    missing: str = ""


class HoldoutFacts(Strict):
    """How large the hold-out became, and what kept it from the customers that were wanted."""

    users: int
    wanted_users: int
    days: int
    limited_by: Literal["", "most_holdout_days", "quarter", "champion"] = ""


class EvaluationRecord(Strict):
    """All models of a run, scored on the same users and items.

    `champion` is the version that was live then, scored or not; `notes` say what was left out.
    `inputs` is the id of the tables they learnt from and were scored on, see `inputs_id`;
    `judged_by` the metric that chooses among them; `holdout` how the cut was found, None in records
    of an earlier Catwalk; `anchor` the earlier version whose recipe they are held against;
    `values_sha256` the digest of the values by customer.
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
    holdout: HoldoutFacts | None = None
    judged_by: str = "ndcg_at_10"
    anchor: Anchor | None = None
    values_sha256: str = ""

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


class Tried(Strict):
    """One point of a search, and what it reached on the days before the cut; None: not trained."""

    parameters: dict[str, str | int | float | bool | None]
    value: float | None


class ExperimentRecord(Strict):
    """All variants of an experiment, scored on a share of a run's users; no release reads it.

    `live` names the variant that has the recipe of what is live, empty where nothing is; `tried`
    are the points of a search, in order.
    """

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
    live: str = ""
    tried: tuple[Tried, ...] = ()
