"""The report page of a run: one HTML file without scripts that needs nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from infra.record_files import PAGE, SUMMARY, RecordFiles
from infra.report import charts
from infra.report.headline import headline
from infra.report.snapshot import GATES, STEPS, Snapshot, take_snapshot
from infra.report.steps import steps
from infra.report.summary import summarise
from infra.report.templates import Frame, fill
from infra.storage import Storage


def write_report(storage: Storage, run: str) -> str:
    """Write the page and the summary of a run from the records it has so far.

    Parameters
    ----------
    storage : Storage
        The places of the shop.
    run : str
        The folder of the run, as made by `infra.storage.run_key`. One without records gives
        a page too.

    Returns
    -------
    str
        The address of the page.
    """
    files = RecordFiles(storage.reports, run)
    snapshot = take_snapshot(files)
    files.write(SUMMARY, summarise(snapshot))
    files.write_text(PAGE, render(snapshot))
    return files.address(PAGE)


def render(snapshot: Snapshot, frame: Frame | None = None, now: datetime | None = None) -> str:
    """Turn what is known of a run into the page."""
    return fill("page.html", frame, now=now, **_content(snapshot))


def _content(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "run": snapshot.run.removeprefix("run="),
        "snapshot": snapshot,
        "headline": headline(snapshot),
        "steps": steps(snapshot),
        "step_names": STEPS,
        "gates": GATES,
        **_ingested(snapshot),
        **_evaluated(snapshot),
    }


def _ingested(snapshot: Snapshot) -> dict[str, Any]:
    counts = snapshot.ingest
    return {"segments": charts.stack(counts.parts, counts.read) if counts else []}


def _evaluated(snapshot: Snapshot) -> dict[str, Any]:
    evaluation, verdict = snapshot.evaluation, snapshot.verdict
    if evaluation is None:
        return {"charts": [], "coverage": [], "other_metrics": []}
    shown = charts.charts(evaluation, verdict)
    covered = [metric for metric in charts.all_metrics(evaluation) if "coverage" in metric]
    drawn = {*covered, *(chart.metric for chart in shown)}
    return {
        "charts": shown,
        "coverage": covered,
        "other_metrics": [m for m in charts.all_metrics(evaluation) if m not in drawn],
    }
