"""Asks Airflow's database which runs have ended: their records cannot tell."""

from __future__ import annotations

from infra.airflow.report_links import DAG
from infra.lake import run_key

KNOWN = 10_000  # runs asked for, seven years of four a day; older ones are shown as they left off


def runs_over() -> dict[str, str]:
    """Return the last runs that have ended: folder to `success` or `failed`.

    For the API server only.
    """
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    ended = (DagRun.dag_id == DAG, DagRun.state.in_(("success", "failed")))
    states = select(DagRun.run_id, DagRun.state).where(*ended)
    query = states.order_by(DagRun.run_after.desc()).limit(KNOWN)
    with create_session() as session:
        return {run_key(run_id): str(state) for run_id, state in session.execute(query)}
