"""Judges an A/B test from the totals of its arms: a pure function of the plan and the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from infra.ledger.ab_tests import TestState
from infra.records.ab_tests import AbOutcome, Metric
from infra.records.ab_verdicts import AbVerdict, HealthCheck, MetricVerdict, TestHealth
from models.ab_tests.headline import headline
from models.ab_tests.health import check_health
from models.ab_tests.statistics import compare
from models.ab_tests.unit_totals import ARMS, MEASURES, UnitTotals

Role = Literal["primary", "guardrail", "shown"]


def judge_ab_test(
    state: TestState, totals: UnitTotals, health: TestHealth, as_of: datetime
) -> AbVerdict:
    """Judge the current phase of a test.

    Before the horizon nothing is shown as won: only a harm that no chance explains, however often
    somebody looks, is told. At the horizon, treatment ships if the primary metric is surely better
    and every guardrail surely above minus its margin; control is kept if the primary is surely
    worse or a guardrail surely below. A horizon whose last days are not complete is not reached.
    """
    checks = check_health(state, totals, health)
    over = as_of >= state.horizon and not _immature(totals)
    metrics = tuple(_metrics(state, totals, over))
    outcome = _outcome(metrics, checks, over)
    verdict = AbVerdict(
        test=state.test.number,
        name=state.test.name,
        phase=state.phase_number,
        day=as_of.date(),
        as_of=as_of,
        known_until=totals.known_until,
        horizon=state.horizon,
        outcome=outcome,
        headline="",
        units={arm: totals.exposed[arm].n for arm in ARMS},
        mature={arm: totals.mature[arm].n for arm in ARMS},
        planned_units=state.test.planned_units,
        metrics=metrics,
        health=checks,
    )
    return verdict.model_copy(update={"headline": headline(verdict, state.test)})


def _immature(totals: UnitTotals) -> int:
    return sum(totals.exposed[arm].n - totals.mature[arm].n for arm in ARMS)


def _metrics(state: TestState, totals: UnitTotals, over: bool) -> Iterator[MetricVerdict]:
    test = state.test
    yield _metric(state, totals, over, test.primary, "primary", None)
    for guardrail in test.guardrails:
        yield _metric(state, totals, over, guardrail.metric, "guardrail", guardrail.margin)
    decide = {test.primary, *(guardrail.metric for guardrail in test.guardrails)}
    for metric in MEASURES:
        if metric not in decide:
            yield _metric(state, totals, over, metric, "shown", None)


def _metric(
    state: TestState,
    totals: UnitTotals,
    over: bool,
    metric: Metric,
    role: Role,
    margin: float | None,
) -> MetricVerdict:
    measure, mature = MEASURES[metric], totals.mature
    compared = compare(mature["control"], mature["treatment"], measure)
    low, high = compared.interval()
    so_far = compare(totals.exposed["control"], totals.exposed["treatment"], measure)
    always = so_far.always_valid(max(state.test.planned_units, 1))[1] if so_far.n else math.nan
    numbers = {
        "control": _known(measure.value(mature["control"])),
        "treatment": _known(measure.value(mature["treatment"])),
        "relative": _known(compared.relative),
        "low": _known(low),
        "high": _known(high),
        "harm_high": _known(always),
    }
    made = MetricVerdict(metric=metric, role=role, margin=margin, finding="too early", **numbers)
    return made.model_copy(update={"finding": _finding(made, over)})


def _finding(
    made: MetricVerdict, over: bool
) -> Literal["too early", "better", "worse", "harm", "kept", "cannot tell"]:
    """Say what the interval says; a guardrail is held to minus its margin, all else to 0."""
    floor = -(made.margin or 0.0)
    if not over:
        harmed = made.role != "shown" and made.harm_high is not None and made.harm_high < floor
        return "harm" if harmed else "too early"
    if made.low is None or made.high is None:
        return "cannot tell"
    if made.high < floor:
        return "worse"
    if made.low > floor:
        return "kept" if made.role == "guardrail" else "better"
    return "cannot tell"


def _outcome(
    metrics: Sequence[MetricVerdict], checks: Sequence[HealthCheck], over: bool
) -> AbOutcome:
    if not all(check.passed for check in checks):
        return "void"
    primary = next(metric.finding for metric in metrics if metric.role == "primary")
    guardrails = {metric.finding for metric in metrics if metric.role == "guardrail"}
    deciding = {primary, *guardrails}
    if not over:
        return "harm" if "harm" in deciding else "too early"
    if "worse" in deciding:
        return "keep"
    wins = primary == "better" and guardrails <= {"kept"}
    return "ship" if wins else "cannot tell"


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
