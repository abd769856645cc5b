"""Places curves over runs: what is across in percent, what is up in pixels, to fit any screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

TALL, SHORT = 240.0, 108.0  # pixels
MARGIN, FOOT, EDGE = 14.0, 26.0, 2.0  # pixels above and below, percent at both sides


@dataclass(frozen=True)
class Curve:
    """One thing over all runs; `pieces` are its lines as (x, y, x, y), broken where it is unknown.

    `kind` is how it is drawn: `live`, `judged`, `other` or `limit`.
    """

    name: str
    kind: str
    spots: tuple[tuple[float, float], ...]
    pieces: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Mark:
    """What happened at a run, or after it: `released`, `stopped` or `rolled back`."""

    kind: str
    x: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Curves in one frame; `low` and `high` are the values at its edges."""

    height: float
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...]
    low: float
    high: float

    @property
    def lines(self) -> tuple[float, float]:
        """Where `low` and `high` lie."""
        return self.height - FOOT, MARGIN


def across(place: float, amount: int) -> float:
    """Return where a run lies; between two runs for what happened between them.

    >>> across(0, 3), across(0.5, 3), across(0, 1)
    (2.0, 26.0, 50.0)
    """
    if amount == 1:
        return 50.0 + EDGE * 4 * place
    return round(EDGE + place * (100 - 2 * EDGE) / (amount - 1), 3)


def chart(
    series: Sequence[tuple[str, str, Sequence[float | None]]],
    marks: Sequence[Mark],
    height: float = TALL,
) -> Chart | None:
    """Draw values over runs, oldest first; None where nothing was measured.

    Parameters
    ----------
    series : sequence of (str, str, sequence of float or None)
        Name, kind, and a value per run.
    """
    known = [value for _, _, values in series for value in values if value is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    curves = tuple(
        _curve(name, kind, _placed(values, low, high, height)) for name, kind, values in series
    )
    return Chart(height, curves, tuple(marks), low, high)


def _placed(
    values: Sequence[float | None], low: float, high: float, height: float
) -> list[tuple[float, float] | None]:
    def up(value: float) -> float:
        part = (value - low) / (high - low) if high > low else 0.5
        return round(height - FOOT - part * (height - MARGIN - FOOT), 1)

    return [
        None if value is None else (across(place, len(values)), up(value))
        for place, value in enumerate(values)
    ]


def _curve(name: str, kind: str, placed: Sequence[tuple[float, float] | None]) -> Curve:
    return Curve(
        name=name,
        kind=kind,
        spots=tuple(spot for spot in placed if spot is not None),
        pieces=tuple(
            (*start, *end)
            for start, end in pairwise(placed)
            if start is not None and end is not None
        ),
    )
