"""Records of A/B tests: how one was planned, its phases, and what a person decided.

All lie in one folder of the published store, numbered and written once, so that every server reads
the same. A number of 0 means not written yet: the ledger gives the number.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from infra.records.serving import Name, Number, Words
from infra.rules import Strict

BUCKETS = 10_000
Unit = Literal["user", "visitor"]
ArmName = Literal["control", "treatment"]
Bucket = Annotated[int, Field(ge=0, le=BUCKETS)]
Range = tuple[Bucket, Bucket]  # from the first on, and before the second
Metric = Literal["conversion", "revenue", "orders", "units", "ctr"]  # more is better
Decided = Literal["ship", "keep", "go on"]
AbOutcome = Literal["void", "too early", "harm", "ship", "keep", "cannot tell"]
METRIC_NAMES: dict[Metric, str] = {
    "conversion": "the share of customers who buy",
    "revenue": "revenue per customer",
    "orders": "the number of orders per customer",
    "units": "the number of pieces per customer",
    "ctr": "the share of seen items that are clicked",
}


class Phase(Strict):
    """A time of a test with one way to divide its units; other shares are another phase.

    Attributes
    ----------
    salt : str
        Random, and new in each phase: whoever was in an arm is not in the same one again.
    layer : Range
        The units of the test, as buckets of the layer that all tests of a placement divide.
    control, treatment : Range
        The units of each arm, as buckets by the salt.
    """

    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    layer: Range
    control: Range
    treatment: Range

    @model_validator(mode="after")
    def _arms_are_apart(self) -> Self:
        if any(first >= end for first, end in (self.layer, self.control, self.treatment)):
            raise ValueError("a range of buckets is empty")
        if self.control[1] > self.treatment[0]:
            raise ValueError("the arms share buckets")
        return self

    @property
    def shares(self) -> tuple[float, float]:
        """The shares of the test's units that control and treatment are configured to have."""
        sizes = [end - first for first, end in (self.control, self.treatment)]
        return sizes[0] / sum(sizes), sizes[1] / sum(sizes)


class Guardrail(Strict):
    """A metric that may fall by at most `margin` of its value in the control, such as 0.02."""

    metric: Metric
    margin: float = Field(gt=0, lt=1)


class Arm(Strict):
    """What an arm is answered by: a published version, frozen as long as the test goes on."""

    version: Name
    candidate: Name


class Offline(Strict):
    """The relative difference of treatment to control on the hold-out, with its 95% interval."""

    metric: str
    relative: float
    low: float
    high: float


class AbTest(Strict):
    """How a test was planned, and its first phase.

    Attributes
    ----------
    by, run : str
        Who started it, by which run of the form.
    name : str
        Chosen by people; no two tests have the same.
    placements : tuple of str
        Where it counts; everywhere else the live version answers.
    unit : str
        `user`: only requests that name a user are in the test. `visitor`: those that name a
        visitor, also when he has logged in.
    learnt_from : str
        The run whose tables both versions learnt from.
    primary : Metric
        What decides, with `guardrails`.
    days, mature_days : int
        Units count that are first exposed within `days`; each is watched for `mature_days` from
        then on. The verdict follows when both are over.
    least_effect : float
        The smallest relative difference of the primary metric worth knowing.
    planned_units : int
        Of both arms, as the plan says they are needed to tell it.
    offline : Offline or None
        What the evaluation of both had said; None where it kept too little.
    """

    number: Number = 0
    at: AwareDatetime
    by: Name
    run: str = ""
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{2,39}$")
    hypothesis: Words
    placements: tuple[Name, ...] = Field(min_length=1)
    unit: Unit
    control: Arm
    treatment: Arm
    learnt_from: str
    primary: Metric
    guardrails: tuple[Guardrail, ...] = ()
    days: int = Field(14, ge=1, le=90)
    mature_days: int = Field(7, ge=1, le=28)
    least_effect: float = Field(gt=0, lt=10)
    planned_units: int = Field(ge=1)
    phase: Phase
    offline: Offline | None = None
    reason: str = ""

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        arms = {"control": self.control.version, "treatment": self.treatment.version}
        return {"number": self.number, "name": self.name, **arms, "units": self.planned_units}


class PhaseChange(Strict):
    """Other shares of a test, from now on: a new phase, whose units are counted anew.

    Attributes
    ----------
    days_needed : int or None
        Days until the planned units of the test are exposed at this traffic, by its plan; None
        where no plan is kept.
    """

    number: Number = 0
    at: AwareDatetime
    by: Name
    run: str = ""
    changes: int = Field(ge=1)
    phase: Phase
    reason: Words
    days_needed: int | None = None


class AbDecision(Strict):
    """What a person decided on a test; all but `go on` end it.

    Attributes
    ----------
    decides : int
        The number of the test.
    verdict_sha256 : str
        Of the verdict that the person saw; empty where there was none yet.
    outcome : str or None
        What that verdict said; None where there was none, or an earlier Catwalk did not keep it.
    pointer : int
        Of `ship`: the number of the live pointer that followed; 0 otherwise.
    """

    number: Number = 0
    at: AwareDatetime
    by: Name
    run: str = ""
    decides: int = Field(ge=1)
    decision: Decided
    verdict_sha256: str = ""
    outcome: AbOutcome | None = None
    pointer: int = 0
    reason: Words

    @property
    def says_nothing(self) -> bool:
        """Whether no numbers stand behind it: the verdict was void, or there was none."""
        return not self.verdict_sha256 or self.outcome == "void"
