"""Records of the quality gates and of batches: small JSON files that reports and people read.

They are the only thing the gates, the models and the report page know of each other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from infra.rules import Strict
from infra.utc import in_utc

Severity = Literal["critical", "warning", "info"]
GateResult = Literal["passed", "warned", "stopped"]
Example = dict[str, str | int | float | bool | None]
MOST_EXAMPLES = 3
GATE = "gate"  # who decided on a batch, where no person did


Moment = Annotated[datetime, AfterValidator(in_utc)]  # people leave the zone out


class BatchDecision(Strict):
    """What the gate or a person decided on a batch of events.

    `written_at` binds it to the batch as it was checked; a person who writes it by hand may leave
    that and `at` out.
    """

    decision: Literal["accepted", "stopped", "discarded"]
    by: str
    run: str | None = None
    at: Moment | None = None
    why: str | None = None
    written_at: Moment | None = None


class BatchProfile(Strict):
    """How the events of a batch are spread; later batches are compared with it.

    `written_at` binds it to the batch as it was counted. `categories` is None where no catalogue
    was known; `hours` are UTC, such as `2026-11-24T05`, of the batch's last weeks.
    """

    written_at: datetime
    event_types: dict[str, int]
    categories: dict[str, int] | None
    hours: dict[str, int]


class Check(Strict):
    """One rule of a gate, and its result; the same rule of another run has this gate and name.

    Attributes
    ----------
    partition : str
        What it looked at, where the gate looks at several.
    not_judged : str
        Why the rule had nothing to compare with, in words; such a check neither passed nor
        failed. Empty for all others.
    because : str
        The fault, in one sentence, that this failure follows from; empty where it stands alone.
    examples : tuple of dict
        A few rows that break the rule: keys, ids and values, never raw text.
    """

    name: str
    says: str
    why: str
    severity: Severity
    value: float | None
    min: float | None = None
    max: float | None = None
    passed: bool
    partition: str = ""
    not_judged: str = ""
    because: str = ""
    examples: tuple[Example, ...] = Field(default=(), max_length=MOST_EXAMPLES)

    @property
    def failed(self) -> bool:
        """Tell whether the rule was checked, and broken."""
        return not self.passed and not self.not_judged

    @model_validator(mode="after")
    def _not_both(self) -> Check:
        if self.passed and self.not_judged:
            raise ValueError("a check that was not judged did not pass")
        return self


class RefusedRow(Strict):
    """A refused row without whoever it is about; its `shape` where it could not be parsed."""

    reason: str
    file: str
    fields: dict[str, str]
    shape: str


class RefusedRows(Strict):
    """How many rows of a table were refused, by reason, and a few of them."""

    counts: dict[str, int] = Field(default_factory=dict)
    examples: tuple[RefusedRow, ...] = ()


class GateRecord(Strict):
    """One gate: `stopped` if a critical rule failed, `warned` if another one did.

    `waiting` names the batches that stay out until a person decides, by the DAG `resolve_batch`;
    `decided` is what people decided on batches since the last decision of a gate before it.
    `refused` are rows that the gate's table lacks since they could not be read.
    `notes` say which batches were accepted unchecked, since they brought no new event, and why.
    """

    gate: str
    run: str
    at: datetime
    result: GateResult = Field(validation_alias=AliasChoices("result", "verdict"))
    partitions: tuple[str, ...]
    checks: tuple[Check, ...]
    waiting: tuple[str, ...] = ()
    decided: dict[str, BatchDecision] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    refused: RefusedRows = RefusedRows()

    @model_validator(mode="before")
    @classmethod
    def _read_old_records(cls, written: Any) -> Any:
        """Drop a field that records had and nothing ever filled."""
        if isinstance(written, dict) and written.get("approval", ...) is None:
            return {name: value for name, value in written.items() if name != "approval"}
        return written

    def counts(self) -> dict[str, Any]:
        """Return what Airflow shows of it."""
        failed = sum(check.failed for check in self.checks)
        return {"result": self.result, "checks": len(self.checks), "failed": failed}
