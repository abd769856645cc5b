"""How many units a test must have to see a difference."""

from __future__ import annotations

import math

from scipy.stats import norm

from infra.errors import InputError

ALPHA = 0.05
POWER = 0.8


def units_needed(
    variances: tuple[float, float],
    difference: float,
    shares: tuple[float, float],
    power: float = POWER,
) -> tuple[int, int]:
    """Return how many units control and treatment need.

    Parameters
    ----------
    variances : tuple of float
        Of one unit, in control and in treatment.
    difference : float
        Of the means, as it shall be seen with probability `power`.
    shares : tuple of float
        Of the units of the test; they add up to 1.

    Raises
    ------
    InputError
        There is no variance or no difference: nothing can be told.

    Examples
    --------
    A conversion of 3% that becomes 3.15%, in halves:

    >>> units_needed((0.03 * 0.97, 0.0315 * 0.9685), 0.0015, (0.5, 0.5))
    (207936, 207936)
    """
    if not (difference > 0 and min(variances) > 0):
        raise InputError("A metric that is 0 cannot be planned with.", "Name its value of today.")
    z = float(norm.ppf(1 - ALPHA / 2) + norm.ppf(power))
    per_share = sum(v / share for v, share in zip(variances, shares, strict=True))
    total = z**2 * per_share / difference**2
    return math.ceil(total * shares[0]), math.ceil(total * shares[1])
