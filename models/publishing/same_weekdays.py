"""Holds the days after a release against the same weekdays before, with an interval."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.stats import t

ALPHA = 0.01  # people look daily, at several numbers, for two weeks
LEAST_DAYS = 2  # after: one day may be a holiday
LEAST_FREEDOM = 4  # of the days before: how much a weekday differs from its like


@dataclass(frozen=True)
class Change:
    """After against before.

    Attributes
    ----------
    before, after : float
        Geometric means over the days that were compared.
    relative, low, high : float
        Of after to before, less 1, with its 99% interval.
    days, days_before : int
    """

    before: float
    after: float
    relative: float
    low: float
    high: float
    days: int
    days_before: int


def same_weekdays(before: Mapping[date, float], after: Mapping[date, float]) -> Change | None:
    """Compare days after with the same weekdays before; None where too little is known.

    Parameters
    ----------
    before, after : mapping of date to float
        A number above 0 for each day; days without one are left out.

    Notes
    -----
    On the log scale each weekday has a level of its own, and days differ from it by chance: how
    much, the days before say. A trend is not taken out.
    """
    levels: dict[int, list[float]] = defaultdict(list)
    for day, value in before.items():
        if value > 0:
            levels[day.weekday()].append(math.log(value))
    days = [
        (day.weekday(), math.log(value))
        for day, value in after.items()
        if value > 0 and day.weekday() in levels
    ]
    freedom = sum(len(logs) - 1 for logs in levels.values())
    if len(days) < LEAST_DAYS or freedom < LEAST_FREEDOM:
        return None
    n = len(days)
    spread = sum(float(np.var(logs)) * len(logs) for logs in levels.values()) / freedom
    shares = {weekday: sum(own == weekday for own, _ in days) / n for weekday in levels}
    level = sum(share * float(np.mean(levels[w])) for w, share in shares.items())
    now = float(np.mean([log for _, log in days]))
    unsure = 1 / n + sum(share**2 / len(levels[w]) for w, share in shares.items())
    error = float(t.ppf(1 - ALPHA / 2, freedom)) * math.sqrt(spread * unsure)
    relative, low, high = (math.expm1(now - level + s * error) for s in (0, -1, 1))
    used = sum(len(levels[w]) for w, share in shares.items() if share)
    return Change(math.exp(level), math.exp(now), relative, low, high, n, used)
