"""The options of a simulation, checked before the first file is written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

from infra.errors import InputError

# One per cent of dirt in all. `too_long` is rare because each such row costs 64 KB.
DEFAULT_FAULTS: Mapping[str, float] = MappingProxyType(
    {
        "malformed_json": 0.0015,
        "missing_field": 0.0015,
        "wrong_type": 0.001,
        "unknown_type": 0.0008,
        "future_time": 0.0005,
        "too_old": 0.0005,
        "too_long": 0.00002,
        "negative_quantity": 0.0005,
        "not_utf8": 0.0005,
        "duplicate": 0.002,
        "personal_text": 0.0005,
        "unknown_column": 0.00068,
    }
)
EARLIEST, LATEST = date(2002, 1, 1), date(2080, 1, 1)
MOST_USERS, MOST_ITEMS = 50_000_000, 1_000_000


def default_users(events: int) -> int:
    """Return a plausible number of users: 6,000 for 300,000 events, then slower than the events.

    >>> default_users(300_000), default_users(30_000_000)
    (6000, 238864)
    """
    return min(MOST_USERS, max(50, round(6_000 * math.pow(events / 300_000, 0.8))))


def default_items(events: int) -> int:
    """Return a plausible size of the catalogue: 2,000 for 300,000 events, then its square root.

    >>> default_items(300_000), default_items(30_000_000)
    (2000, 20000)
    """
    return min(MOST_ITEMS, max(100, round(2_000 * math.sqrt(events / 300_000))))


@dataclass(frozen=True)
class SimulationOptions:
    """Everything that decides the bytes of a simulation.

    Parameters
    ----------
    events
        Unique good events in all; faulty lines and duplicates come on top.
    days, first_day
        How many days, and the first of them. Days are UTC.
    users, items
        How many of each exist by the last day; fewer on the first. 0 asks for the default.
    seed
        The same options with the same seed give the same bytes.
    faults
        Rate per fault kind: rows of that kind per good event.
    gzip
        Compress every data file.
    """

    events: int = 300_000
    days: int = 14
    first_day: date = date(2026, 11, 10)
    users: int = 0
    items: int = 0
    seed: int = 7
    faults: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_FAULTS))
    gzip: bool = False

    def __post_init__(self) -> None:
        """Fill in the defaults that depend on the number of events, then check every bound."""
        _within("events", self.events, 1, 10**12)
        object.__setattr__(self, "users", self.users or default_users(self.events))
        object.__setattr__(self, "items", self.items or default_items(self.events))
        _within("days", self.days, 1, 3_660)
        _within("users", self.users, 10, MOST_USERS)
        _within("items", self.items, 20, MOST_ITEMS)
        _within("seed", self.seed, 0, 2**63 - 1)
        check_faults(self.faults)
        if not EARLIEST <= self.first_day <= LATEST:
            raise InputError(
                f"The first day is {self.first_day}.", f"Give one from {EARLIEST} to {LATEST}."
            )

    def day(self, number: int) -> date:
        """Return the date of a day counted from 0."""
        return self.first_day + timedelta(days=number)

    def as_json(self) -> dict[str, Any]:
        """Return the options as plain JSON values, to write down and to compare."""
        return asdict(self) | {"first_day": self.first_day.isoformat(), "faults": {**self.faults}}


def parse_faults(text: str) -> dict[str, float]:
    """Read `default`, `none` or `kind=rate,kind=rate`.

    >>> parse_faults("duplicate=0.01,too_old=0.002")
    {'duplicate': 0.01, 'too_old': 0.002}
    """
    if text in ("default", "none"):
        return dict(DEFAULT_FAULTS) if text == "default" else {}
    return dict(_parse_fault(part.strip()) for part in text.split(","))


def check_faults(faults: Mapping[str, float]) -> None:
    """Raise InputError on an unknown kind or on rates that leave no room for good rows."""
    for kind, rate in faults.items():
        if kind not in DEFAULT_FAULTS:
            raise InputError(
                f"No fault is called {kind!r}.", f"Known: {', '.join(DEFAULT_FAULTS)}."
            )
        if not 0 <= rate <= 1:
            raise InputError(f"Fault {kind} has rate {rate}.", "Give a share from 0 to 1.")
    if sum(faults.values()) > 1:
        raise InputError(f"Fault rates add up to {sum(faults.values()):g}.", "Keep them within 1.")


def _parse_fault(part: str) -> tuple[str, float]:
    kind, _, rate = part.partition("=")
    try:
        return kind, float(rate)
    except ValueError:
        raise InputError(
            f"Fault {part!r} is not kind=rate.", "Write it as duplicate=0.01."
        ) from None


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InputError(f"{name} is {value}.", f"Give a whole number from {low:,} to {high:,}.")
