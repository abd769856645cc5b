"""The report page of a run: one HTML file without scripts that needs nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.records import Check, EvaluationRecord, GateRecord, Score
from infra.report import charts, wording
from infra.report.headline import headline
from infra.report.snapshot import GATES, STEPS, Snapshot, take_snapshot
from infra.report.steps import gate_state, judgement_state, steps, verdict_state
from infra.run_records import RunRecords
from infra.storage import Storage

if TYPE_CHECKING:
    from jinja2 import Environment


def write_report(storage: Storage, run: str) -> str:
    """Write the page of a run from the records it has so far, and return its address.

    Parameters
    ----------
    storage : Storage
        The places of the shop.
    run : str
        The folder of the run, as made by `infra.storage.run_key`. One without records gives
        a page too.
    """
    records = RunRecords(storage, run)
    return records.save_page(render(take_snapshot(records), datetime.now(UTC)))


def render(snapshot: Snapshot, now: datetime) -> str:
    """Turn what is known of a run into the page."""
    return _environment().get_template("page.html").render(_content(snapshot, now))


def _content(snapshot: Snapshot, now: datetime) -> dict[str, Any]:
    return {
        "run": snapshot.run.removeprefix("run="),
        "now": now,
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


def _worst_first(gate: GateRecord) -> list[Check]:
    order = ("critical", "warning", "info")
    return sorted(gate.checks, key=lambda check: order.index(check.severity))


def _check_texts(check: Check) -> tuple[str, str]:
    """Return the value and the limit of a check, precise enough to tell them apart."""
    limits = [end for end in (check.min, check.max) if end is not None]
    within_one = all(abs(each) <= 1 for each in (*limits, check.value or 0.0))
    share = within_one and wording.is_share(f"{check.name} {check.says}")
    digits = wording.beside(check.value, limits, share=share)
    value = wording.number(check.value, share=share, digits=digits)
    return value, wording.limit(check.min, check.max, share=share)


def _metric_text(metric: str, value: float | None) -> str:
    return wording.number(value, share=wording.is_share(metric))


def _score_text(evaluation: EvaluationRecord, metric: str, score: Score) -> str:
    values = [each.metrics[metric] for each in evaluation.scores if metric in each.metrics]
    return charts.value_text(metric, score.metrics.get(metric), values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        moment=wording.moment,
        plain=wording.plain_name,
        sentence=wording.sentence_case,
        worst_first=_worst_first,
    )
    environment.globals.update(
        number=wording.number,
        counted=wording.counted,
        check_texts=_check_texts,
        metric_text=_metric_text,
        score_text=_score_text,
        gate_state=gate_state,
        judgement_state=judgement_state,
        verdict_state=verdict_state,
    )
    return environment
