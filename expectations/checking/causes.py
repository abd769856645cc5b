"""Finds the one fault that breaks many rules: a table of wrong columns, or one without a row.

A cause knows the rules that follow from it. They stay failed, and the report folds them under the
sentence of their cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from infra.records.gates import Check
from infra.report.checks import told

WRONG_COLUMNS = "wrong_columns"


@dataclass(frozen=True)
class Cause:
    """A fault and what follows from it.

    Attributes
    ----------
    says : str
        The fault in one sentence, without its full stop.
    follow : frozenset of str
        The rules that fail for it alone.
    unmeasured : bool
        Whether rules without a number fail for it too: nothing was there to measure.
    """

    says: str
    follow: frozenset[str]
    unmeasured: bool = True

    def explains(self, check: Check) -> bool:
        """Tell whether a failed check follows from it."""
        return check.name in self.follow or (self.unmeasured and check.value is None)


def explain(checks: Iterable[Check], causes: Sequence[Cause]) -> list[Check]:
    """Write into each failed check the first cause that it follows from."""
    return [_because(check, causes) for check in checks]


def _because(check: Check, causes: Sequence[Cause]) -> Check:
    says = next((cause.says for cause in causes if cause.explains(check)), "")
    return check.model_copy(update={"because": says}) if says and check.failed else check


def table_causes(checks: Sequence[Check], counts: Sequence[str] = ()) -> Iterator[Cause]:
    """Give what is wrong with a table as a whole.

    Parameters
    ----------
    checks : sequence of Check
        Of one table, or of one batch of it.
    counts : sequence of str
        Rules that count what is in the table. Where the first of them finds nothing, the others
        follow from it.
    """
    by_name = {check.name: check for check in checks if check.failed}
    columns = by_name.get(WRONG_COLUMNS)
    if columns is not None and columns.value:
        yield Cause(told(columns), frozenset({WRONG_COLUMNS}))
    rows = by_name.get(counts[0]) if counts else None
    if rows is not None and rows.value == 0:
        yield Cause(told(rows), frozenset(counts))
