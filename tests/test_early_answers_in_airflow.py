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
from tests.early_questions import DAG_FILE, DAG_ID, DIGEST, asked

QUESTIONS = 20
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
    assert wait_until(lambda: taken.answer_all() or not airflow.unfinished_runs(DAG_ID), 400, 0.2)
    assert len(taken.runs) == len(set(taken.runs)), "whose answer was taken is not asked again"
    assert set(taken.runs) == set(runs)
    for run in runs:
        (task,) = airflow.tasks(DAG_ID, run)
        assert (task.state, task.try_number) == ("success", 1), "no end of a worker is a crash"
        assert airflow_shop.reports.read(f"{run_key(run)}/answer").decode() == f"pm: {run}"
        assert len(asked(airflow_shop, run_key(run))) == 1


class Answers:
    """Somebody who answers whatever is open, and tries again if told so."""

    def __init__(self, person: AirflowClient) -> None:
        self._person = person
        self.runs: list[str] = []

    def answer_all(self) -> None:
        """Answer all questions that are open now."""
        for form in self._person._call("GET", OPEN)["hitl_details"]:
            self._answer(form["task_instance"]["dag_run_id"])

    def _answer(self, run: str) -> None:
        given = {"reason": run, "bundle": DIGEST}
        sent: dict[str, Any] = {"chosen_options": ["Approve"], "params_input": given}
        path = f"/dags/{DAG_ID}/dagRuns/{run}/taskInstances/ask/-1/hitlDetails"
        try:
            self._person._call("PATCH", path, sent)
        except AirflowError as error:
            assert "409" in str(error), error
            return
        self.runs.append(run)
