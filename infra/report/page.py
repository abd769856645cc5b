"""The report page of a run: one HTML file without scripts that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.errors import StorageError
from infra.ledger.record_files import RecordFiles
from infra.places import PAGE, SUMMARY
from infra.records.steps import GATES, STATIONS
from infra.report import charts
from infra.report.duels import duels
from infra.report.headline import headline
from infra.report.runs import run_title, runs_before
from infra.report.slices import slice_table
from infra.report.snapshot import Snapshot, take_snapshot
from infra.report.steps import steps
from infra.report.summary import RunSummary, summarise
from infra.report.templates import Frame, fill
from infra.report.trends import LENGTH, Trends
from infra.report.units import PLAIN, in_column, unit_of
from infra.storage import Storage
from infra.stores.object_store import ObjectStore
from infra.utc import in_utc


@dataclass(frozen=True)
class Around:
    """What the page says beside the records: roll-backs from it, its models' pages in MLflow."""

    left: tuple[str, ...] = ()
    mlflow: tuple[tuple[str, str], ...] = ()


def write_report(storage: Storage, run: str) -> str:
    """Write the page and the summary of a run from the records it has so far.

    Parameters
    ----------
    storage : Storage
        The places of the shop.
    run : str
        The folder of the run, as made by `infra.lake.run_key`. One without records gives
        a page too.

    Returns
    -------
    str
        The address of the page.
    """
    files = RecordFiles(storage.reports, run)
    snapshot = take_snapshot(files)
    files.write(SUMMARY, summarise(snapshot))
    files.write_text(PAGE, render(snapshot, earlier_runs(storage.reports, run)))
    return files.address(PAGE)


def earlier_runs(store: ObjectStore, run: str) -> Sequence[RunSummary]:
    """Return the runs that the trends of a page tell of; none where they cannot be read."""
    try:
        return runs_before(store, run, LENGTH)
    except StorageError:
        return ()


def render(
    snapshot: Snapshot,
    earlier: Sequence[RunSummary] = (),
    frame: Frame | None = None,
    around: Around | None = None,
) -> str:
    """Turn what is known of a run, and of those before it, into the page."""
    around = around or Around()
    before = [in_utc(summary.gated_at) for summary in earlier if summary.gated_at]
    return fill(
        "page.html",
        frame,
        trends=Trends(earlier),
        around=around,
        gated_before=max(before, default=None),
        **_content(snapshot),
    )


def _content(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "run": snapshot.run.removeprefix("run="),
        "title": run_title(snapshot.run),
        "snapshot": snapshot,
        "headline": headline(snapshot),
        "steps": steps(snapshot),
        "step_names": STATIONS,
        "gates": GATES,
        **_ingested(snapshot),
        "qualities": _qualities(snapshot),
        **_evaluated(snapshot),
    }


def _qualities(snapshot: Snapshot) -> list[str]:
    """Write what each candidate is worth, as a column that tells them apart."""
    candidates = snapshot.verdict.candidates if snapshot.verdict else ()
    unit = unit_of(snapshot.evaluation.judged_by) if snapshot.evaluation else PLAIN
    return in_column([candidate.quality for candidate in candidates], unit)


def _ingested(snapshot: Snapshot) -> dict[str, Any]:
    counts = snapshot.ingest
    return {"segments": charts.stack(counts.parts, counts.read) if counts else []}


def _evaluated(snapshot: Snapshot) -> dict[str, Any]:
    evaluation, verdict = snapshot.evaluation, snapshot.verdict
    if evaluation is None:
        return {"charts": [], "duels": [], "coverage": [], "other_metrics": [], "slices": []}
    shown = charts.charts(evaluation, verdict)
    covered = [metric for metric in charts.all_metrics(evaluation) if "coverage" in metric]
    drawn = {*covered, *(chart.metric for chart in shown)}
    return {
        "charts": shown,
        "duels": duels(evaluation, verdict.candidate if verdict else ""),
        "slices": slice_table(evaluation),
        "coverage": covered,
        "other_metrics": [m for m in charts.all_metrics(evaluation) if m not in drawn],
    }
