"""The verdict of a day on an A/B test, with every number that a page shows of it."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, Field

from infra.records.ab_tests import AbOutcome, ArmName, Metric
from infra.rules import Strict

FINAL: tuple[AbOutcome, ...] = ("ship", "keep", "cannot tell")
ByArm = dict[ArmName, int]


class ToldVerdict(Strict):
    """The newest verdict on a test that people were told of."""

    phase: int = Field(ge=1)
    outcome: AbOutcome


class TestHealth(Strict):
    """What went wrong while a phase was served.

    Attributes
    ----------
    answers : dict of str to int
        By arm, its answers in the served log.
    other_versions : dict of str to int
        Those of them that another version than the arm's own gave.
    missing : dict of str to int
        By arm, answers that are not in the log; empty where nobody can say of which arm they were.
    in_log, lost : int
        All answers of these days in the log, whatever they were for, and how many are not in it.
    """

    __test__ = False  # no test of pytest

    answers: ByArm
    other_versions: ByArm
    missing: ByArm = Field(default_factory=dict)
    in_log: int = 0
    lost: int = 0


class HealthCheck(Strict):
    """One thing that makes a test void; `sentence` says what was seen and what is allowed."""

    name: Literal["sample ratio", "two arms", "other versions", "missing answers"]
    passed: bool
    sentence: str


class MetricVerdict(Strict):
    """A metric in both arms, of the mature units alone.

    Attributes
    ----------
    role : str
        `primary` decides, a `guardrail` may not fall below minus its `margin`, and what is `shown`
        decides nothing.
    control, treatment : float or None
        Per unit, or clicks per impression, as counted; None where nothing was counted.
    relative, low, high : float or None
        The difference of treatment to control, as a share of control, with its 95% interval; less
        what the 28 days before foretell. None where nobody can tell.
    harm_high : float or None
        The upper end of the interval that holds however often somebody looks, of all units.
    finding : str
        At the horizon alone: before it, nothing is shown as won.
    """

    metric: Metric
    role: Literal["primary", "guardrail", "shown"]
    margin: float | None = None
    control: float | None
    treatment: float | None
    relative: float | None
    low: float | None
    high: float | None
    harm_high: float | None
    finding: Literal["too early", "better", "worse", "harm", "kept", "cannot tell"]


class AbVerdict(Strict):
    """What is known of a test on a day; rewritten the same day by later data alone.

    Attributes
    ----------
    test, phase : int
        The number of the test and of its phase.
    day, as_of : date, datetime
        When it was judged.
    known_until : str
        All that happened before it is counted.
    horizon : datetime
        The verdict follows then, and only harm may stop the test before.
    units, mature : dict of str to int
        Exposed units by arm, and those of them whose days are over.
    planned_units : int
        Of both arms.
    headline : str
        One sentence in plain words, for the top of a page and of a form.
    """

    test: int = Field(ge=1)
    name: str
    phase: int = Field(ge=1)
    day: date
    as_of: AwareDatetime
    known_until: str = ""
    horizon: AwareDatetime
    outcome: AbOutcome
    headline: str
    units: ByArm
    mature: ByArm
    planned_units: int
    metrics: tuple[MetricVerdict, ...]
    health: tuple[HealthCheck, ...]

    @property
    def primary(self) -> MetricVerdict:
        """The metric that decides."""
        return next(metric for metric in self.metrics if metric.role == "primary")
