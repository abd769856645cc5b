"""A plan says how many units and days a test needs, and refuses what cannot be known in time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infra.errors import InputError
from infra.records.ab_tests import Metric
from models.ab_tests.plan import Plan, Today, plan, today_by_word, today_of
from models.ab_tests.sample_size import units_needed

HALVES = (0.5, 0.5)
THREE_PERCENT = today_by_word("conversion", 10_000, 0.03)


def planned(
    today: Today = THREE_PERCENT, effect: float = 0.1, days: int = 14, why: str = ""
) -> Plan:
    return plan(today, "conversion", effect, days, 1.0, HALVES, why)


@pytest.mark.parametrize(
    ("share", "effect", "each"), [(0.03, 0.05, 207_936), (0.03, 0.1, 53_208), (0.05, 0.05, 122_121)]
)
def test_units_are_those_of_the_formula(share: float, effect: float, each: int) -> None:
    made = planned(today_by_word("conversion", 1e6, share), effect)
    assert (made.control, made.treatment) == pytest.approx((each, each), abs=1)
    assert made.units == made.control + made.treatment


def test_an_unequal_split_needs_more_units() -> None:
    halves = sum(units_needed((1.0, 1.0), 0.1, HALVES))
    control, treatment = units_needed((1.0, 1.0), 0.1, (0.9, 0.1))
    assert control / treatment == pytest.approx(9, rel=0.01)
    assert (control + treatment) / halves == pytest.approx(0.25 / 0.09, rel=0.01)


def test_a_plan_says_how_long_it_takes_and_what_the_days_suffice_for() -> None:
    made = planned()
    assert made.days_needed == 11
    assert made.detects == pytest.approx(0.1 * np.sqrt(made.units / 140_000))
    assert "106,416 units to see a difference of 10.0%" in made.sentence
    assert "takes 11 days; 14 days suffice for a difference of 8.7% or more" in made.sentence
    half = plan(THREE_PERCENT, "conversion", 0.1, 30, 0.5, HALVES)
    assert half.days_needed == 22, "half of the traffic takes twice as long"


def test_what_cannot_be_known_in_time_needs_a_reason() -> None:
    with pytest.raises(InputError, match="takes 42 days.*say why all the same"):
        planned(effect=0.05)
    assert planned(effect=0.05, why="Harm alone matters").days_needed == 42
    with pytest.raises(InputError, match="No unit a day"):
        planned(replace(THREE_PERCENT, units_a_day=0))
    with pytest.raises(InputError, match="metric that is 0"):
        planned(replace(THREE_PERCENT, mean=0.0, variance=0.0))
    with pytest.raises(InputError, match="90.0% cannot rise by 20%"):
        planned(today_by_word("conversion", 1e6, 0.9), 0.2)
    with pytest.raises(InputError, match="3 is no share"):
        today_by_word("conversion", 1e6, 3)


@pytest.mark.parametrize("metric", ["revenue", "orders", "units", "ctr"])
def test_a_word_on_the_share_of_buyers_is_enough_for_every_metric(metric: Metric) -> None:
    today = today_by_word(metric, 1_000, 0.03)
    alone = sum(units_needed((today.variance,) * 2, 0.1 * today.mean, HALVES))
    if metric == "ctr":
        assert 10_000 < alone < 106_416
    else:
        assert 106_416 < alone < 3 * 106_416, "baskets differ, which makes it harder"


def test_revenue_by_word_varies_as_that_of_such_a_shop() -> None:
    rng = np.random.default_rng(5)
    spent = (rng.random(400_000) < 0.03) * rng.exponential(50, 400_000)
    today = today_by_word("revenue", 1_000, 0.03)
    assert spent.var() / spent.mean() ** 2 == pytest.approx(today.variance, rel=0.05)


def test_what_a_test_has_measured_is_weighted_by_its_units() -> None:
    today = today_of([(100, 1.0, 4.0), (300, 2.0, 8.0)], 50, "the test x")
    assert (today.mean, today.variance, today.source) == (1.75, 7.0, "the test x")
