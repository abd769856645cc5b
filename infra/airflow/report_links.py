"""The addresses of the reports inside Airflow; light, since every Airflow process loads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from infra.lake import arm_key, run_key

DAG = "retrain_recommender"
RELEASE_DAG = "release_candidate"  # its runs are about a run of the other
EXPERIMENT_DAG, ROLL_BACK_DAG = "experiment", "roll_back_release"
AB_TEST_DAG = "start_ab_test"
BASE = "/catwalk"
NAV_ROUTE = "catwalk-reports"
RUN_ROUTE = "catwalk-report"


def report_link(airflow: str, dag: str, run_id: str) -> str:
    """Return the address of a run's report: the tab of the run in the UI of an Airflow."""
    run = f"/dags/{quote(dag, safe='')}/runs/{quote(run_id, safe='')}"
    return f"{airflow.rstrip('/')}{run}/plugin/{RUN_ROUTE}"


def report_address(dag: str, run_id: str) -> str:
    """Return the same in full, by the address that this Airflow has in its own settings."""
    from airflow.sdk.configuration import conf

    base = str(conf.get("api", "base_url", fallback="http://localhost:8080"))
    return report_link(base, dag, run_id)


def run_about(dag: str, run_id: str, form: Mapping[str, Any]) -> str:
    """Return the folder that a run of a DAG is about, as `run_key` makes those of retrainings.

    `release_candidate` is told it by its form: as the reports name it, or as Airflow does. What
    `start_ab_test` makes is no run of its own, so it lies in a folder `arm=`.
    """
    if dag == AB_TEST_DAG:
        return arm_key(run_id)
    if dag != RELEASE_DAG:
        return run_key(run_id)
    named = str(form.get("run") or "").strip()
    return run_key(named.removeprefix("run="))
