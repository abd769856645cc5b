"""The statistics equal those of an independent library, and hold in simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tea_tasting
from tea_tasting.aggr import Aggregates

from models.ab_tests.statistics import (
    Measure,
    Moments,
    cap_of,
    compare,
    moments_of,
    sample_ratio,
)

COLUMNS = ("revenue", "clicks", "seen", "revenue_before", "clicks_before", "seen_before")
MEASURES = {
    "mean": (Measure("revenue"), tea_tasting.Mean("revenue")),
    "ratio": (Measure("clicks", "seen"), tea_tasting.RatioOfMeans("clicks", "seen")),
    "cuped": (
        Measure("revenue", before="revenue_before"),
        tea_tasting.Mean("revenue", covariate="revenue_before"),
    ),
    "cuped of a ratio": (
        Measure("clicks", "seen", "clicks_before", "seen_before"),
        tea_tasting.RatioOfMeans(
            "clicks", "seen", numer_covariate="clicks_before", denom_covariate="seen_before"
        ),
    ),
    "cuped of a ratio by a mean": (
        Measure("clicks", "seen", "revenue_before"),
        tea_tasting.RatioOfMeans("clicks", "seen", numer_covariate="revenue_before"),
    ),
}


def units(n: int, seed: int, lift: float = 1.0) -> np.ndarray[Any, Any]:
    """Return units whose days before foretell the days of the test."""
    rng = np.random.default_rng(seed)
    taste = rng.gamma(2, 1, n)
    seen, seen_before = 1 + rng.poisson(9 * taste), rng.poisson(9 * taste)
    rates = np.minimum(0.9, 0.03 * taste * lift), np.minimum(0.9, 0.03 * taste)
    clicks, clicks_before = rng.binomial(seen, rates[0]), rng.binomial(seen_before, rates[1])
    buys, bought = (rng.random(n) < rate for rate in rates)
    prices = rng.exponential(40, (2, n))
    return np.column_stack(
        [buys * prices[0], clicks, seen, bought * prices[1], clicks_before, seen_before]
    ).astype(float)


def aggregates(arm: Moments) -> Aggregates:
    names = range(len(COLUMNS))
    return Aggregates(
        arm.n,
        {COLUMNS[i]: float(arm.mean[i]) for i in names},
        {COLUMNS[i]: float(arm.cov[i, i]) for i in names},
        {(COLUMNS[i], COLUMNS[j]): float(arm.cov[i, j]) for i in names for j in names if i != j},
    )


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("sizes", [(4_000, 4_000), (900, 100), (20_000, 1_500)])
def test_every_number_is_that_of_tea_tasting(name: str, sizes: tuple[int, int]) -> None:
    measure, oracle = MEASURES[name]
    control, treatment = (
        moments_of(COLUMNS, units(n, seed, lift))
        for n, seed, lift in zip(sizes, (1, 2), (1.0, 1.2), strict=True)
    )
    mine = compare(control, treatment, measure)
    theirs = oracle.analyze_aggregates(aggregates(control), aggregates(treatment))
    assert (mine.control, mine.treatment, mine.relative, *mine.interval()) == pytest.approx(
        (
            theirs.control,
            theirs.treatment,
            theirs.rel_effect_size,
            theirs.rel_effect_size_ci_lower,
            theirs.rel_effect_size_ci_upper,
        ),
        rel=1e-10,
        abs=1e-10,
    )


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_the_sample_ratio_is_that_of_tea_tasting(share: float) -> None:
    seen = (4_820, 5_180) if share == 0.5 else (8_950, 1_050)
    oracle = tea_tasting.SampleRatio(ratio=share / (1 - share), method="norm", correction=False)
    theirs = oracle.analyze({arm: Aggregates(n) for arm, n in enumerate(seen)}, 0, 1)
    assert sample_ratio(seen, (1 - share, share)) == pytest.approx(theirs.pvalue, rel=1e-10)
    assert sample_ratio((0, 0), (0.5, 0.5)) == 1


def test_moments_of_parts_add_up_to_those_of_the_whole() -> None:
    every = units(1_001, 3)
    whole = moments_of(COLUMNS, every)
    parts = (every[:500], every[500:500], every[500:501], every[501:])
    total = moments_of(COLUMNS, every[:0])
    for part in parts:
        total = total + moments_of(COLUMNS, part)
    assert total.n == whole.n
    np.testing.assert_allclose(total.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(total.cov, whole.cov, rtol=1e-10)


def test_the_days_before_make_the_interval_narrower() -> None:
    control, treatment = (moments_of(COLUMNS, units(5_000, seed)) for seed in (4, 5))
    plain = compare(control, treatment, Measure("clicks", "seen"))
    cuped = compare(control, treatment, MEASURES["cuped of a ratio"][0])
    assert cuped.error < 0.97 * plain.error


def test_what_nobody_can_tell_has_no_interval() -> None:
    nobody = moments_of(COLUMNS, np.zeros((0, 6)))
    idle = moments_of(COLUMNS, np.zeros((50, 6)))
    some = moments_of(COLUMNS, units(50, 6))
    for arms in ((nobody, nobody), (idle, some), (some, idle), (nobody, some)):
        for measure, _ in MEASURES.values():
            assert all(map(math.isnan, compare(*arms, measure).interval()))


def test_of_two_units_almost_everything_may_be_true() -> None:
    control, treatment = (
        moments_of(("buys",), np.array([[1.0], [0.0]]) * scale) for scale in (1.0, 3.0)
    )
    compared = compare(control, treatment, Measure("buys"))
    assert compared.always_valid(10**9) == (-1, math.inf)
    low, high = compared.interval()
    assert -1 <= low < 0 < high


def test_the_cap_is_a_quantile_of_those_who_spent() -> None:
    spent = np.arange(1.0, 1_002.0)
    assert cap_of(np.concatenate([spent, np.zeros(9_000)])) == 1_000
    assert cap_of(np.zeros(5)) == math.inf
    assert cap_of(np.array([0, 7, 9, 1e9])) == 9, "also of few, so that one order decides nothing"


def test_intervals_hold_the_truth_and_always_valid_ones_on_every_day() -> None:
    """The truth is known: both arms are the same. A thousand tests of 14 days with a look a day."""
    rng = np.random.default_rng(7)
    days, tests, a_day = 14, 1_000, 300
    outside = always_outside = any_day_outside = 0
    for _ in range(tests):
        arms = [(rng.random(days * a_day) < 0.05)[:, None].astype(float) for _ in range(2)]
        looks = [
            [moments_of(("buys",), arm[: day * a_day]) for arm in arms] for day in range(1, 15)
        ]
        compared = [compare(*look, Measure("buys")) for look in looks]
        low, high = compared[-1].interval()
        outside += not low <= 0 <= high
        naive = [each.interval() for each in compared]
        any_day_outside += any(not low <= 0 <= high for low, high in naive)
        always = [each.always_valid(2 * days * a_day) for each in compared]
        always_outside += any(not low <= 0 <= high for low, high in always)
    assert 0.035 < outside / tests < 0.065
    assert any_day_outside / tests > 0.15, "daily looks at the plain interval deceive"
    assert always_outside / tests < 0.02
