"""Holds what tests found against what the hold-out had said of the same candidates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from infra.records.ab_tests import Offline
from infra.records.ab_verdicts import FINAL, AbVerdict, MetricVerdict
from infra.report.known_tests import KnownTest

ENOUGH = 10  # tests; below, agreement proves nothing


@dataclass(frozen=True)
class BothWays:
    """A test that is over: the difference offline, and that of its primary metric."""

    name: str
    offline: Offline
    online: MetricVerdict

    @property
    def agrees(self) -> bool | None:
        """Whether both have the same sign; None where the test measured no difference."""
        found = self.online.relative
        return None if not found else (found > 0) == (self.offline.relative > 0)


def both_ways(tests: Iterable[KnownTest]) -> tuple[BothWays, ...]:
    """Return the tests that have both numbers, in the order given."""
    return tuple(
        BothWays(known.state.test.name, known.state.test.offline, known.verdict.primary)
        for known in tests
        if known.verdict and _is_over(known, known.verdict) and known.state.test.offline
    )


def _is_over(known: KnownTest, verdict: AbVerdict) -> bool:
    """Tell whether a test came to its end, or a person ended it for harm before.

    Without the harmful ones, those would be left out of which the hold-out was most wrong.
    """
    return verdict.outcome in FINAL or (verdict.outcome == "harm" and known.state.ended is not None)


def agreement(rows: Iterable[BothWays]) -> str:
    """Say in a sentence how often the signs agree, and what that proves.

    >>> agreement([])
    ''
    """
    told = [row.agrees for row in rows if row.agrees is not None]
    if not told:
        return ""
    counted = f"In {sum(told)} of {len(told)} tests the better one offline was the better online."
    few = f" Below {ENOUGH} tests that proves nothing." if len(told) < ENOUGH else ""
    return f"{counted}{few}"
