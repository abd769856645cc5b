"""Compares the two arms of an A/B test by n, means and covariances alone.

Means by Welch, ratios by the delta method, both less what the days before foretell (CUPED, Deng et
al. 2013) with one theta for both arms. `tea-tasting` is the oracle of the tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, t

ALPHA = 0.05
_MOST_POWER = 700.0
CAPPED_ABOVE = 0.999  # quantile of the units that are not zero
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Totals of the units of an arm.

    Attributes
    ----------
    columns : tuple of str
        What was counted for each unit.
    n : int
        Units.
    mean : array of (columns,)
    cov : array of (columns, columns)
        Sample covariances, divided by n - 1; 0 for fewer than two units.
    """

    columns: tuple[str, ...]
    n: int
    mean: Floats
    cov: Floats

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of all units of both (Chan et al. 1979)."""
        if not (self.n and other.n):
            return self if self.n else other
        n, apart = self.n + other.n, other.mean - self.mean
        scatter = self.cov * (self.n - 1) + other.cov * (other.n - 1)
        scatter = scatter + np.outer(apart, apart) * (self.n * other.n / n)
        return Moments(self.columns, n, self.mean + apart * (other.n / n), scatter / (n - 1))


def moments_of(columns: tuple[str, ...], values: Floats) -> Moments:
    """Return the moments of units, a row each; of no units all are 0."""
    n, width = values.shape
    if n < 2:
        mean = values[0] if n else np.zeros(width)
        return Moments(columns, n, mean.astype(np.float64), np.zeros((width, width)))
    return Moments(columns, n, values.mean(axis=0), np.atleast_2d(np.cov(values, rowvar=False)))


@dataclass(frozen=True)
class Measure:
    """What is compared: the mean of a column, or the ratio of two means.

    Attributes
    ----------
    column, by : str
        What is divided by what; "" divides by the units.
    before, before_by : str
        The same of the days before, or what else foretells it; "" foretells nothing.
    """

    column: str
    by: str = ""
    before: str = ""
    before_by: str = ""

    def value(self, arm: Moments) -> float:
        """Return the mean or the ratio; NaN where there is nothing to divide by."""
        return _ratio(arm, self.column, self.by)[0]


@dataclass(frozen=True)
class Compared:
    """Treatment against control.

    Attributes
    ----------
    control, treatment : float
        The values, less what the days before foretell.
    relative : float
        Of treatment to control, less 1; NaN where a value is not above 0.
    error : float
        The standard error of ln(treatment / control).
    freedom : float
        Degrees of freedom of that error (Welch).
    n : int
        Units of both arms.
    """

    control: float
    treatment: float
    relative: float
    error: float
    freedom: float
    n: int

    def interval(self) -> tuple[float, float]:
        """Return the 95% interval of the relative difference; NaN twice where nobody can tell."""
        return self._around(float(t.ppf(1 - ALPHA / 2, self.freedom)))

    def always_valid(self, planned: int) -> tuple[float, float]:
        """Return an interval that holds on all days at once, however often somebody looks.

        Parameters
        ----------
        planned : int
            Units of both arms as planned before the start, where it is narrowest.

        Notes
        -----
        The asymptotic confidence sequence of Waudby-Smith et al. (arXiv 2103.06476).
        """
        log = -2 * math.log(ALPHA)
        scaled = self.n * (log + math.log(1 + log)) / planned
        width = 2 * (scaled + 1) / scaled * math.log(math.sqrt(scaled + 1) / ALPHA)
        return self._around(math.sqrt(width))

    def _around(self, errors: float) -> tuple[float, float]:
        low, high = ((1 + self.relative) * _exp(s * errors * self.error) - 1 for s in (-1, 1))
        return low, high


def compare(control: Moments, treatment: Moments, measure: Measure) -> Compared:
    """Compare two arms by a measure; what nobody can tell is NaN."""
    both = control + treatment
    theta, before = _theta(both, measure), _ratio(both, measure.before, measure.before_by)[0]
    first, second = (_less_before(arm, measure, theta, before) for arm in (control, treatment))
    (a, variance_a), (b, variance_b) = first, second
    if not (a > 0 and b > 0 and min(control.n, treatment.n) > 1):
        return Compared(a, b, math.nan, math.nan, math.nan, both.n)
    parts = variance_a / control.n / a**2, variance_b / treatment.n / b**2
    total = sum(parts)
    if not total > 0:
        return Compared(a, b, math.nan, math.nan, math.nan, both.n)
    freedom = total**2 / (parts[0] ** 2 / (control.n - 1) + parts[1] ** 2 / (treatment.n - 1))
    return Compared(a, b, b / a - 1, math.sqrt(total), freedom, both.n)


def unit_spread(arm: Moments, measure: Measure) -> tuple[float, float]:
    """Return the value of an arm, and the variance of one unit."""
    return _less_before(arm, measure, 0.0, 0.0)


def sample_ratio(n: tuple[int, int], shares: tuple[float, float]) -> float:
    """Return the probability of units so far from the configured shares, or further, by chance."""
    total = sum(n)
    if not total:
        return 1.0
    expected = [total * share for share in shares]
    distance = sum((seen - e) ** 2 / e for seen, e in zip(n, expected, strict=True))
    return float(chi2.sf(distance, len(n) - 1))


def cap_of(values: Floats) -> float:
    """Return what values are capped at, from the units of both arms; infinite of no buyers."""
    spent = values[values != 0]
    if not len(spent):
        return math.inf
    return float(np.quantile(spent, CAPPED_ABOVE, method="lower"))  # of few: the second largest


def _exp(power: float) -> float:
    """Return e to a power; infinite where a number has no room for it: two units, one purchase."""
    return math.exp(power) if power < _MOST_POWER else math.inf


def _ratio(arm: Moments, column: str, by: str) -> tuple[float, Floats]:
    """Return a ratio of means and its gradient by the means; a column "" is constantly 1."""
    gradient = np.zeros(len(arm.columns))
    if not column:
        return 1.0, gradient
    top = float(arm.mean[arm.columns.index(column)])
    bottom = float(arm.mean[arm.columns.index(by)]) if by else 1.0
    if not bottom:
        return math.nan, gradient
    gradient[arm.columns.index(column)] = 1 / bottom
    if by:
        gradient[arm.columns.index(by)] = -top / bottom**2
    return top / bottom, gradient


def _theta(both: Moments, measure: Measure) -> float:
    """Return how much of the days before is subtracted; 0 where they foretell nothing."""
    before, now = (
        _ratio(both, *names)[1]
        for names in ((measure.before, measure.before_by), (measure.column, measure.by))
    )
    spread = float(before @ both.cov @ before)
    return float(now @ both.cov @ before) / spread if spread > 0 else 0.0


def _less_before(
    arm: Moments, measure: Measure, theta: float, before: float
) -> tuple[float, float]:
    """Return the value of an arm and the variance of one unit, less what the days before tell."""
    value, gradient = _ratio(arm, measure.column, measure.by)
    if theta:
        own, of_before = _ratio(arm, measure.before, measure.before_by)
        value, gradient = value - theta * (own - before), gradient - theta * of_before
    return value, float(gradient @ arm.cov @ gradient)
