"""The addresses of the reports inside Airflow; light, since every Airflow process loads it."""

from __future__ import annotations

from urllib.parse import quote

DAG = "retrain_recommender"
BASE = "/catwalk"
NAV_ROUTE = "catwalk-reports"
RUN_ROUTE = "catwalk-report"


def report_link(airflow: str, dag: str, run_id: str) -> str:
    """Return the address of a run's report: the tab of the run in the UI of an Airflow."""
    run = f"/dags/{quote(dag, safe='')}/runs/{quote(run_id, safe='')}"
    return f"{airflow.rstrip('/')}{run}/plugin/{RUN_ROUTE}"
