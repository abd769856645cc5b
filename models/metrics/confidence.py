"""Says how sure a number is: intervals over users, and findings of comparisons.

Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13 (percentiles);
T. Sakai, Evaluating Evaluation Metrics based on the Bootstrap, 2006 (pairs of rankings);
J. P. Romano, M. Wolf, Exact and approximate stepdown methods for multiple hypothesis testing, 2005
(the largest t of several comparisons); G. Piaggio et al., Reporting of noninferiority trials, 2012.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from infra.records.evaluation import Finding
from models.metrics.noise import NOTHING, Added, freedom, of_both
from models.metrics.ranking import Values

RESAMPLES = 1_000  # of all users, about 1 s a model for 100,000 users
LEVEL = (2.5, 97.5)  # percentiles of a 95% interval
TWO_SIDED = 1.96  # standard errors of a 95% interval
SHOWS = 2.8  # standard errors of a difference that four of five hold-outs of this size show
UNKNOWN = 1.0  # the variance of the mean of one user's metric cannot be told: the whole scale


def resampled_means(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Average columns over users drawn with replacement, the same users for every column.

    Parameters
    ----------
    values : array of float64, shape (n_users, m)
        n_users is at least 1.

    Returns
    -------
    array of float64, shape (RESAMPLES, m)
    """
    random = np.random.default_rng(seed)
    amount = len(values)
    means = np.empty((RESAMPLES, values.shape[1]))
    for row in range(RESAMPLES):
        times = np.bincount(random.integers(0, amount, amount), minlength=amount)
        means[row] = times @ values / amount
    return means


def intervals(values: Mapping[str, Values], seed: int) -> dict[str, tuple[float, float]]:
    """Return the 95% interval of each mean over users.

    Examples
    --------
    >>> intervals({"hit_rate_at_10": np.ones(9)}, seed=1)
    {'hit_rate_at_10': (1.0, 1.0)}
    """
    means = resampled_means(np.column_stack(list(values.values())), seed)
    low, high = np.percentile(means, LEVEL, axis=0)
    return {name: (float(low[place]), float(high[place])) for place, name in enumerate(values)}


@dataclass(frozen=True)
class Sample:
    """Values of several models on the same users, and their means over resampled users.

    Attributes
    ----------
    values : dict of str to array of float64, shape (n_users,)
        By the name of the model.
    means : dict of str to array of float64, shape (RESAMPLES,)
        The same resampled users for every model: any drop from any rival follows from them.
    """

    values: Mapping[str, Values]
    means: Mapping[str, Values]


def sample(values: Mapping[str, Values], seed: int) -> Sample:
    """Resample the users of a run once, for every comparison of one metric."""
    means = resampled_means(np.column_stack(list(values.values())), seed)
    return Sample(values, {name: means[:, place] for place, name in enumerate(values)})


@dataclass(frozen=True)
class Margin:
    """How far the mean of a model is above `kept` times that of its rival.

    Attributes
    ----------
    middle, low, high : float
        With its 95% interval, which holds for all compared models at once.
    error : float
        The standard error, training again included.
    finding : str
        `better` if the interval is above 0, `worse` if it is below 0.
    known : bool
        Whether what training again does is known; else the interval is over users alone, and may
        say worse, never better.
    """

    middle: float
    low: float
    high: float
    error: float
    known: bool = True

    @property
    def finding(self) -> Finding:
        """Say better or worse only where the interval excludes 0.

        >>> Margin(2.0, 1.0, 3.0, 0.5).finding, Margin(2.0, 1.0, 3.0, 0.5, known=False).finding
        ('better', 'cannot tell')
        >>> Margin(-2.0, -3.0, -1.0, 0.5, known=False).finding, Margin(0.0, -1.0, 1.0, 0.5).finding
        ('worse', 'cannot tell')
        """
        if self.high < 0:
            return "worse"
        return "better" if self.low > 0 and self.known else "cannot tell"


def margins(
    sample: Sample,
    names: Sequence[str],
    rival: str,
    kept: float,
    noise: Mapping[str, Added | None],
) -> dict[str, Margin]:
    """Compare models with `kept` times a rival, user by user, all at once.

    Parameters
    ----------
    names : sequence of str
        The models that are compared, without the rival: the best of them is lucky, so the more
        there are, the wider are their intervals.
    kept : float
        1 asks whether a model is better; 0.9 whether it keeps nine tenths.
    noise : mapping of str to Added or None
        What training again adds, by the name of the model and of the rival; None is unknown.

    Examples
    --------
    >>> users = np.tile([0.0, 1.0], 200)
    >>> noise = {"mine": NOTHING, "live": NOTHING}
    >>> found = margins(sample({"mine": users, "live": users}, 1), ["mine"], "live", 0.9, noise)
    >>> found["mine"].finding, round(found["mine"].middle, 3)
    ('better', 0.05)
    """
    pairs = {name: _pair(sample, name, rival, kept) for name in names}
    distances = np.array([np.abs(pair.resampled) for pair in pairs.values()])
    largest = float(np.quantile(distances.max(axis=0), 0.95)) if pairs else TWO_SIDED
    users = len(sample.values[rival])
    return {
        name: _margin(pair, users, _noise(sample, name, rival, kept, noise), largest)
        for name, pair in pairs.items()
    }


def widened(middle: float, error: float, users: int, noise: Added | None) -> Margin:
    """Return the margin of one comparison of which only the error over users was written down."""
    return _margin(_Pair(middle, error, np.zeros(0)), users, noise, TWO_SIDED)


def least_drop(margin: Margin, rival: float) -> float:
    """Return the share of a rival's value that a model must lose for it to show.

    >>> round(least_drop(Margin(0.0, -0.01, 0.01, 0.005), 0.14), 2)
    0.1
    """
    return SHOWS * margin.error / rival if rival > 0 else math.inf


@dataclass(frozen=True)
class _Pair:
    middle: float
    error: float
    resampled: Values  # distances from the middle, in standard errors


def _pair(sample: Sample, name: str, rival: str, kept: float) -> _Pair:
    mine, theirs = sample.values[name], sample.values[rival]
    differences = mine - kept * theirs
    users, middle = len(differences), float(differences.mean())
    error = float(differences.std(ddof=1)) / math.sqrt(users) if users > 1 else UNKNOWN
    moves = sample.means[name] - kept * sample.means[rival] - middle
    return _Pair(middle, error, moves / error if error else np.zeros_like(moves))


def _noise(
    sample: Sample, name: str, rival: str, kept: float, noise: Mapping[str, Added | None]
) -> Added | None:
    """Return the noise of both; two models that gave equal lists need no other explanation."""
    if np.array_equal(sample.values[name], sample.values[rival]):
        return NOTHING
    mine, theirs = noise[name], noise[rival]
    return None if mine is None or theirs is None else of_both(mine, theirs, kept)


def _margin(pair: _Pair, users: int, noise: Added | None, largest: float) -> Margin:
    known, added = noise is not None, noise or NOTHING
    between = pair.error**2
    error = math.sqrt(between + added.variance)
    if not error:
        return Margin(pair.middle, pair.middle, pair.middle, 0.0, known)
    tail = float(norm.sf(max(largest, TWO_SIDED)))
    wide = error * float(t.isf(tail, max(1.0, freedom(between, users, added))))
    return Margin(pair.middle, pair.middle - wide, pair.middle + wide, error, known)
