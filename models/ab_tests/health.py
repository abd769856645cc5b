"""Says what makes an A/B test void: then its numbers mean nothing, however good they look."""

from __future__ import annotations

from collections.abc import Iterator

from scipy.stats import chi2_contingency

from infra.ledger.ab_tests import TestState
from infra.records.ab_tests import ArmName
from infra.records.ab_verdicts import HealthCheck, TestHealth
from models.ab_tests.statistics import sample_ratio
from models.ab_tests.unit_totals import ARMS, UnitTotals

BY_CHANCE = 0.001  # below it, chance is no explanation
LEAST_OFF = 0.001  # of a share: less than this harms no verdict
MOST_IN_TWO_ARMS = 0.01
MOST_MISSING = 0.005


def check_health(
    state: TestState, totals: UnitTotals, health: TestHealth
) -> tuple[HealthCheck, ...]:
    """Check a phase; the test is void if a check fails."""
    return tuple(_checks(state, totals, health))


def _checks(state: TestState, totals: UnitTotals, health: TestHealth) -> Iterator[HealthCheck]:
    yield _sample_ratio(state, totals)
    units = sum(totals.exposed[arm].n for arm in ARMS)
    share = totals.in_two_arms / units if units else 0.0
    yield HealthCheck(
        name="two arms",
        passed=share <= MOST_IN_TWO_ARMS,
        sentence=f"{totals.in_two_arms:,} of {units:,} units ({share:.2%}) were answered by both "
        f"arms; {MOST_IN_TWO_ARMS:.0%} may be.",
    )
    yield _versions(state, health)
    yield _missing(health)


def _sample_ratio(state: TestState, totals: UnitTotals) -> HealthCheck:
    n = totals.exposed["control"].n, totals.exposed["treatment"].n
    shares = state.phase.shares
    chance = sample_ratio(n, shares)
    seen = n[1] / sum(n) if sum(n) else shares[1]
    far = chance < BY_CHANCE and abs(seen - shares[1]) >= LEAST_OFF
    by_chance = "less than once in a thousand" if chance < BY_CHANCE else f"{chance:.1%} of times"
    return HealthCheck(
        name="sample ratio",
        passed=not far,
        sentence=f"{n[0]:,} units in control and {n[1]:,} in treatment: {seen:.2%} where "
        f"{shares[1]:.2%} were configured; chance does that {by_chance}.",
    )


def _versions(state: TestState, health: TestHealth) -> HealthCheck:
    other = {arm: health.other_versions.get(arm, 0) for arm in ARMS}
    test = state.test
    own: dict[ArmName, str] = {"control": test.control.version, "treatment": test.treatment.version}
    wrong = [
        f"{arm} gave {n:,} answers by another version than {own[arm]}"
        for arm, n in other.items()
        if n
    ]
    said = "; ".join(wrong) or "each arm was answered by its own version alone"
    return HealthCheck(
        name="other versions", passed=not wrong, sentence=f"{said[0].upper()}{said[1:]}."
    )


def _share(lost: int, present: int) -> float:
    return lost / (lost + present) if lost else 0.0


def _missing(health: TestHealth) -> HealthCheck:
    """Hold the answers that are not in the log to a share, and to equal shares in both arms."""
    missing = [health.missing.get(arm, 0) for arm in ARMS]
    present = [health.answers.get(arm, 0) for arm in ARMS]
    share = max(_share(sum(missing), sum(present)), _share(health.lost, health.in_log))
    differs = False
    if sum(missing) and all(m + p for m, p in zip(missing, present, strict=True)) and sum(present):
        chance = chi2_contingency([missing, present], correction=False).pvalue
        differs = bool(chance < BY_CHANCE)
    said = f"{share:.2%} of the answers are missing in the served log; {MOST_MISSING:.1%} may be"
    uneven = f", and they differ between the arms: {missing[0]:,} and {missing[1]:,}"
    return HealthCheck(
        name="missing answers",
        passed=share <= MOST_MISSING and not differs,
        sentence=f"{said}{uneven if differs else ''}.",
    )
