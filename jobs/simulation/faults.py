"""Adds faulty rows on purpose: each kind at its own rate, one fault a row, all of them counted.

Rows that must be quarantined and exact duplicates are extra lines, so the good events stay what
they would be without faults. `personal_text` and `unknown_column` change a good row in place,
since such a row must survive. After n good events a kind has been used floor(rate * n) times.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jobs.simulation.lines import FAULTY, Numbering

Row = dict[str, Any]
Spoil = Callable[[Row, int], str]  # a good row, the running number of the fault -> the line
Placed = tuple[int, str]  # the row of the block it goes before, the line

TOO_LONG = 65_536
REQUIRED = ("event_id", "event_type", "event_time", "user_id", "item_id")
PERSON_IDS = {"user_id", "visitor_id"}
LATER = 5_000  # rows at most between a line and its duplicate within a block
ACROSS_DAYS = 20  # one duplicate in so many waits for the next day
WAITING = 1_000  # duplicates that wait at most: bounds the memory
STRANGE_TYPES = ("hover", "add_to_basket", "VIEW2", "page_ping")
# No simulated day lies near it (see options.LATEST), and it is years after any real clock.
FUTURE, PAST = "2099-06-15", "2001-06-15"
PERSONAL = (
    "home for anna.kowalska{}@example.org",
    "call +48 601 234 {:03d}",
    "search from 192.0.2.{}",
)


def _dump(row: Row) -> str:
    return json.dumps(row, separators=(",", ":"))


def _sale(row: Row, **fields: object) -> Row:
    """Return the row as a purchase, so that quantity and price belong on it."""
    sale = {"event_type": "purchase", "quantity": 1, "unit_price": 19.9, "currency": "EUR"}
    return row | sale | fields


def malformed_json(row: Row, turn: int) -> str:
    """Return a line no JSON parser takes whole, in one of five ways."""
    line = _dump(row)
    forms: tuple[Callable[[], str], ...] = (
        lambda: line[: len(line) // 2],
        lambda: line + _dump(row | {"event_id": row["event_id"][::-1]}),
        lambda: line + "} ###",
        lambda: line.replace('"', "'"),
        lambda: _dump(_sale(row, unit_price=float("nan"))),
    )
    return forms[turn % len(forms)]()


def missing_field(row: Row, turn: int) -> str:
    """Take away one required field, or all ids of the person: absent, null or empty."""
    name = REQUIRED[turn % len(REQUIRED)]
    gone = row.keys() & PERSON_IDS if name in PERSON_IDS else {name}
    absent = {key: value for key, value in row.items() if key not in gone}
    forms = (absent, row | dict.fromkeys(gone), row | dict.fromkeys(gone, ""))
    return _dump(forms[turn // len(REQUIRED) % 3])


def wrong_type(row: Row, turn: int) -> str:
    """Give one field a value of another type."""
    forms = (
        row | {"item_id": {"id": row["item_id"]}},
        row | {"event_time": row["event_time"].removesuffix("Z")},
        row | {"event_time": 1_700_000_000_000 + turn},
        _sale(row, quantity="two"),
    )
    return _dump(forms[turn % len(forms)])


def unknown_type(row: Row, turn: int) -> str:
    """Name a type of event that the shop never agreed on."""
    return _dump(row | {"event_type": STRANGE_TYPES[turn % len(STRANGE_TYPES)]})


def future_time(row: Row, turn: int) -> str:
    """Move the event decades ahead."""
    return _dump(row | {"event_time": FUTURE + row["event_time"][10:]})


def too_old(row: Row, turn: int) -> str:
    """Move the event to 2001."""
    return _dump(row | {"event_time": PAST + row["event_time"][10:]})


def too_long(row: Row, turn: int) -> str:
    """Make the line longer than 65,536 bytes, otherwise valid."""
    return _dump(row | {"placement": "x" * (TOO_LONG + turn % 100)})


def negative_quantity(row: Row, turn: int) -> str:
    """Put less than nothing into the cart or the purchase."""
    return _dump(_sale(row, event_type=("cart", "purchase")[turn % 2], quantity=-1 - turn % 3))


def not_utf8(row: Row, turn: int) -> str:
    """Put bytes that are not UTF-8 into the placement; the writer keeps one byte a character."""
    return _dump(row | {"placement": "?"}).replace("?", ("\xff\xfe", "caf\xe9 ", "\xc3(")[turn % 3])


def personal_text(row: Row, turn: int) -> str:
    """Put an e-mail address, a phone number or an IP address into the placement."""
    return _dump(row | {"placement": PERSONAL[turn % len(PERSONAL)].format(turn % 250)})


def unknown_column(row: Row, turn: int) -> str:
    """Add a field that is not part of an event."""
    return _dump(row | ({"debug": True}, {"ab_bucket": "B"}, {"app": {"os": "ios"}})[turn % 3])


QUARANTINED: Mapping[str, Spoil] = {
    spoil.__name__: spoil
    for spoil in (
        malformed_json,
        missing_field,
        wrong_type,
        unknown_type,
        future_time,
        too_old,
        too_long,
        negative_quantity,
        not_utf8,
    )
}
KEPT: Mapping[str, Spoil] = {spoil.__name__: spoil for spoil in (personal_text, unknown_column)}


class Faults:
    """Adds dirt to blocks of good lines and counts it by kind in `counts`."""

    def __init__(
        self, rates: Mapping[str, float], numbering: Numbering, rng: np.random.Generator
    ) -> None:
        self._rates, self._numbering, self._rng = rates, numbering, rng
        self.counts = Counter(dict.fromkeys(rates, 0))
        self._good = 0
        self._last_day = False
        # Duplicates of lines of today, for another day; and of other days, for the next block.
        self._waiting: list[str] = []
        self._ready: list[str] = []

    def open_day(self, last: bool) -> None:
        """Start a day: yesterday's waiting duplicates come in its first block."""
        self._last_day = last
        self._ready += self._waiting
        self._waiting = []

    def spoil(self, lines: list[str]) -> list[str]:
        """Return the block with its share of every kind of fault."""
        self._good += len(lines)
        free = self._rng.permutation(len(lines)).tolist()  # rows without a fault so far
        extra = self._old_duplicates(len(lines))
        for kind, build in QUARANTINED.items():
            extra += self._bad_lines(kind, build, lines, free)
        extra += self._duplicates(lines, free)
        kept = list(lines)
        for kind, build in KEPT.items():
            for row in self._claim(kind, free):
                kept[row] = build(json.loads(lines[row]), self._turn(kind))
        return _insert(kept, extra)

    def _claim(self, kind: str, free: list[int]) -> list[int]:
        """Take as many free rows as the rate of the kind asks for by now."""
        due = int(self._rates.get(kind, 0.0) * self._good) - self.counts[kind]
        if kind == "duplicate":
            due -= len(self._waiting) + len(self._ready)
        taken = free[: max(due, 0)]
        del free[: len(taken)]
        return taken

    def _turn(self, kind: str) -> int:
        self.counts[kind] += 1
        return self.counts[kind] - 1

    def _bad_lines(
        self, kind: str, build: Spoil, lines: list[str], free: list[int]
    ) -> list[Placed]:
        """Copy good rows under new event ids and spoil the copies."""
        rows = self._claim(kind, free)
        keys = self._numbering.texts(FAULTY, len(rows))
        fresh = [
            json.loads(lines[row]) | {"event_id": key} for row, key in zip(rows, keys, strict=True)
        ]
        return [(row, build(copy, self._turn(kind))) for row, copy in zip(rows, fresh, strict=True)]

    def _old_duplicates(self, end: int) -> list[Placed]:
        """Repeat lines of earlier days anywhere in the block."""
        ready, self._ready = self._ready, []
        self.counts["duplicate"] += len(ready)
        places = self._rng.integers(end + 1, size=len(ready)).tolist()
        return list(zip(places, ready, strict=True))

    def _duplicates(self, lines: list[str], free: list[int]) -> list[Placed]:
        """Repeat lines: half of them at once, half within `LATER` rows, a few the next day."""
        rows = self._claim("duplicate", free)
        room = 0 if self._last_day else WAITING - len(self._waiting)
        waits = min(len(rows) // ACROSS_DAYS, room)
        self._waiting += [lines[row] for row in rows[:waits]]
        self.counts["duplicate"] += len(rows) - waits
        return [(self._later(row, len(lines)), lines[row]) for row in rows[waits:]]

    def _later(self, row: int, end: int) -> int:
        reach = 3 if self._rng.random() < 0.5 else LATER
        return min(end, row + 1 + int(self._rng.integers(reach)))


def _insert(lines: list[str], extra: list[Placed]) -> list[str]:
    """Return the lines with each extra one put before the row it names."""
    merged, done = [], 0
    for row, line in sorted(extra, key=lambda placed: placed[0]):
        merged += lines[done:row]
        merged.append(line)
        done = row
    return merged + lines[done:]
