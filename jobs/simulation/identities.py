"""Simulates who a shopper is to the shop: a customer, a stranger, or one who logs in some day.

A stranger has a visitor id alone. From the day of the login on, both ids are on the events.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STRANGERS = 0.2  # of the shoppers
LOG_IN = 0.3  # of the strangers, on some later day
MARKETS, MARKET_SHARES = ("PL", "DE", "CZ"), (0.6, 0.3, 0.1)


class Identities:
    """The ids and the market of every shopper, as they are today."""

    def __init__(self, users: int, days: int, rng: np.random.Generator) -> None:
        self._day = 0
        chance = rng.random(users)
        some_day = rng.integers(1, max(days, 2), size=users, dtype=np.int16)
        later = np.where(chance < STRANGERS * LOG_IN, some_day, np.int16(days))
        self._login_day = np.where(chance < STRANGERS, later, np.int16(0))
        self._market = rng.choice(len(MARKETS), size=users, p=MARKET_SHARES).astype(np.int8)

    def open_day(self, day: int) -> None:
        """Let everybody log in whose day it is."""
        self._day = day

    def fields(self, users: NDArray[np.int64]) -> list[str]:
        """Return the ids and the market of each of some shoppers, as JSON between two commas."""
        login, market = self._login_day[users], self._market[users]
        rows = zip(users.tolist(), login.tolist(), market.tolist(), strict=True)
        return [
            (f'"user_id":"u{user:07d}",' if day <= self._day else "")
            + (f'"visitor_id":"v{user:07d}",' if day else "")
            + f'"market":"{MARKETS[place]}"'
            for user, day, place in rows
        ]
