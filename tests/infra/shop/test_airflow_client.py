"""What a client makes of Airflow's answers, from a server that answers as the test wants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from infra.errors import AirflowError
from infra.shop.airflow_client import AirflowClient, TaskInstance
from tests.message_servers import Inbox, serving


class Airflow(BaseHTTPRequestHandler):
    """Answers each address from `server.answers`: a status and a text, or a list to go through."""

    server: Inbox

    def do_GET(self) -> None:
        """Answer, and keep who asked for what."""
        size = int(self.headers["Content-Length"] or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        self.server.received.append((self.command, self.path, body, self.headers["Authorization"]))
        answers = self.server.answers[self.path.partition("?")[0]]  # type: ignore[attr-defined]
        status, text = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_PATCH = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


RUN = "/api/v2/dags/d/dagRuns/manual__1%2B0"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """Return a server that logs in whoever asks; no proxy of the environment stands before it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(Airflow) as inbox:
        inbox.answers = {"/auth/token": [(201, '{"access_token": "T"}')]}  # type: ignore[attr-defined]
        yield inbox


def client_with(server: Inbox, **answers: Any) -> AirflowClient:
    """Return a client of the server, which gives these answers below /api/v2 or at a path."""
    server.answers |= answers  # type: ignore[attr-defined]
    return AirflowClient(f"http://127.0.0.1:{server.port}", "pm", "secret")


def test_it_logs_in_once_and_asks_as_the_user(server: Inbox) -> None:
    client = client_with(server, **{RUN: [(200, '{"state": "running"}')]})
    assert [client.run_state("d", "manual__1+0") for _ in range(2)] == ["running", "running"]
    assert server.received == [
        ("POST", "/auth/token", {"username": "pm", "password": "secret"}, None),
        ("GET", RUN, None, "Bearer T"),
        ("GET", RUN, None, "Bearer T"),
    ]


def test_a_run_is_triggered_with_what_it_is_told(server: Inbox) -> None:
    client = client_with(
        server, **{"/api/v2/dags/d/dagRuns": [(200, '{"dag_run_id": "manual__2"}')]}
    )
    assert client.trigger("d", {"as_of": "2026"}) == "manual__2"
    assert server.received[-1][:3] == (
        "POST",
        "/api/v2/dags/d/dagRuns",
        {"logical_date": None, "conf": {"as_of": "2026"}},
    )


@pytest.mark.parametrize(
    ("text", "detail"), [('{"detail": "no such run"}', "no such run"), ("<html>", ""), ("[1]", "")]
)
def test_a_refusal_names_what_was_asked(server: Inbox, text: str, detail: str) -> None:
    client = client_with(server, **{RUN: [(404, text)]})
    with pytest.raises(AirflowError) as told:
        client.run_state("d", "manual__1+0")
    asked = f"/api/v2/dags/d/dagRuns/manual__1%2B0: {detail}."
    assert told.value.fact == f"Airflow answered 404 to GET {asked}"


def test_no_server_is_one_line_and_no_health() -> None:
    client = AirflowClient("http://127.0.0.1:1", "pm", "secret")
    assert client.health() == {}
    with pytest.raises(AirflowError, match="Airflow does not answer at http://127.0.0.1:1. See"):
        client.runs("d")


def test_an_answer_that_is_no_json_is_no_answer(server: Inbox) -> None:
    client = client_with(server, **{RUN: [(200, "<html>")]})
    with pytest.raises(AirflowError, match="does not answer"):
        client.run_state("d", "manual__1+0")


def test_health_tells_of_the_parts_that_have_one(server: Inbox) -> None:
    health = {"scheduler": {"status": "healthy"}, "triggerer": {"status": None}}
    client = client_with(server, **{"/api/v2/monitor/health": [(200, json.dumps(health))]})
    assert client.health() == {"scheduler": "healthy"}


def test_a_dag_that_never_comes_is_told_with_its_import_errors(server: Inbox) -> None:
    errors = {"import_errors": [{"filename": "d.py", "stack_trace": "SyntaxError\n"}]}
    client = client_with(
        server,
        **{
            "/api/v2/dags/d": [(404, "{}")],
            "/api/v2/importErrors": [(200, json.dumps(errors))],
        },
    )
    with pytest.raises(AirflowError, match=r"has no DAG d\. d\.py: SyntaxError"):
        client.unpause("d", wait_seconds=0)


def test_a_run_that_is_given_up_is_marked_until_it_stays_failed(server: Inbox) -> None:
    """The second answer is a scheduler's that overwrites the mark; only the third time it holds."""
    failed, overwritten = '{"state": "failed"}', '{"state": "success"}'
    states = [failed, failed, overwritten, failed, failed]
    client = client_with(server, **{RUN: [(200, state) for state in states]})
    client.give_up("d", "manual__1+0")
    marks = [body for method, _, body, _ in server.received if method == "PATCH"]
    assert marks == [{"state": "failed"}] * 2


def test_a_run_that_never_stays_failed_is_told(server: Inbox) -> None:
    client = client_with(server, **{RUN: [(200, '{"state": "success"}')]})
    with pytest.raises(AirflowError, match="does not stay failed"):
        client.give_up("d", "manual__1+0")
    assert sum(method == "PATCH" for method, *_ in server.received) == 5


def test_tasks_come_in_the_order_of_their_ends_and_know_their_names(server: Inbox) -> None:
    def task(name: str, ended: str | None, index: int = -1, label: str | None = None) -> Any:
        facts = {"task_id": name, "map_index": index, "rendered_map_index": label, "try_number": 1}
        return facts | {"state": "running", "duration": None, "end_date": ended}

    listed = [
        task("evaluate", None),
        task("train", "2026-02", 1),
        task("train", "2026-01", 0, "popularity"),
    ]
    client = client_with(
        server, **{f"{RUN}/taskInstances": [(200, json.dumps({"task_instances": listed}))]}
    )
    tasks = client.tasks("d", "manual__1+0")
    assert [task.name for task in tasks] == ["train [popularity]", "train [1]", "evaluate"]


def test_a_task_without_a_result_has_none(server: Inbox) -> None:
    path = f"{RUN}/taskInstances/train/xcomEntries/return_value"
    client = client_with(server, **{path: [(200, '{"value": {"rows": 3}}'), (404, "{}")]})
    task = TaskInstance("train", -1, None, "success", 1.0, 1)
    results = [client.result("d", "manual__1+0", task) for _ in range(2)]
    assert results == [{"rows": 3}, None]
