"""Answers that reach a running Airflow as soon as the question is there: each is kept, once."""

from __future__ import annotations

from typing import Any

import pytest

from infra.errors import AirflowError
from infra.lake import run_key
from infra.shop.airflow_client import AirflowClient
from infra.shop.airflow_server import AirflowServer, client_of
from infra.storage import Storage
from infra.waiting import wait_until
from tests.early_questions import DAG_FILE, DAG_ID, DIGEST

QUESTIONS = 20
UNSURE = ("does not answer", "Database error")  # SQLite was locked for too long
OPEN = f"/dags/{DAG_ID}/dagRuns/~/hitlDetails?response_received=false&limit=50"


@pytest.fixture
def early(airflow_server: AirflowServer, airflow: AirflowClient) -> AirflowClient:
    """Return the view of the person who is asked."""
    (airflow_server._dags / f"{DAG_ID}.py").write_text(DAG_FILE)
    assert wait_until(lambda: airflow._has(DAG_ID), 60)
    return client_of(airflow_server.settings, "pm")


def test_no_answer_is_lost_that_is_given_at_once(
    early: AirflowClient, airflow: AirflowClient, airflow_shop: Storage
) -> None:
    runs = [early.trigger(DAG_ID, {}) for _ in range(QUESTIONS)]
    airflow.unpause(DAG_ID)
    taken = Answers(early)
    assert wait_until(lambda: taken.answer_all() and is_over(airflow), 500, 0.2)
    assert len(taken.runs) == len(set(taken.runs)), "whose answer was taken is not asked again"
    assert {*taken.runs, *taken.perhaps} == set(runs)
    for run in runs:
        assert airflow.run_state(DAG_ID, run) == "success"
        assert airflow_shop.reports.read(f"{run_key(run)}/answer").decode() == f"pm: {run}"


def is_over(airflow: AirflowClient) -> bool:
    """Tell whether no run goes on; no, where a busy Airflow says nothing."""
    try:
        return not airflow.unfinished_runs(DAG_ID)
    except AirflowError:
        return False


class Answers:
    """Somebody who answers whatever is open, and tries again if told so.

    `runs` are those whose answer was taken, `perhaps` those of which a busy Airflow did not say.
    """

    def __init__(self, person: AirflowClient) -> None:
        self._person = person
        self.runs: list[str] = []
        self.perhaps: set[str] = set()

    def answer_all(self) -> bool:
        """Answer all questions that are open now; tell whether Airflow said which."""
        try:
            found = self._person._call("GET", OPEN)["hitl_details"]
        except AirflowError:
            return False
        for form in found:
            self._answer(form["task_instance"]["dag_run_id"])
        return True

    def _answer(self, run: str) -> None:
        given = {"reason": run, "bundle": DIGEST}
        sent: dict[str, Any] = {"chosen_options": ["Approve"], "params_input": given}
        path = f"/dags/{DAG_ID}/dagRuns/{run}/taskInstances/ask/-1/hitlDetails"
        try:
            self._person._call("PATCH", path, sent)
        except AirflowError as error:
            unsure = any(words in str(error) for words in UNSURE)
            assert unsure or "409" in str(error), error
            self.perhaps |= {run} if unsure else set()
            return
        self.runs.append(run)
