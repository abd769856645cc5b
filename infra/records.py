"""What the steps of a run write about it: small JSON records that reports and people read.

They are the only thing the gates, the models and the report page know of each other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from infra.rules import Rules

Severity = Literal["critical", "warning", "info"]


class Approval(Rules):
    """A person's decision to go on although a rule said no."""

    by: str
    at: datetime
    why: str


class Check(Rules):
    """One rule of a gate, and what it found."""

    name: str
    says: str
    why: str
    severity: Severity
    value: float | None
    min: float | None = None
    max: float | None = None
    passed: bool
    partition: str = ""


class GateRecord(Rules):
    """One gate: `stopped` if a critical rule failed, `warned` if another one did."""

    gate: str
    run: str
    at: datetime
    verdict: Literal["passed", "warned", "stopped"]
    partitions: tuple[str, ...]
    checks: tuple[Check, ...]
    approval: Approval | None = None


class Score(Rules):
    """One model on the hold-out: metric name to value."""

    name: str
    role: Literal["candidate", "champion"]
    parameters: dict[str, str | int | float | bool | None]
    metrics: dict[str, float]


class EvaluationRecord(Rules):
    """All models of a run, judged on the same users and items."""

    run: str
    at: datetime
    cut: datetime
    users: int
    items: int
    train_interactions: int
    holdout_interactions: int
    scores: tuple[Score, ...]


class Judgement(Rules):
    """One threshold of models/release.yaml and how the candidate met it.

    `limit` is for people; `bound` is the same as a number on the metric's own scale, for charts.
    """

    metric: str
    value: float | None
    limit: str
    bound: float | None = None
    passed: bool
    reason: str
    why: str


class VerdictRecord(Rules):
    """The release decision, bound to what was judged."""

    run: str
    at: datetime
    outcome: Literal["release", "reject"]
    candidate: str
    thresholds_sha256: str
    batches: tuple[str, ...]
    judgements: tuple[Judgement, ...]
    approval: Approval | None = None


class PublishRecord(Rules):
    """What went live; `number` is that of the pointer."""

    run: str
    at: datetime
    number: int
    version: str
    manifest_sha256: str
    candidate: str
    previous: str | None = None
