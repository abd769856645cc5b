"""Says how sure a number is: intervals over users, and findings of comparisons.

Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13 (percentiles);
T. Sakai, Evaluating Evaluation Metrics based on the Bootstrap, 2006 (pairs of rankings).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from infra.records.evaluation import Comparison, Finding
from models.metrics.ranking import Values

RESAMPLES = 1_000  # of all users, about 1 s a model for 100,000 users
LEVEL = (2.5, 97.5)  # percentiles of a 95% interval


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


def compare(
    metric: str,
    mine: Values,
    others: Mapping[str, Values],
    noise: Mapping[str, float | None],
    seed: int,
) -> tuple[Comparison, ...]:
    """Compare one model with others, user by user.

    Parameters
    ----------
    mine : array of float64, shape (n_users,)
    others : mapping of str to array
        Values of the same users by the name of the model.
    noise : mapping of str to float or None
        For each other model: what training again moves the metric of either by; see
        `larger_noise`.
    """
    if not others:
        return ()
    differences = np.column_stack([mine - theirs for theirs in others.values()])
    low, high = np.percentile(resampled_means(differences, seed), LEVEL, axis=0)
    return tuple(
        Comparison(
            metric=metric,
            against=name,
            difference=float(differences[:, place].mean()),
            low=float(low[place]),
            high=float(high[place]),
            finding=finding(
                float(differences[:, place].mean()), low[place], high[place], noise[name]
            ),
        )
        for place, name in enumerate(others)
    )


def larger_noise(mine: float | None, theirs: float | None) -> float | None:
    """Return the noise of a comparison of two models: unknown if that of either is.

    >>> larger_noise(0.0, 0.002), larger_noise(0.002, None)
    (0.002, None)
    """
    return None if mine is None or theirs is None else max(mine, theirs)


def finding(difference: float, low: float, high: float, noise: float | None) -> Finding:
    """Say better or worse only if the interval excludes zero and training again could not do it.

    Nobody can tell where the noise of training again is unknown, None.

    Examples
    --------
    >>> finding(0.03, 0.01, 0.05, noise=0.002), finding(0.03, 0.01, 0.05, noise=0.04)
    ('better', 'cannot tell')
    >>> finding(-0.03, -0.05, -0.01, noise=0.0), finding(0.03, -0.01, 0.07, noise=0.0)
    ('worse', 'cannot tell')
    >>> finding(0.03, 0.01, 0.05, noise=None)
    'cannot tell'
    """
    if noise is None:
        return "cannot tell"
    if low > 0 and difference > noise:
        return "better"
    if high < 0 and difference < -noise:
        return "worse"
    return "cannot tell"
