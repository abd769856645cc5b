"""Writes relative differences and their intervals."""

from __future__ import annotations

from infra.report.units import SHARE, written
from infra.report.wording import NOTHING


def percent(value: float | None) -> str:
    """Write a relative difference with its sign.

    >>> percent(0.0413), percent(-0.002), percent(None)
    ('+4.1%', '-0.2%', '—')
    """
    text = written(value, SHARE)
    return f"+{text}" if value is not None and value > 0 else text


def range_of(low: float | None, high: float | None) -> str:
    """Write an interval of relative differences.

    >>> range_of(-0.01, 0.07), range_of(None, None)
    ('-1.0% to +7.0%', '—')
    """
    return NOTHING if low is None or high is None else f"{percent(low)} to {percent(high)}"
