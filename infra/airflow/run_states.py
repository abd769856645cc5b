"""What Airflow's database knows of runs and their records do not: that one is over."""

from __future__ import annotations

from infra.airflow.home import DAG
from infra.storage import run_key

KNOWN = 1000  # runs asked for; older ones are shown as their records left them


def runs_over() -> frozenset[str]:
    """Return the folders of the last runs that have ended, well or not; for the API server only."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    ended = (DagRun.dag_id == DAG, DagRun.state.in_(("success", "failed")))
    query = select(DagRun.run_id).where(*ended).order_by(DagRun.run_after.desc()).limit(KNOWN)
    with create_session() as session:
        return frozenset(map(run_key, session.scalars(query)))
