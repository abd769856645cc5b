"""An answer reaches Airflow only while its question waits; strangers hear what Airflow says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from infra.airflow import answers_in_time
from infra.airflow.answers_in_time import EARLY, LATE, AnswersInTime

FORM = "/api/v2/dags/release_candidate/dagRuns/asked__2026-11-24T12%3A00/taskInstances"
ASKS = f"{FORM}/approve_release/-1/hitlDetails"
STATES = {
    "awaiting_input": 200,
    "deferred": 200,
    None: 200,  # Airflow knows no such task, and says so
    "": EARLY,
    "scheduled": EARLY,
    "running": EARLY,
    "up_for_retry": EARLY,
    "skipped": LATE,
    "success": LATE,
    "failed": LATE,
}


class Airflow:
    """Takes every answer, as Airflow does; one task is in the state that a test wants."""

    def __init__(self) -> None:
        self.state: str | None = "awaiting_input"
        self.asked: list[dict[str, str]] = []
        self.logged_in = True
        app = FastAPI()
        app.add_middleware(AnswersInTime)
        for method in ("GET", "PATCH"):
            app.add_api_route("/{path:path}", lambda path: {"taken": path}, methods=[method])
        self.client = TestClient(app)

    def look(self, form: dict[str, str]) -> str | None:
        """Return the state of a task."""
        self.asked.append(form)
        return self.state

    async def is_logged_in(self, scope: Any) -> bool:
        """Tell whether somebody is."""
        return self.logged_in


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    made = Airflow()
    monkeypatch.setattr(answers_in_time, "_state", made.look)
    monkeypatch.setattr(answers_in_time, "_is_logged_in", made.is_logged_in)
    yield made


@pytest.mark.parametrize("state", STATES)
def test_an_answer_is_taken_only_while_it_is_waited_for(
    airflow: Airflow, state: str | None
) -> None:
    airflow.state = state
    answer = airflow.client.patch(ASKS)
    if STATES[state] == 200:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()) == (409, {"detail": STATES[state]})
    (form,) = airflow.asked
    assert form["run_id"] == "asked__2026-11-24T12:00" and form["task_id"] == "approve_release"


def test_strangers_hear_what_airflow_says(airflow: Airflow) -> None:
    airflow.state, airflow.logged_in = "skipped", False
    assert airflow.client.patch(ASKS).status_code == 200
    assert airflow.asked == [], "and learn of no state"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ASKS), ("PATCH", f"{FORM}/approve_release"), ("PATCH", "/")]
)
def test_nothing_else_is_touched(airflow: Airflow, method: str, path: str) -> None:
    airflow.state = "skipped"
    assert airflow.client.request(method, path).status_code == 200
    assert airflow.asked == []
