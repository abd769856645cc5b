"""Stopped batches: who waits for a decision, and the decision of a person.

python -m expectations.resolve_batch     every batch that waits, and what it was stopped for
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from infra.command_line import run_program, text_table
from infra.errors import InputError
from infra.ledger.run_records import RunRecords
from infra.records.gates import BatchDecision, Check
from infra.shop_home import open_home
from infra.storage import Storage

Word = Literal["accept", "discard"]
WORDS: dict[str, Literal["accepted", "discarded"]] = {"accept": "accepted", "discard": "discarded"}
_LONGEST_REASON = 1000


@dataclass(frozen=True)
class Waiting:
    """A batch that stays out until a person decides, and the critical rules it broke."""

    batch: str
    stopped: BatchDecision
    failed: tuple[Check, ...]


def waiting(storage: Storage) -> list[Waiting]:
    """Return the batches that wait, as the last run that judged them saw them."""
    found = []
    for batch in storage.stopped_batches():
        decision = storage.decision(batch)
        if decision is not None:
            found.append(Waiting(batch, decision, _failed(storage, batch, decision)))
    return found


def resolve_batch(
    storage: Storage, batch: str, word: str, by: str, why: str, run: str | None = None
) -> dict[str, Any]:
    """Write down that a person lets a stopped batch in, or leaves it out for good.

    The decision holds for the batch as it was judged: if it is written anew, it is judged anew.

    Raises
    ------
    InputError
        The reason is empty, the word or the batch is unknown, or the batch does not wait.
    """
    if not why.strip() or len(why) > _LONGEST_REASON:
        raise InputError(
            f"The reason is {'too long' if why.strip() else 'empty'}.",
            f"Say in 1 to {_LONGEST_REASON} letters why: it stands beside your name.",
        )
    if word not in WORDS:
        raise InputError(f"'{word}' is no decision.", f"Choose one of {', '.join(WORDS)}.")
    batch = batch.strip()
    known = _known(storage, batch)
    decided = BatchDecision(
        decision=WORDS[word],
        by=by,
        run=run,
        at=datetime.now(UTC),
        why=why.strip(),
        written_at=_written_at(storage, batch),
    )
    if not _is_rerun(known, decided):
        _require_stopped(storage, batch, known)
        storage.decide(batch, decided)
    return {"batch": batch, "decision": decided.decision, "by": by}


def _known(storage: Storage, batch: str) -> BatchDecision:
    if batch not in storage.lake.partitions("events"):
        raise InputError(f"There is no batch '{batch}'.", _choice(storage))
    known = storage.decision(batch)
    if known is None:
        raise InputError(f"{batch} was not judged yet as it is now.", _choice(storage))
    return known


def _is_rerun(known: BatchDecision, decided: BatchDecision) -> bool:
    """Tell whether the same run wrote the same decision before it was killed."""
    same = {"run", "by", "decision", "why", "written_at"}
    return decided.run is not None and known.model_dump(include=same) == decided.model_dump(
        include=same
    )


def _require_stopped(storage: Storage, batch: str, known: BatchDecision) -> None:
    if known.decision != "stopped":
        raise InputError(
            f"{batch} does not wait: {known.by} has {known.decision} it.", _choice(storage)
        )


def _written_at(storage: Storage, batch: str) -> datetime:
    return datetime.fromisoformat(storage.lake.manifest("events", batch)["written_at"])


def _choice(storage: Storage) -> str:
    names = ", ".join(storage.stopped_batches())
    return f"These wait: {names}." if names else "No batch waits for a decision."


def _failed(storage: Storage, batch: str, decision: BatchDecision) -> tuple[Check, ...]:
    record = RunRecords(storage, decision.run).load_gate("events") if decision.run else None
    checks: Sequence[Check] = record.checks if record else ()
    broken = (one for one in checks if one.failed and one.severity == "critical")
    return tuple(one for one in broken if one.partition == batch)


def main() -> int:
    """Print what waits."""
    found = waiting(Storage(open_home()))
    if not found:
        print("No batch waits for a decision.")
        return 0
    rows = [
        (
            one.batch,
            f"{one.stopped.at:%Y-%m-%d %H:%M}" if one.stopped.at else "",
            "; ".join(check.says for check in one.failed[:3]) or "see the run's report",
        )
        for one in found
    ]
    print(text_table(("batch", "judged last", "stopped for"), rows))
    print("\nDecide with the DAG resolve_batch in Airflow.")
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
