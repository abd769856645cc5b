"""The reports as pages of Airflow's API server, for whoever is logged in and may read the DAG.

No file of the store is served as it is: every page is rendered from the records, so that nothing
that somebody put there reaches a browser. Pages hold no script, and their policy allows none: the
login cookie of Airflow can be read by scripts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from infra.airflow.business_pages import add_business_pages
from infra.airflow.choices import waiting_batches
from infra.airflow.html_answers import answer_errors, html, message
from infra.airflow.lists_page import add_lists_page
from infra.airflow.report_links import DAG, EXPERIMENT_DAG, RELEASE_DAG, ROLL_BACK_DAG
from infra.airflow.run_states import retraining_of, runs_over
from infra.errors import StorageError
from infra.lake import run_key
from infra.ledger.questions import waiting_question
from infra.ledger.record_files import RecordFiles
from infra.places import COMPARISON, EXPERIMENTS, SUMMARY, TRACKED
from infra.records.evaluation import ExperimentRecord
from infra.records.steps import SECTIONS
from infra.report.decisions import find_decisions, render_decisions
from infra.report.experiment import render_experiment
from infra.report.headline import Ending
from infra.report.overrides import find_overrides, render_overrides
from infra.report.page import Around, earlier_runs, render
from infra.report.quality import (
    AT_A_GLANCE,
    SHOWN,
    glance,
    last_judged_by,
    quality_page,
    recent_runs,
    render_quality,
)
from infra.report.runs import Top, find_runs, is_run, render_runs
from infra.report.snapshot import take_snapshot
from infra.report.standing import Standing, left_text, roll_back_words, standing
from infra.settings import load_settings
from infra.storage import Storage

REPORTING = (DAG, RELEASE_DAG, EXPERIMENT_DAG, ROLL_BACK_DAG)


def make_app(storage: Storage | None = None) -> FastAPI:
    """Build the pages; each, also one added later, first checks who is logged in."""
    may_read = Depends(requires_access_dag("GET", param_dag_id=DAG))
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[may_read])
    storage = storage or Storage(load_settings())
    pages = _Pages(storage)
    app.get("/")(pages.runs)
    app.get("/quality")(pages.quality)
    app.get("/decisions")(pages.decisions)
    app.get("/overrides")(pages.overrides)
    app.get("/runs/{run}")(pages.run)
    app.get("/dags/{dag_id}/runs/{run_id:path}")(pages.tab)
    add_business_pages(app, storage)
    add_lists_page(app, storage)
    answer_errors(app)
    return app


class _Pages:
    """The pages, a method for each."""

    def __init__(self, storage: Storage) -> None:
        self._storage, self._reports = storage, storage.reports

    def runs(
        self,
        request: Request,
        verdict: Ending | None = None,
        after: Annotated[str, Query(max_length=255)] = "",
    ) -> Response:
        """Show the runs, newest first."""
        if after and not is_run(after):
            raise HTTPException(404)
        over = runs_over()
        died = [run for run, state in over.items() if state == "failed"]
        page = find_runs(self._reports, verdict, after, over, died)
        top = self._top(over, whole=not (after or verdict))
        return html(request, lambda frame: render_runs(page, frame, verdict, after, top))

    def _top(self, over: Mapping[str, str], *, whole: bool) -> Top:
        """Return what stands on top of the first page; on the others, what waits for a person."""
        asked, now = waiting_question(self._storage), standing(self._storage)
        waits = asked if asked is not None and asked.run not in over else None
        if not whole:
            return Top(now=Standing(left=now.left), waits=waits)
        runs = recent_runs(self._reports, over, AT_A_GLANCE)
        return Top(
            now=now,
            drawn=glance(runs, now),
            metric=last_judged_by(runs),
            waits=waits,
            stopped=waiting_batches(self._storage),
        )

    def quality(
        self, request: Request, metric: Annotated[str, Query(max_length=100)] = ""
    ) -> Response:
        """Show what the last runs have measured."""
        runs = recent_runs(self._reports, runs_over(), SHOWN)
        page = quality_page(runs, standing(self._storage), metric)
        return html(request, lambda frame: render_quality(page, frame))

    def decisions(
        self,
        request: Request,
        at: Annotated[str, Query(max_length=60)] = "",
        before: Annotated[int | None, Query(ge=1)] = None,
    ) -> Response:
        """Show who decided what, and what was live at a time one may ask for."""
        page = find_decisions(self._storage, at.strip(), before)
        status = HTTPStatus.UNPROCESSABLE_ENTITY if page.mistake else HTTPStatus.OK
        return html(request, lambda frame: render_decisions(page, frame), status, form="'self'")

    def overrides(self, request: Request) -> Response:
        """Show what curators pin, boost and block, and since when."""
        page = find_overrides(self._storage, datetime.now(UTC))
        return html(request, lambda frame: render_overrides(page, frame))

    def run(self, request: Request, run: str) -> Response:
        """Show the report of a run that has left a record, or ended without one."""
        if not is_run(run):
            raise HTTPException(404)
        return self._report(request, run, must_exist=True)

    def tab(self, request: Request, dag_id: str, run_id: str, task: str = "") -> Response:
        """Show the report of a run by the names Airflow has for it, at the part of a task."""
        run = retraining_of(run_id) if dag_id == RELEASE_DAG else run_key(run_id)
        if task in SECTIONS:
            return RedirectResponse(f"{request.url.path}#{SECTIONS[task]}", HTTPStatus.SEE_OTHER)
        if dag_id in (EXPERIMENT_DAG, ROLL_BACK_DAG):
            return self._of_other(request, dag_id, run)
        if dag_id not in (DAG, RELEASE_DAG):
            only = f"Only runs of {', '.join(REPORTING)} leave a report."
            return html(request, message("No report", only))
        if not is_run(run):
            raise HTTPException(404)
        return self._report(request, run)

    def _of_other(self, request: Request, dag_id: str, run: str) -> Response:
        """Show what an experiment found, or what a roll-back moved."""
        if dag_id == ROLL_BACK_DAG:
            return html(request, message(*roll_back_words(standing(self._storage), run)))
        files = RecordFiles(self._reports, f"{EXPERIMENTS}/{run.removeprefix('run=')}")
        record = files.read(COMPARISON, ExperimentRecord) if is_run(run) else None
        if record is None:
            yet = "compare_variants, the last task, writes this page."
            return html(request, message("Nothing compared yet", yet))
        return html(request, lambda frame: render_experiment(record, frame))

    def _in_mlflow(self, files: RecordFiles) -> tuple[tuple[str, str], ...]:
        """Return the pages that MLflow has of a run's models; none where it was not tracked."""
        try:
            tracked = files.read_mapping(TRACKED) or {}
        except StorageError:
            tracked = {}
        address = self._storage.settings.mlflow_address.rstrip("/")
        return tuple((name, f"{address}/{page}") for name, page in sorted(tracked.items()))

    def _report(self, request: Request, run: str, *, must_exist: bool = False) -> Response:
        files = RecordFiles(self._reports, run)
        snapshot = take_snapshot(files, over=run in runs_over())
        if must_exist and not (snapshot.reached or snapshot.over or files.exists(SUMMARY)):
            raise HTTPException(404)
        earlier = earlier_runs(self._reports, run)
        left = standing(self._storage).left.get(run, ())
        around = Around(tuple(map(left_text, left)), self._in_mlflow(files))
        return html(request, lambda frame: render(snapshot, earlier, frame, around))
