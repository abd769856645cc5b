"""Adds what training again moves to the variance between customers.

Source: B. L. Welch, The generalization of "Student's" problem, 1947; F. E. Satterthwaite, An
approximate distribution of estimates of variance components, 1946 (degrees of freedom of a sum).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from infra.records.evaluation import Noise, Score


class Added(NamedTuple):
    """A variance that is estimated, and half the variance of that estimate."""

    variance: float
    error: float


NOTHING = Added(0.0, 0.0)


def noise_on(score: Score, metric: str) -> Added | None:
    """Return what training again adds to a metric of a model; None where nobody measured it."""
    if score.noise == {}:
        return NOTHING
    noise = score.pooled.get(metric) or (score.noise or {}).get(metric)
    return None if noise is None else added(noise)


def noise_of(by_training: NDArray[np.float64]) -> Noise:
    """Return how far the mean over customers moves from training to training.

    Parameters
    ----------
    by_training : array of float64, shape (n_trainings, n_users)
        At least two trainings that differ in their seed alone.

    Examples
    --------
    >>> noise = noise_of(np.array([[0.1, 0.3], [0.3, 0.3]]))
    >>> round(noise.sd, 4), round(noise.within, 4), noise.refits
    (0.0707, 0.0707, 1)
    """
    trainings, users = by_training.shape
    within = by_training.var(axis=0, ddof=1).mean() / users
    return Noise(
        sd=float(by_training.mean(axis=1).std(ddof=1)),
        within=math.sqrt(within),
        refits=trainings - 1,
    )


def pooled(noises: Iterable[Noise]) -> Noise | None:
    """Return one estimate from those of several runs; None without any.

    >>> pooled([Noise(sd=3.0, refits=1), Noise(sd=1.0, refits=3)]).model_dump()
    {'sd': 1.7320508075688772, 'within': 0.0, 'refits': 4}
    """
    measured = [noise for noise in noises if noise.refits]
    refits = sum(noise.refits for noise in measured)
    if not refits:
        return None
    sd = math.sqrt(sum(noise.refits * noise.sd**2 for noise in measured) / refits)
    within = math.sqrt(sum(noise.refits * noise.within**2 for noise in measured) / refits)
    return Noise(sd=sd, within=within, refits=refits)


def added(noise: Noise) -> Added:
    """Return the variance that training again adds to that between customers.

    The latter has the part `within` already: the luck of each customer with each training.

    >>> added(Noise(sd=0.5, within=0.3, refits=2))
    Added(variance=0.16, error=0.03125)
    >>> added(Noise(sd=0.3, within=0.5, refits=3)).variance
    0.0
    """
    excess = max(0.0, noise.sd**2 - noise.within**2)
    return Added(excess, noise.sd**4 / noise.refits)


def of_both(mine: Added, rival: Added, kept: float) -> Added:
    """Add the noise of a model and of `kept` times its rival.

    Two models of equal parameters share one estimate, so the errors count as correlated.

    >>> of_both(Added(1.0, 4.0), Added(1.0, 4.0), 0.5)
    Added(variance=1.25, error=6.25)
    """
    share = kept**2
    error = (math.sqrt(mine.error) + share * math.sqrt(rival.error)) ** 2
    return Added(mine.variance + share * rival.variance, error)


def freedom(between: float, users: int, noise: Added) -> float:
    """Return the degrees of freedom of the variance between customers plus that of the noise.

    Parameters
    ----------
    between : float
        The variance of the mean over customers, above 0.

    Examples
    --------
    >>> freedom(1.0, 101, NOTHING), round(freedom(1.0, 101, Added(1.0, 0.5)), 2)
    (100.0, 7.84)
    """
    error = between**2 / max(1, users - 1) + noise.error
    return (between + noise.variance) ** 2 / error
