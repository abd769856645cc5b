"""Writes a number and the limit it is held to in one unit, so that both are seen to differ.

Pages, forms, messages and commands all write a value beside its limit by this file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from typing import NamedTuple

from infra.report.wording import NOTHING, decimals, is_share

MOST_DIGITS = 12  # decimals; whatever differs by less is said in words


class Unit(NamedTuple):
    """How a number of one kind reads.

    Attributes
    ----------
    times : int
        What a value of 1 reads as: 100 for shares.
    sign : str
        What follows the number.
    grouped : bool
        Whether thousands are set apart; those of a year are not.
    """

    times: int = 1
    sign: str = ""
    grouped: bool = True


_ANY_SIZE = Context(prec=400)
PLAIN, SHARE, YEAR = Unit(), Unit(100, "%"), Unit(grouped=False)
_BY_WORD = {
    "year": YEAR,
    "minutes": Unit(sign=" min"),
    "hours": Unit(sign=" h"),
    "mb": Unit(sign=" MB"),
}


def unit_of(name: str, sentence: str = "") -> Unit:
    """Return the unit of a metric or a check, by its name and by the sentence it says.

    >>> unit_of("user_coverage").sign, unit_of("peak_memory_mb").sign, unit_of("auc").sign
    ('%', ' MB', '')
    """
    if is_share(name) or sentence.startswith("share of "):
        return SHARE
    words = re.findall(r"[a-z]+", name.lower())
    return next((unit for word, unit in _BY_WORD.items() if word in words), PLAIN)


def written(value: float | None, unit: Unit = PLAIN, digits: int | None = None) -> str:
    """Write a value alone, with as many decimals as suit its size.

    >>> written(0.9713, SHARE), written(0.9997, SHARE), written(1, SHARE), written(2026, YEAR)
    ('97.1%', '99.97%', '100%', '2026')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    places = digits_beside([value], (), unit) if digits is None else digits
    return _text(_rounded(value, unit, min(places, MOST_DIGITS)), unit)


def beside(value: float | None, limits: Iterable[float], unit: Unit = PLAIN) -> str:
    """Write a value that stands to its limits, as `range_text` writes them, as it really does.

    >>> beside(0.99985, [0.9999], SHARE), beside(0.96, [0.95], SHARE), beside(1 / 3, [0.9999])
    ('99.98%', '96%', '0.3333')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    ends = [end for end in (*limits, *_natural(unit)) if math.isfinite(end)]
    if value in ends:
        return exactly(value, unit)
    digits = digits_beside([value], ends, unit)
    if digits <= MOST_DIGITS:
        return _short(value, unit, digits)
    alike = _rounded(value, unit, MOST_DIGITS)
    near = next(end for end in ends if _rounded(end, unit, MOST_DIGITS) == alike)
    text = _short(near, unit, MOST_DIGITS) if alike else exactly(near, unit)
    return f"just {'under' if value < near else 'over'} {text}"


def digits_beside(values: Sequence[float], limits: Iterable[float], unit: Unit = PLAIN) -> int:
    """Return the decimals at which no value looks like a limit that it is not.

    Rounding keeps the order, so what looks different also lies on the right side. A share that is
    not all or nothing does not look so either.

    >>> digits_beside([0.94996], [0.95], SHARE)
    3
    """
    ends = [*limits, *_natural(unit)]
    pairs = [(value, end) for value in values for end in ends if value != end]
    digits = decimals(values, share=unit is SHARE)
    while digits <= MOST_DIGITS and any(
        _rounded(value, unit, digits) == _rounded(end, unit, digits) for value, end in pairs
    ):
        digits += 1
    return digits


def apart(value: float, other: float, unit: Unit = PLAIN) -> tuple[str, str]:
    """Write two values so that they look the same only if they are.

    >>> apart(0.039958, 0.0399604), apart(0.5, 0.25, SHARE)
    (('0.039958', '0.03996'), ('50%', '25%'))
    """
    digits = min(digits_beside([value, other], [value, other], unit), MOST_DIGITS)
    return _short(value, unit, digits), _short(other, unit, digits)


def in_column(values: Sequence[float | None], unit: Unit = PLAIN) -> list[str]:
    """Write the values of a column with equal decimals, so that only equal ones look the same.

    >>> in_column([0.1634, 0.163, None]), in_column([1, 0.99996], SHARE)
    (['0.1634', '0.1630', '—'], ['100.000%', '99.996%'])
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    digits = digits_beside(known, known, unit) if known else 0
    return [written(value, unit, digits) for value in values]


def gaps(values: Sequence[float], unit: Unit = PLAIN, digits: int = 0) -> list[str]:
    """Write differences with their signs; one that is not zero does not look so.

    >>> gaps([0.0031, -0.00001]), gaps([0.0126, 0], SHARE)
    (['+0.00310', '-0.00001'], ['+1.3 points', '0.0 points'])
    """
    if not all(map(math.isfinite, values)):
        return [NOTHING] * len(values)
    needed = digits_beside(values, [0.0], unit)
    places = min(max(digits, needed), MOST_DIGITS)
    told = unit._replace(sign=" points") if unit is SHARE else unit
    rounded = [_rounded(value, unit, places) for value in values]
    return [f"{'+' if number > 0 else ''}{_text(number, told)}" for number in rounded]


def range_text(low: float | None, high: float | None, unit: Unit = PLAIN) -> str:
    """Write the range a value must stay in, with all the digits its owner gave it.

    >>> range_text(0.95, None, SHARE), range_text(None, 30), range_text(0, 0), range_text(1, 5)
    ('at least 95%', 'at most 30', 'exactly 0', '1 to 5')
    """
    low_text, high_text = exactly(low, unit), exactly(high, unit)
    if low is None and high is None:
        return NOTHING
    if low == high:
        return f"exactly {low_text}"
    if high is None:
        return f"at least {low_text}"
    return f"at most {high_text}" if low is None else f"{low_text} to {high_text}"


def _natural(unit: Unit) -> tuple[float, ...]:
    return (0.0, 1.0) if unit is SHARE else ()


def _short(value: float, unit: Unit, digits: int) -> str:
    """Write a rounded value without the zeros at its end, which say nothing in a sentence."""
    number = _rounded(value, unit, digits).normalize(_ANY_SIZE)
    return _text(number if number else abs(number), unit)


def exactly(end: float | None, unit: Unit = PLAIN) -> str:
    """Write a limit with all the digits its owner gave it, and no more."""
    if end is None or not math.isfinite(end):
        return NOTHING
    number = (Decimal(repr(float(end))) * unit.times).normalize()
    return _text(number if number else Decimal(0), unit)


def _rounded(value: float, unit: Unit, digits: int) -> Decimal:
    exact = Decimal(repr(float(value))) * unit.times
    number = exact.quantize(Decimal(1).scaleb(-digits), context=_ANY_SIZE)
    return number if number else abs(number)  # no minus before a zero


def _text(number: Decimal, unit: Unit) -> str:
    return f"{number:{',' if unit.grouped else ''}f}{unit.sign}"
