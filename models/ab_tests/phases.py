"""Chooses which units a phase of an A/B test takes, so that no two tests of a placement share any.

The layer is the traffic: a range of the buckets that all tests of a placement divide. It keeps its
start when its size changes, so whoever was in the layer of a growing test stays in it. Control
grows from the first bucket of a phase upwards, treatment from the last one downwards.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

from infra.errors import InputError
from infra.ledger.ab_tests import KnownTests, TestState
from infra.records.ab_tests import BUCKETS, Phase, Range, Unit

HALF = 0.5


def first_phase(
    known: KnownTests,
    placements: Sequence[str],
    unit: Unit,
    traffic: float,
    treatment_share: float = HALF,
) -> Phase:
    """Return the first phase of a new test, with a layer that is free in all its placements.

    Parameters
    ----------
    known : KnownTests
        All tests until now: ask within `add_ab_record`, so that no two tests take the same units.
    traffic : float
        The share of the units of these placements that are in the test; above 0, at most 1.
    treatment_share : float
        The share of these that treatment answers; between 0 and 1.

    Raises
    ------
    InputError
        A share is out of range, a running test of the same placements counts other units, or no
        range of that size is free.
    """
    size = _size(traffic, "the traffic")
    beside = _beside(known, placements, unit)
    free = list(_free(state.phase.layer for state in beside))
    start = next((first for first, end in free if end - first >= size), None)
    if start is None:
        raise _full(beside, free, size)
    return _phase((start, start + size), treatment_share)


def next_phase(
    known: KnownTests, state: TestState, traffic: float, treatment_share: float = HALF
) -> Phase:
    """Return the next phase of a running test: its layer keeps its start, its salt is another.

    Raises
    ------
    InputError
        As `first_phase`; or units of another test follow those of this one.
    """
    size, start = _size(traffic, "the traffic"), state.phase.layer[0]
    test = state.test
    every = _beside(known, test.placements, test.unit)
    beside = [other for other in every if other.test.number != test.number]
    free = [(start, end) for first, end in _free(b.phase.layer for b in beside) if first <= start]
    free = [(first, end) for first, end in free if first < end]
    if not any(end - first >= size for first, end in free):
        raise _full(beside, free, size)
    return _phase((start, start + size), treatment_share)


def _phase(layer: Range, treatment_share: float) -> Phase:
    first = BUCKETS - _size(treatment_share, "the share of treatment", most=BUCKETS - 1)
    return Phase(
        salt=secrets.token_hex(16), layer=layer, control=(0, first), treatment=(first, BUCKETS)
    )


def _size(share: float, what: str, most: int = BUCKETS) -> int:
    """Return how many buckets a share is."""
    size = round(share * BUCKETS)
    if not 1 <= size <= most:
        raise InputError(
            f"{share:g} cannot be {what}.", "Write a share such as 0.5, above 0 and below 1."
        )
    return size


def _beside(known: KnownTests, placements: Sequence[str], unit: Unit) -> list[TestState]:
    """Return the running tests of the same placements; refuse to count other units beside them."""
    beside = [s for s in known.running() if set(s.test.placements) & set(placements)]
    for state in beside:
        if state.test.unit != unit:
            raise InputError(
                f"The test '{state.test.name}' counts each {state.test.unit} on the same placement,"
                f" and this one would count each {unit}: one person could be in both.",
                f"Count each {state.test.unit}, or wait until it has ended.",
            )
    return beside


def _free(taken: Iterable[Range]) -> Iterable[Range]:
    """Give the ranges of the layer that nobody has.

    >>> list(_free([(0, 2_000), (5_000, 6_000)]))
    [(2000, 5000), (6000, 10000)]
    """
    start = 0
    for first, end in sorted(taken):
        if first > start:
            yield start, first
        start = max(start, end)
    if start < BUCKETS:
        yield start, BUCKETS


def _full(beside: Sequence[TestState], free: Sequence[Range], size: int) -> InputError:
    largest = max((end - first for first, end in free), default=0)
    names = ", ".join(f"'{state.test.name}'" for state in beside)
    return InputError(
        f"{names} left {largest / BUCKETS:.0%} of the traffic in one piece, and "
        f"{size / BUCKETS:.0%} is wanted.",
        "Take less of the traffic, or end a test: tests of one placement never share units.",
    )
