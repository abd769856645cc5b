"""A run in a few lines: what the list of runs and the trends of later runs need of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from infra.errors import StorageError
from infra.record_files import SUMMARY, RecordFiles
from infra.records import Check
from infra.report.headline import Ending, Tone, headline
from infra.report.snapshot import Snapshot, take_snapshot
from infra.rules import Rules
from infra.stores.object_store import ObjectStore


class Trace(Rules):
    """One rule in one run; over several batches it is the first that failed, else the last."""

    value: float | None
    passed: bool


class RunSummary(Rules):
    """The verdict on a run as far as it came; `traces` by `gate/check` or `release/metric`."""

    run: str
    at: datetime
    ending: Ending
    tone: Tone
    word: str
    sentence: str
    traces: dict[str, Trace]


def summarise(snapshot: Snapshot) -> RunSummary:
    """Shorten what is known of a run."""
    said = headline(snapshot)
    return RunSummary(
        run=snapshot.run,
        at=datetime.now(UTC),
        ending=said.ending,
        tone=said.tone,
        word=said.word,
        sentence=said.sentence,
        traces=dict(_traces(snapshot)),
    )


def load_summary(store: ObjectStore, run: str, *, over: bool = False) -> RunSummary:
    """Return the summary of a run; the records themselves are asked where it may not be true.

    That is without a readable one, and of a run that was not finished and is `over` now.
    """
    files = RecordFiles(store, run)
    try:
        found = files.read(SUMMARY, RunSummary)
    except StorageError:
        found = None
    if found is None or found.run != run or (over and found.ending == "running"):
        return summarise(take_snapshot(files, over=over))
    return found


def _traces(snapshot: Snapshot) -> Iterator[tuple[str, Trace]]:
    for gate in snapshot.gates.values():
        for name in dict.fromkeys(check.name for check in gate.checks):
            yield f"{gate.gate}/{name}", _trace([c for c in gate.checks if c.name == name])
    if snapshot.verdict is not None:
        for judgement in snapshot.verdict.judgements:
            trace = Trace(value=judgement.value, passed=judgement.passed)
            yield f"release/{judgement.metric}/{judgement.slice}".rstrip("/"), trace


def _trace(checks: list[Check]) -> Trace:
    failed = [check for check in checks if check.failed]
    shown = (failed or checks[-1:])[0]
    return Trace(value=shown.value, passed=not failed)
