"""A fall is told where chance does not explain it, and weekdays are held against their like."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from models.publishing.same_weekdays import same_weekdays

RELEASE = date(2026, 11, 2)  # a Monday
WEEK = np.array([1.0, 1.0, 1.1, 1.2, 1.5, 2.0, 1.8])
Days = dict[date, float]


def shop(
    rng: np.random.Generator, lift: float = 0.0, noise: float = 0.05, days: int = 14
) -> tuple[Days, Days]:
    """Return four weeks before and some days after, in which weekdays differ much."""

    def value(offset: int) -> float:
        more = 1 + lift if offset >= 0 else 1
        return float(0.03 * WEEK[offset % 7] * more * np.exp(noise * rng.normal()))

    before = {RELEASE + timedelta(days=o): value(o) for o in range(-28, 0)}
    return before, {RELEASE + timedelta(days=o): value(o) for o in range(days)}


def test_a_change_without_chance_is_what_it_is() -> None:
    rng = np.random.default_rng(1)
    change = same_weekdays(*shop(rng, lift=-0.2, noise=1e-6, days=5))
    assert change is not None
    assert change.relative == pytest.approx(-0.2, abs=1e-4)
    assert change.low < change.relative < change.high < 0
    assert (change.days, change.days_before) == (5, 20), "five weekdays, four times each"
    assert change.after / change.before == pytest.approx(0.8, abs=1e-4)


def test_the_interval_is_that_of_a_regression_on_weekdays() -> None:
    """The slow, obvious way: a level of each weekday by least squares, its error by hand."""
    before, after = shop(np.random.default_rng(2), days=9)
    change = same_weekdays(before, after)
    assert change is not None
    own = {w: [np.log(v) for d, v in before.items() if d.weekday() == w] for w in range(7)}
    rest = np.concatenate([np.array(logs) - np.mean(logs) for logs in own.values()])
    spread = (rest**2).sum() / 21
    after_days = [d.weekday() for d in after]
    mean = np.mean([np.log(v) for v in after.values()]) - np.mean(
        [np.mean(own[w]) for w in after_days]
    )
    counts = np.bincount(after_days, minlength=7) / 9
    error = 2.83136 * np.sqrt(spread * (1 / 9 + (counts**2 / 4).sum()))  # t of 21, 99.5%
    assert np.log1p(change.high) - np.log1p(change.low) == pytest.approx(2 * error, rel=1e-4)
    assert np.log1p(change.relative) == pytest.approx(mean)


def test_false_alarms_are_rare_though_somebody_looks_every_day_and_falls_are_seen() -> None:
    rng, alarms, seen, tries = np.random.default_rng(3), 0, 0, 400
    for _ in range(tries):
        for lift in (0.0, -0.15):
            before, after = shop(rng, lift)
            looks = (dict(list(after.items())[:day]) for day in range(1, 15))
            changes = [same_weekdays(before, look) for look in looks]
            fell = any(change is not None and change.high < 0 for change in changes)
            alarms, seen = alarms + (fell and lift == 0), seen + (fell and lift < 0)
    assert alarms / tries < 0.03
    assert seen / tries > 0.99


def test_too_little_is_no_comparison() -> None:
    before, after = shop(np.random.default_rng(4))
    monday = {RELEASE: after[RELEASE]}
    assert same_weekdays(before, monday) is None, "one day may be a holiday"
    assert same_weekdays({}, after) is None
    week = dict(list(before.items())[-7:])
    assert same_weekdays(week, after) is None, "nobody knows how much a weekday varies"
    assert same_weekdays(before, dict.fromkeys(after, 0.0)) is None
