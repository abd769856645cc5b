"""What the steps of a run write about it: small JSON records that reports and people read.

They are the only thing the gates, the models and the report page know of each other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from infra.rules import Rules
from infra.utc import in_utc

Severity = Literal["critical", "warning", "info"]
Example = dict[str, str | int | float | bool | None]
MOST_EXAMPLES = 3
GATE = "gate"  # who decided on a batch, where no person did
Outcome = Literal["release", "review", "reject"]


Moment = Annotated[datetime, AfterValidator(in_utc)]  # people leave the zone out


class Approval(Rules):
    """A person's decision to go on although a rule said no."""

    by: str
    at: datetime
    why: str


class BatchDecision(Rules):
    """What the gate or a person decided on a batch of events.

    `written_at` binds it to the batch as it was judged; a person who writes it by hand may leave
    that and `at` out.
    """

    decision: Literal["accepted", "stopped", "discarded"]
    by: str
    run: str | None = None
    at: Moment | None = None
    why: str | None = None
    written_at: Moment | None = None


class BatchProfile(Rules):
    """How the events of a batch are spread; later batches are compared with it.

    `written_at` binds it to the batch as it was counted. `categories` is None where no catalogue
    was known; `hours` are UTC, such as `2026-11-24T05`, of the batch's last weeks.
    """

    written_at: datetime
    event_types: dict[str, int]
    categories: dict[str, int] | None
    hours: dict[str, int]


class Check(Rules):
    """One rule of a gate, and what it found; in other runs it is the one of that gate and name.

    Attributes
    ----------
    partition : str
        What it looked at, where the gate looks at several.
    not_judged : str
        Why the rule could not be held against anything, in words; such a check did not pass, and
        it did not fail either. Empty for all others.
    examples : tuple of dict
        A few rows that break the rule: keys, ids and values, never raw text.
    """

    name: str
    says: str
    why: str
    severity: Severity
    value: float | None
    min: float | None = None
    max: float | None = None
    passed: bool
    partition: str = ""
    not_judged: str = ""
    examples: tuple[Example, ...] = Field(default=(), max_length=MOST_EXAMPLES)

    @property
    def failed(self) -> bool:
        """Tell whether the rule was held against something, and broken."""
        return not self.passed and not self.not_judged

    @model_validator(mode="after")
    def _not_both(self) -> Check:
        if self.passed and self.not_judged:
            raise ValueError("a check that was not judged did not pass")
        return self


class GateRecord(Rules):
    """One gate: `stopped` if a critical rule failed, `warned` if another one did.

    `waiting` names the batches that stay out until a person decides, by the DAG `resolve_batch`;
    `decided` is what people decided on batches since the last decision of a gate before it.
    """

    gate: str
    run: str
    at: datetime
    verdict: Literal["passed", "warned", "stopped"]
    partitions: tuple[str, ...]
    checks: tuple[Check, ...]
    waiting: tuple[str, ...] = ()
    decided: dict[str, BatchDecision] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _read_old_records(cls, found: Any) -> Any:
        """Drop a field that records had and nothing ever filled."""
        if isinstance(found, dict) and found.get("approval", ...) is None:
            return {name: value for name, value in found.items() if name != "approval"}
        return found

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        failed = sum(check.failed for check in self.checks)
        return {"verdict": self.verdict, "checks": len(self.checks), "failed": failed}


class Slice(Rules):
    """One kind of users or items; too small, it has no metrics, as nobody should judge by them."""

    name: str
    users: int
    too_small: bool
    metrics: dict[str, float] = Field(default_factory=dict)


class Comparison(Rules):
    """One metric of a model less that of another one, user by user, with a 95% interval.

    `against` is the name of a candidate, or `champion`. The verdict is `cannot tell` where the
    interval holds zero, or the difference is within the noise of training again.
    """

    metric: str
    against: str
    difference: float
    low: float
    high: float
    verdict: Literal["better", "worse", "cannot tell"]


class Score(Rules):
    """One model on the hold-out: metric name to value; the digest says which bytes were judged.

    `intervals` are the 95% intervals of some metrics over users; `noise` is what training again
    with other seeds moves ndcg_at_10 by, None if nobody measured it.
    """

    name: str
    role: Literal["candidate", "champion"]
    parameters: dict[str, str | int | float | bool | None]
    metrics: dict[str, float]
    model_sha256: str = ""
    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict)
    noise: float | None = None
    comparisons: tuple[Comparison, ...] = ()
    slices: tuple[Slice, ...] = ()


class EvaluationRecord(Rules):
    """All models of a run, judged on the same users and items.

    `champion` is the version that was live then, scored or not; `notes` say what was left out.
    `written` tells which tables they learnt from and were judged on, by when each was written.
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
    written: dict[str, str] = Field(default_factory=dict)

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        return {"models": len(self.scores), "users": self.users, "items": self.items}


class ExperimentRecord(Rules):
    """All variants of an experiment, judged on a share of a run's users; no release reads it."""

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


class Judgement(Rules):
    """One threshold of models/release.yaml and how the candidate met it.

    `limit` is for people; `bound` is the same as a number on the metric's own scale, for charts.
    `slice` names the part of the users or items that was judged; empty means all. `outcome` is
    what this threshold alone would have: the worst of all is that of the verdict.
    """

    metric: str
    value: float | None
    limit: str
    bound: float | None = None
    slice: str = ""
    result: Literal["met", "missed", "cannot tell", "not judged"]
    outcome: Outcome
    reason: str
    why: str

    @property
    def passed(self) -> bool:
        """Tell whether this threshold alone would let the model go live without a person."""
        return self.outcome == "release"


class ThresholdsFile(Rules):
    """The thresholds that judged: the hash of their bytes, and who last changed them.

    `commit` and `author` may each be `unknown`, and `commit` also `uncommitted`.
    """

    sha256: str
    commit: str
    author: str

    def facts(self) -> dict[str, str]:
        """Return them as the decision log names them."""
        return {f"thresholds_{name}": str(value) for name, value in self}


class VerdictRecord(Rules):
    """The release decision, bound to what was judged.

    `model_sha256` names the judged bytes, `champion` the live version they were held against.
    `thresholds_commit` and `thresholds_author` tell who last changed the thresholds; each may be
    `uncommitted` or `unknown`. `columns` are those of the tables that were learnt from.
    """

    run: str
    at: datetime
    outcome: Outcome
    candidate: str
    thresholds_sha256: str
    thresholds_commit: str = "unknown"
    thresholds_author: str = "unknown"
    batches: tuple[str, ...]
    judgements: tuple[Judgement, ...]
    model_sha256: str = ""
    champion: str | None = None
    columns: tuple[str, ...] = ()

    @property
    def thresholds(self) -> ThresholdsFile:
        """The thresholds that judged."""
        commit, author = self.thresholds_commit, self.thresholds_author
        return ThresholdsFile(sha256=self.thresholds_sha256, commit=commit, author=author)

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        missed = sum(not judgement.passed for judgement in self.judgements)
        return {"outcome": self.outcome, "candidate": self.candidate, "missed": missed}
