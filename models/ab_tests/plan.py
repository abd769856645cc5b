"""Says before an A/B test starts how many units it needs, and how many days that takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from infra.errors import InputError
from infra.records.ab_tests import Metric
from models.ab_tests.sample_size import units_needed

# How far order values spread around their mean, in means, where nobody has measured it.
SPREAD: dict[Metric, float] = {"conversion": 0.0, "revenue": 1.0, "orders": 0.5, "units": 1.0}
SEEN = 10.0  # items of the placements that a unit sees, where nobody has measured it
BY_WORD = "as the form says"


@dataclass(frozen=True)
class Today:
    """The traffic and the primary metric as they are before a test.

    Attributes
    ----------
    units_a_day : float
        Units seen for the first time, a day, in the placements of the test; all traffic.
    mean, variance : float
        Of the metric, per unit. Of clicks per impression the variance is that of the ratio for
        one unit.
    source : str
        Who says so: a test that measured it, or `BY_WORD`.
    """

    units_a_day: float
    mean: float
    variance: float
    source: str = BY_WORD


@dataclass(frozen=True)
class Plan:
    """What a test needs.

    Attributes
    ----------
    units : int
        Of both arms; `AbTest.planned_units`.
    control, treatment : int
        The same of each.
    days_needed : int
        Days until so many were exposed.
    detects : float
        The smallest relative difference that the days of the form suffice for.
    sentence : str
        All of it, for the person who starts it.
    """

    units: int
    control: int
    treatment: int
    days_needed: int
    detects: float
    sentence: str


def plan(
    today: Today,
    metric: Metric,
    least_effect: float,
    days: int,
    traffic: float,
    shares: tuple[float, float],
    all_the_same: str = "",
) -> Plan:
    """Plan a test that sees a true difference of `least_effect` in four cases of five.

    Parameters
    ----------
    least_effect : float
        Relative, such as 0.05.
    days : int
        In which units are exposed for the first time.
    traffic : float
        The share of all units that are in the test.
    shares : tuple of float
        Of control and treatment, as `Phase.shares`.
    all_the_same : str
        Why a test is started that cannot tell so small a difference; "" refuses it.

    Raises
    ------
    InputError
        There is no traffic or no value to plan with, or the days do not suffice and nobody says
        why it shall start all the same.
    """
    variances = today.variance, _after(today, metric, least_effect)
    difference = least_effect * today.mean
    control, treatment = units_needed(variances, difference, shares)
    a_day = today.units_a_day * traffic
    if not a_day > 0:
        raise InputError("No unit a day comes to these placements.", "Name other placements.")
    units = control + treatment
    days_needed = math.ceil(units / a_day)
    detects = least_effect * math.sqrt(units / (a_day * days))
    sentence = (
        f"It needs {units:,} units to see a difference of {least_effect:.1%}. At {a_day:,.0f} new "
        f"units a day ({today.source}) that takes {days_needed:,} days; {days} days suffice for "
        f"a difference of {detects:.1%} or more."
    )
    if days_needed > days and len(all_the_same.strip()) < 3:
        raise InputError(
            sentence, "Give it more days, more traffic or a larger effect, or say why all the same."
        )
    return Plan(units, control, treatment, days_needed, detects, sentence)


def today_by_word(metric: Metric, units_a_day: float, share: float) -> Today:
    """Return what is planned with where no test has measured it.

    Parameters
    ----------
    share : float
        Of `ctr` the clicks per impression; of all other metrics the share of units who buy within
        the days each is watched. Both lie between 0 and 1.
    """
    if not 0 < share < 1:
        raise InputError(
            f"{share:g} is no share to plan with.", "Write the share of today, such as 0.03."
        )
    if metric == "ctr":  # visits differ, so the ratio varies twice as much as single throws
        return Today(units_a_day, share, 2 * share * (1 - share) / SEEN)
    squared = (1 + SPREAD[metric] ** 2) / share  # the mean square, where units spend 1 on average
    return (
        Today(units_a_day, 1.0, squared - 1)
        if metric != "conversion"
        else Today(units_a_day, share, share * (1 - share))
    )


def today_of(by_arm: Sequence[tuple[int, float, float]], units_a_day: float, source: str) -> Today:
    """Return what a test has measured, from the units, mean and variance of each of its arms."""
    units = sum(n for n, _, _ in by_arm)
    mean = sum(n * mean for n, mean, _ in by_arm) / units
    variance = sum(n * variance for n, _, variance in by_arm) / units
    return Today(units_a_day, mean, variance, source)


def _after(today: Today, metric: Metric, effect: float) -> float:
    """Return the variance of treatment, if the effect is true."""
    if metric != "conversion":
        return today.variance
    mean = today.mean * (1 + effect)
    if mean >= 1:
        raise InputError(
            f"{today.mean:.1%} cannot rise by {effect:.0%}.", "Plan with a smaller effect."
        )
    return mean * (1 - mean)
