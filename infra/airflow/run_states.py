"""Asks Airflow's database which runs have ended: their records cannot tell."""

from __future__ import annotations

from typing import Any

from infra.airflow.report_links import DAG, RELEASE_DAG, run_about
from infra.lake import run_key

KNOWN = 10_000  # runs asked for, seven years of four a day; older ones are shown as they left off


def runs_over() -> dict[str, str]:
    """Return the last runs that have ended: folder to `success` or `failed`.

    A retraining goes on while a run of `release_candidate` is about it. For the API server only.
    """
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    ended = (DagRun.dag_id == DAG, DagRun.state.in_(("success", "failed")))
    states = select(DagRun.run_id, DagRun.state).where(*ended)
    query = states.order_by(DagRun.run_after.desc()).limit(KNOWN)
    going_on = DagRun.dag_id == RELEASE_DAG, DagRun.state.in_(("queued", "running"))
    with create_session() as session:
        over = {run_key(run_id): str(state) for run_id, state in session.execute(query)}
        for run_id, form in session.execute(select(DagRun.run_id, DagRun.conf).where(*going_on)):
            over.pop(run_about(RELEASE_DAG, run_id, form or {}), None)
    return over


def retraining_of(run_id: str) -> str:
    """Return the folder of the retraining that a run of `release_candidate` is about.

    Empty if Airflow does not know the run. For the API server only.
    """
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = select(DagRun.conf).where(DagRun.dag_id == RELEASE_DAG, DagRun.run_id == run_id)
    with create_session() as session:
        form: dict[str, Any] | None = session.scalar(query)
    return run_about(RELEASE_DAG, run_id, form) if form else ""
