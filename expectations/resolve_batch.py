"""Stopped batches: lists those that wait for a decision, and records what a person decides.

python -m expectations.resolve_batch     every batch that waits, and what it was stopped for
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from infra.command_line import run_program, text_table
from infra.errors import InputError
from infra.ledger.batches import Batch, Batches, decide, read_batches, stopped_batches
from infra.ledger.run_records import RunRecords
from infra.records.gates import BatchDecision, Check
from infra.shop_home import open_home
from infra.storage import Storage

WORDS: dict[str, Literal["accepted", "discarded"]] = {"accept": "accepted", "discard": "discarded"}
_LONGEST_REASON = 1000


@dataclass(frozen=True)
class Waiting:
    """A batch that stays out until a person decides, and the critical rules it broke."""

    batch: str
    stopped: BatchDecision
    failed: tuple[Check, ...]


def waiting(storage: Storage) -> list[Waiting]:
    """Return the batches that wait, as the last run that checked them saw them."""
    batches = read_batches(storage)
    decisions = {name: batches[name].decision for name in stopped_batches(batches)}
    return [
        Waiting(name, decision, _failed(storage, name, decision))
        for name, decision in decisions.items()
        if decision is not None
    ]


def resolve_batch(
    storage: Storage, name: str, word: str, by: str, why: str, run: str | None = None
) -> dict[str, Any]:
    """Record that a person accepts or discards a stopped batch.

    The decision holds for the batch as it was checked: if it is written anew, it is checked anew.

    Raises
    ------
    InputError
        The reason is empty, the word or the batch is unknown, or the batch does not wait.
    """
    if not why.strip() or len(why) > _LONGEST_REASON:
        raise InputError(
            f"The reason is {'too long' if why.strip() else 'empty'}.",
            f"Say in 1 to {_LONGEST_REASON} letters why: it is shown beside your name.",
        )
    if word not in WORDS:
        raise InputError(f"'{word}' is no decision.", f"Choose one of {', '.join(WORDS)}.")
    batches = read_batches(storage)
    batch = _checked_batch(batches, name.strip())
    decided = BatchDecision(
        decision=WORDS[word],
        by=by,
        run=run,
        at=datetime.now(UTC),
        why=why.strip(),
        written_at=batch.written_at,
    )
    if not _is_rerun(batch.decision, decided):
        _require_stopped(batches, batch)
        decide(storage, batch.name, decided)
    return {"batch": batch.name, "decision": decided.decision, "by": by}


def _checked_batch(batches: Batches, name: str) -> Batch:
    """Return a batch that its gate has checked as it is now."""
    if name not in batches:
        raise InputError(f"There is no batch '{name}'.", _choice(batches))
    if batches[name].decision is None:
        raise InputError(f"{name} was not checked yet as it is now.", _choice(batches))
    return batches[name]


def _is_rerun(before: BatchDecision | None, decided: BatchDecision) -> bool:
    """Tell whether the same run wrote the same decision before it was killed."""
    same = {"run", "by", "decision", "why", "written_at"}
    if before is None or decided.run is None:
        return False
    return before.model_dump(include=same) == decided.model_dump(include=same)


def _require_stopped(batches: Batches, batch: Batch) -> None:
    decision = batch.decision
    if decision is not None and decision.decision != "stopped":
        raise InputError(
            f"{batch.name} does not wait: {decision.by} has {decision.decision} it.",
            _choice(batches),
        )


def _choice(batches: Batches) -> str:
    names = ", ".join(stopped_batches(batches))
    return f"These wait: {names}." if names else "No batch waits for a decision."


def _failed(storage: Storage, batch: str, decision: BatchDecision) -> tuple[Check, ...]:
    record = RunRecords(storage, decision.run).load_gate("events") if decision.run else None
    checks: Sequence[Check] = record.checks if record else ()
    broken = (check for check in checks if check.failed and check.severity == "critical")
    return tuple(check for check in broken if check.partition == batch)


def _faults(failed: Iterable[Check]) -> list[str]:
    """Name each cause once, and each rule that failed for no other reason."""
    return list(dict.fromkeys(check.because or check.says for check in failed))


def main() -> int:
    """Print what waits."""
    stopped = waiting(Storage(open_home()))
    if not stopped:
        print("No batch waits for a decision.")
        return 0
    rows = [
        (
            batch.batch,
            f"{batch.stopped.at:%Y-%m-%d %H:%M}" if batch.stopped.at else "",
            "; ".join(_faults(batch.failed)[:3]) or "see the run's report",
        )
        for batch in stopped
    ]
    print(text_table(("batch", "checked last", "stopped for"), rows))
    print("\nDecide with the DAG resolve_batch in Airflow.")
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
