"""Draws what the features of a ranker are worth: a picture of bars that stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from infra.report.templates import fill
from infra.report.wording import number

MOST = 20  # features; the rest is one bar
ROW, LABELS, WIDTH = 22, 230, 620  # pixels: a bar with its space, the names, all of it
VALUES = 60  # pixels right of the longest bar


class Bar(NamedTuple):
    """One feature; `top` and `width` in pixels."""

    name: str
    text: str
    top: int
    width: float


def draw_importances(importances: Mapping[str, float]) -> str:
    """Return an SVG of the parts that features brought, the largest first."""
    ranked = sorted(importances.items(), key=lambda part: (-part[1], part[0]))
    shown, rest = ranked[:MOST], ranked[MOST:]
    if rest:
        shown = [*shown, (f"{len(rest)} others", sum(part for _, part in rest))]
    longest = max(part for _, part in shown)
    bars = [
        Bar(
            name=name,
            text=number(part, share=True, digits=1),
            top=place * ROW,
            width=round((WIDTH - LABELS - VALUES) * part / longest, 1),
        )
        for place, (name, part) in enumerate(shown)
    ]
    return fill("importances.svg", bars=bars, labels=LABELS, width=WIDTH, height=len(bars) * ROW)
