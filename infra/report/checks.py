"""The checks of a gate as people read them: worst first, value and limit told apart."""

from __future__ import annotations

import re
from collections.abc import Iterable

from infra.records.gates import Check, Example, GateRecord
from infra.records.release import Judgement
from infra.report import wording
from infra.report.units import PLAIN, SHARE, Unit, beside, range_text, unit_of

LONGEST_CELL = 60  # letters of one value of an example row
_SOURCE = re.compile(r"source=(.+)|batch=(.+)-\d+")


def worst_first(gate: GateRecord) -> list[Check]:
    """Return the checks of a gate, critical ones at the top."""
    order = ("critical", "warning", "info")
    return sorted(gate.checks, key=lambda check: order.index(check.severity))


def check_unit(check: Check) -> Unit:
    """Return the unit of a check; numbers beyond 1 are no parts of a whole."""
    unit = unit_of(check.name, check.says)
    beyond_one = any(abs(number) > 1 for number in (*limits_of(check), check.value or 0.0))
    return PLAIN if unit is SHARE and beyond_one else unit


def limits_of(check: Check) -> list[float]:
    """Return the ends of the range that a value must stay in."""
    return [end for end in (check.min, check.max) if end is not None]


def check_texts(check: Check) -> tuple[str, str]:
    """Return the value and the limit of a check, precise enough to tell them apart."""
    unit = check_unit(check)
    return beside(check.value, limits_of(check), unit), range_text(check.min, check.max, unit)


def told(check: Check) -> str:
    """Say in one line what a check found: its rule, where, the value and the limit.

    >>> said = {"name": "rows", "says": "events in the batch", "why": "w", "severity": "critical"}
    >>> told(Check(**said, value=0, min=1, passed=False, partition="batch=shop-000001"))
    'events in the batch in batch=shop-000001: 0 (at least 1)'
    """
    value, allowed = check_texts(check)
    where = f" in {check.partition}" if check.partition else ""
    said = "not measured" if check.value is None else value
    return f"{check.says.rstrip('.')}{where}: {said} ({allowed})"


def faults(checks: Iterable[Check]) -> list[str]:
    """Say what failed: a cause once for all that follows from it, then what stands alone."""
    failed = list(checks)
    causes = dict.fromkeys(check.because for check in failed if check.because)
    return [*causes, *(told(check) for check in failed if not check.because)]


def by_cause(checks: Iterable[Check]) -> dict[str, list[Check]]:
    """Group failed checks by the cause that they follow from; what stands alone is left out."""
    groups: dict[str, list[Check]] = {}
    for check in checks:
        if check.because:
            groups.setdefault(check.because, []).append(check)
    return groups


def series(gate: str, check: Check) -> str:
    """Name what one run has in common with the next: the rule, and the source it looked at.

    Batches of a source come and go; two sources have nothing to do with each other.
    """
    match = _SOURCE.fullmatch(check.partition)
    source = f"/{match[1] or match[2]}" if match else ""
    return f"{gate}/{check.name}{source}"


def judgement_series(judgement: Judgement) -> str:
    """Name what a release threshold of one run has in common with the next.

    A metric may have several limits. Their numbers, and those of a rival, change from run to run.
    """
    kind = re.sub(r"\(.*\)|[-+.,%\d]+", "", judgement.limit)
    return "/".join(("release", judgement.metric, judgement.slice, *kind.split()))


def example_columns(check: Check) -> list[str]:
    """Return the names that some example row of a check has, in their order."""
    return list(dict.fromkeys(name for row in check.examples for name in row))


def example_text(row: Example, column: str) -> str:
    """Write one value of an example row, cut where it is long."""
    value = row.get(column)
    return wording.NOTHING if value is None else wording.shortened(str(value), LONGEST_CELL)
