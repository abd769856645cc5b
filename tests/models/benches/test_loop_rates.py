"""The bench's worlds are what they say: the lift is true, and the mornings add up."""

from __future__ import annotations

import numpy as np
import pytest

from models.ab_tests.statistics import compare, moments_of
from models.ab_tests.unit_totals import MEASURES, totals_of
from models.benches import loop_rates
from models.benches.loop_rates import (
    DAYS,
    MATURE,
    UNITS,
    _by_morning,
    columns_of,
    harm_day,
    planned_effect,
    rates,
    world_of,
)


def test_a_morning_knows_what_happened_until_then() -> None:
    _, world = world_of(np.random.default_rng(3))
    columns = columns_of(world, 0.2)
    sold = np.where(columns["conversion"], world.came + world.waits, 99.0)
    before = columns["conversion_before"]
    mornings = list(_by_morning(world.came, np.minimum(sold, 20).astype(int), before))
    assert len(mornings) == DAYS + MATURE - 1
    for day in (1, 7, 14, 20):
        here = world.came < day
        slow = np.column_stack([sold < day, before])[here].astype(float)
        expected = moments_of(("conversion", "before"), slow)
        assert mornings[day - 1].n == expected.n
        np.testing.assert_allclose(mornings[day - 1].mean, expected.mean)
        np.testing.assert_allclose(mornings[day - 1].cov, expected.cov, atol=1e-12)


def test_the_lift_of_a_world_is_the_one_it_says() -> None:
    """Of many worlds together, where chance is small; without a lift both arms are alike."""
    rng, found = np.random.default_rng(4), {0.0: [], 0.35: []}
    for _ in range(60):
        _, world = world_of(rng)
        for lift, differences in found.items():
            totals = totals_of(lambda w=world, x=lift: iter([columns_of(w, x)]))
            arms = totals.mature["control"], totals.mature["treatment"]
            compared = [compare(*arms, MEASURES[name]) for name in ("conversion", "ctr")]
            differences.append([np.log1p(each.relative) for each in compared])
    means = {lift: np.expm1(np.mean(found[lift], axis=0)) for lift in found}
    assert means[0.0] == pytest.approx([0.0, 0.0], abs=0.06)
    assert means[0.35] == pytest.approx([0.35, 0.35], abs=0.06)


def test_strong_harm_is_seen_on_some_day_and_a_win_on_none() -> None:
    _, world = world_of(np.random.default_rng(5))
    day = harm_day(world, columns_of(world, -0.8))
    assert day is not None and 1 < day < DAYS + MATURE
    assert harm_day(world, columns_of(world, 0.8)) is None
    assert 0.3 < planned_effect() < 0.4 and UNITS == 5_600


def test_a_few_repetitions_give_every_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_rates, "SRM_SALTS", 2)
    found = rates(40)
    twice = [{**rates(3), "seconds": 0.0} for _ in range(2)]
    assert twice[0] == twice[1], "a seed gives the same numbers"
    assert found["aa_false_positive"] < 0.2
    assert found["power_at_mde"] > 0.6 and found["harm_stopped_share"] > 0.5
    assert found["coverage"] > 0.88 and found["srm_caught"] > 0.8
    assert 4 < found["harm_stopped_day"] < DAYS + MATURE
