"""The checks of a gate as people read them: worst first, value and limit told apart."""

from __future__ import annotations

import re

from infra.records.gates import Check, Example, GateRecord
from infra.records.release import Judgement
from infra.report import wording

LONGEST_CELL = 60  # letters of one value of an example row
_SOURCE = re.compile(r"source=(.+)|batch=(.+)-\d+")


def worst_first(gate: GateRecord) -> list[Check]:
    """Return the checks of a gate, critical ones at the top."""
    order = ("critical", "warning", "info")
    return sorted(gate.checks, key=lambda check: order.index(check.severity))


def counts_a_share(check: Check) -> bool:
    """Tell whether the values of a check are parts of a whole."""
    ends = [end for end in (check.min, check.max) if end is not None]
    within_one = all(abs(number) <= 1 for number in (*ends, check.value or 0.0))
    return within_one and wording.is_share(f"{check.name} {check.says}")


def check_texts(check: Check) -> tuple[str, str]:
    """Return the value and the limit of a check, precise enough to tell them apart."""
    limits = [end for end in (check.min, check.max) if end is not None]
    share = counts_a_share(check)
    digits = wording.beside(check.value, limits, share=share)
    value = wording.number(check.value, share=share, digits=digits)
    return value, wording.limit(check.min, check.max, share=share)


def series(gate: str, check: Check) -> str:
    """Name what one run has in common with the next: the rule, and the source it looked at.

    Batches of a source come and go; two sources have nothing to do with each other.
    """
    match = _SOURCE.fullmatch(check.partition)
    source = f"/{match[1] or match[2]}" if match else ""
    return f"{gate}/{check.name}{source}"


def judgement_series(judgement: Judgement) -> str:
    """Name what a release threshold of one run has in common with the next."""
    return f"release/{judgement.metric}/{judgement.slice}".rstrip("/")


def example_columns(check: Check) -> list[str]:
    """Return the names that some example row of a check has, in their order."""
    return list(dict.fromkeys(name for row in check.examples for name in row))


def example_text(row: Example, column: str) -> str:
    """Write one value of an example row, cut where it is long."""
    value = row.get(column)
    return wording.NOTHING if value is None else wording.shortened(str(value), LONGEST_CELL)
