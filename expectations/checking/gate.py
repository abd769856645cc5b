"""What all gates share: measures tables, checks the limits, writes the record, stops the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from expectations.checking.causes import explain, table_causes
from expectations.checking.measure import FACTS, Measure
from expectations.checking.suite import Limit, Profile, check_limits, load_limits
from expectations.checking.tables import Tables, Values, open_reader
from infra.errors import GateError
from infra.ledger.run_records import RunRecords
from infra.records.gates import BatchDecision, Check, GateRecord, RefusedRows
from infra.report.checks import faults
from infra.schemas import Table
from infra.storage import Storage

WRONG_COLUMNS = Measure(
    "columns that are missing, unknown or of another type",
    "any_value(wrong_columns)",
    FACTS,
    shows='unnest(wrong_column_names) as "column"',
)

_TOLD = 3  # faults that the one line of an error names


@dataclass(frozen=True)
class Gate:
    """A gate over the tables of one run.

    Attributes
    ----------
    name : str
        Its limits, in the YAML file of this folder, and its record are named the same.
    measures : mapping of str to Measure
        Its rules.
    tables : mapping of str to Table
        The tables its SQL may name.
    facts : function
        What it knows beside the tables, from a run's manifests.
    counts : tuple of str
        Rules that count what is in its table, all rows first.
    refused : function
        Which rows its table lacks since they could not be read; none unless given.
    """

    name: str
    measures: Mapping[str, Measure]
    tables: Mapping[str, Table]
    facts: Callable[[Storage, str], dict[str, Any]]
    counts: tuple[str, ...] = ()
    refused: Callable[[Storage, str], RefusedRows] = lambda storage, run: RefusedRows()

    def run(self, storage: Storage, run: str) -> GateRecord:
        """Check the tables of a run.

        Raises
        ------
        GateError
            A critical rule is broken; the record says so too.
        """
        begun = datetime.now(UTC)  # a table that is rewritten meanwhile is newer than its gate
        limits = limits_of(self.name, self.measures)
        tables = dict.fromkeys(self.tables, run)
        with open_reader(storage) as reader, reader.open(tables) as opened:
            checks = check_limits([self.profile(opened, storage, run)], self.measures, limits)
            checks = explain(checks, list(table_causes(checks, self.counts)))
            shown = with_examples(opened, checks, self.measures)
        refused = self.refused(storage, run)
        record = write_record(storage, run, self.name, begun, (run,), shown, refused=refused)
        enforce(record)
        return record

    def profile(self, opened: Tables, storage: Storage, run: str) -> Profile:
        """Measure the tables of a run."""
        return Profile(measured(opened, self.measures, self.tables, self.facts(storage, run)))


def limits_of(gate: str, measures: Mapping[str, Measure]) -> dict[str, Limit]:
    """Return the limits of a gate, from the file of its name in this folder."""
    return load_limits(Path(__file__).parents[1] / f"{gate}.yaml", measures)


def measured(
    opened: Tables,
    measures: Mapping[str, Measure],
    tables: Mapping[str, Table],
    facts: Mapping[str, Any],
) -> Values:
    """Return every measure; where columns are wrong, only those that need no table."""
    wrong = inform(opened, tables, facts)
    possible = {
        name: measure for name, measure in measures.items() if measure.of == FACTS or not wrong
    }
    return {**dict.fromkeys(measures), **opened.measure(possible)}


def inform(opened: Tables, tables: Mapping[str, Table], facts: Mapping[str, Any]) -> list[str]:
    """Give the SQL the facts and the names of the wrong columns; return those names."""
    wrong = opened.wrong_columns(tables)
    opened.know({**facts, "wrong_columns": len(wrong), "wrong_column_names": wrong})
    return wrong


def with_examples(
    opened: Tables, checks: Iterable[Check], measures: Mapping[str, Measure]
) -> tuple[Check, ...]:
    """Add rows that break the rule to each check that failed on a number."""
    return tuple(
        check.model_copy(update={"examples": opened.examples(measures[check.name])})
        if check.failed and check.value is not None
        else check
        for check in checks
    )


def result_of(checks: Iterable[Check]) -> str:
    """Return a gate's result: `stopped` if a critical rule failed, `warned` if another one did."""
    failed = {check.severity for check in checks if check.failed}
    if "critical" in failed:
        return "stopped"
    return "warned" if failed else "passed"


def write_record(
    storage: Storage,
    run: str,
    gate: str,
    at: datetime,
    partitions: Sequence[str],
    checks: Sequence[Check],
    waiting: Sequence[str] = (),
    decided: Mapping[str, BatchDecision] | None = None,
    notes: Sequence[str] = (),
    refused: RefusedRows = RefusedRows(),  # noqa: B008 - frozen
) -> GateRecord:
    """Write the record of a gate."""
    record = GateRecord.model_validate(
        {
            "gate": gate,
            "run": run,
            "at": at,
            "result": result_of(checks),
            "partitions": partitions,
            "checks": checks,
            "waiting": waiting,
            "decided": decided or {},
            "notes": notes,
            "refused": refused,
        }
    )
    RunRecords(storage, run).save_gate(record)
    return record


def enforce(
    record: GateRecord,
    cure: str = "Nothing was released. The report of the run shows every check.",
) -> None:
    """Turn a stopped gate into an error that names what failed; `cure` is for no batch waiting."""
    if record.result != "stopped":
        return
    named = faults(
        check for check in record.checks if check.failed and check.severity == "critical"
    )
    more = [f"and {len(named) - _TOLD} more"] if len(named) > _TOLD else []
    told = "; ".join([*named[:_TOLD], *more])
    if record.waiting:
        names = ", ".join(record.waiting)
        cure = f"Nothing was released. Decide on {names} with the DAG resolve_batch."
    raise GateError(f"The {record.gate} gate stopped the run: {told}.", cure)
