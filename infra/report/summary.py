"""The summary of a run: what the list of runs and the trends of later runs need to know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from infra.errors import StorageError
from infra.ledger.record_files import RecordFiles
from infra.places import SUMMARY
from infra.records.evaluation import Role
from infra.records.gates import Check
from infra.records.release import Judgement
from infra.report.checks import judgement_series, series
from infra.report.headline import Ending, Tone, headline
from infra.report.snapshot import Snapshot, take_snapshot
from infra.rules import Strict
from infra.stores.object_store import ObjectStore

_UNFINISHED = ("running", "waiting")


class Trace(Strict):
    """One rule in one run; over several batches it is the first that failed, else the last.

    A rule that was not judged leaves none. `passed` is None where nobody can tell.
    """

    value: float | None
    passed: bool | None


class ModelQuality(Strict):
    """One model of a run, by its role, and what was measured of it."""

    name: str
    role: Role
    metrics: dict[str, float]


class RunSummary(Strict):
    """The verdict on a run as far as it came; `traces` by the `series` of a check or judgement.

    `scores` are the models that were scored, None in summaries of an earlier Catwalk; `candidate`
    is the one that was judged, by the metric `judged_by`; `limits` are the lowest values that its
    thresholds ask for, by metric. `nothing_new` says that no row was read,
    `gated_at` when the events were judged.
    """

    run: str
    at: datetime
    ending: Ending
    tone: Tone
    word: str
    sentence: str
    traces: dict[str, Trace]
    scores: tuple[ModelQuality, ...] | None = None
    judged_by: str = ""
    candidate: str = ""
    limits: dict[str, float] = Field(default_factory=dict)
    nothing_new: bool = False
    gated_at: datetime | None = None


def summarise(snapshot: Snapshot) -> RunSummary:
    """Shorten what is known of a run."""
    top = headline(snapshot)
    return RunSummary(
        run=snapshot.run,
        at=datetime.now(UTC),
        ending=top.ending,
        tone=top.tone,
        word=top.word,
        sentence=top.sentence,
        traces=dict(_traces(snapshot)),
        gated_at=snapshot.gates["events"].at if "events" in snapshot.gates else None,
        nothing_new=snapshot.ingest is not None and snapshot.ingest.read == 0,
        **_quality(snapshot),
    )


def load_summary(store: ObjectStore, run: str, *, over: bool = False) -> RunSummary:
    """Return the summary that the last step of a run wrote.

    The records are read instead if there is no readable summary, or it says that the run goes on
    while the run is `over`. Only `summary_now` shows how records changed since.
    """
    files = RecordFiles(store, run)
    try:
        summary = files.read(SUMMARY, RunSummary)
    except StorageError:
        summary = None
    if summary is None or summary.run != run or (over and summary.ending in _UNFINISHED):
        return summary_now(store, run, over=over)
    return summary


def summary_now(store: ObjectStore, run: str, *, over: bool = False) -> RunSummary:
    """Return the summary of a run as its page would have it, from the records themselves."""
    return summarise(take_snapshot(RecordFiles(store, run), over=over))


def _quality(snapshot: Snapshot) -> dict[str, Any]:
    """Return what was measured, for curves over many runs."""
    scored, verdict = snapshot.evaluation, snapshot.verdict
    judged = verdict.judgements if verdict else ()
    return {
        "scores": tuple(
            ModelQuality(name=score.name, role=score.role, metrics=score.metrics)
            for score in (scored.scores if scored else ())
        ),
        "judged_by": scored.judged_by if scored else "",
        "candidate": verdict.candidate if verdict else "",
        "limits": {
            judgement.metric: judgement.bound
            for judgement in judged
            if judgement.bound is not None
            and not judgement.slice
            and judgement.limit.startswith("at least")
        },
    }


def _traces(snapshot: Snapshot) -> Iterator[tuple[str, Trace]]:
    for gate in snapshot.gates.values():
        by_series: dict[str, list[Check]] = {}
        for check in gate.checks:
            if not check.not_judged:
                by_series.setdefault(series(gate.gate, check), []).append(check)
        for key, checks in by_series.items():
            yield key, _trace(checks)
    if snapshot.verdict is not None:
        for judgement in snapshot.verdict.judgements:
            if judgement.result != "not judged":
                yield judgement_series(judgement), trace_of(judgement)


def trace_of(judgement: Judgement) -> Trace:
    """Return what a threshold leaves: what nobody can tell neither passed nor failed."""
    known = {"met": True, "missed": False}
    return Trace(value=judgement.value, passed=known.get(judgement.result))


def _trace(checks: list[Check]) -> Trace:
    failed = [check for check in checks if check.failed]
    shown = (failed or checks[-1:])[0]
    return Trace(value=shown.value, passed=not failed)
