"""What `make up` says before it waits: where everything is, and what each user may do."""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler

import pytest

from infra.errors import AirflowError
from infra.shop.airflow_home import USERS, may, passwords
from infra.shop.up import _answers, start_mlflow, welcome
from infra.storage import Storage
from tests.message_servers import serving


class Health(BaseHTTPRequestHandler):
    """Answers with the status of its server."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def said_of(user: str, text: str) -> str:
    (line,) = (line for line in text.splitlines() if line.split()[:1] == [user])
    return line


def test_it_says_where_all_is_and_what_comes_next(shop: Storage) -> None:
    settings = shop.settings.model_copy(update={"airflow_port": 8123, "mlflow_port": 5123})
    text = welcome(settings, "What comes next.")
    assert "Airflow  http://127.0.0.1:8123" in text
    assert "MLflow   http://127.0.0.1:5123" in text
    assert f"Files    {settings.home}" in text
    assert text.splitlines()[-2:] == ["What comes next.", "Ctrl-C stops all."]


def test_it_says_of_each_user_the_password_and_what_is_allowed(shop: Storage) -> None:
    text = welcome(shop.settings, "")
    for user, password in passwords(shop.settings.airflow_home).items():
        assert password in said_of(user, text)
    assert said_of("pm", text).endswith("; approve releases")
    for user in ("ds", "de", "admin"):
        assert said_of(user, text).endswith("; but not approve releases")
    assert said_of("analyst", text).endswith(" read")


def test_who_may_approve_follows_the_setting() -> None:
    approvers = ("ds", "de", "analyst")
    able = [user for user in USERS if may(user, approvers).endswith("; approve releases")]
    assert able == ["ds", "de"], "Airflow refuses a viewer, whoever names it"


def test_it_explains_the_red_triggerer(shop: Storage) -> None:
    assert "Triggerer in red: none runs" in welcome(shop.settings, "")


def test_a_tracking_server_elsewhere_is_named_and_not_started(shop: Storage) -> None:
    elsewhere = shop.settings.model_copy(update={"mlflow_uri": "http://mlflow.shop.example"})
    assert elsewhere.mlflow_address == "http://mlflow.shop.example"

    class Server:
        settings = elsewhere

    start_mlflow(Server())  # type: ignore[arg-type] - it would need `launch` to start anything


def test_mlflow_that_ends_ends_the_wait(shop: Storage) -> None:
    launched = []
    address = "postgresql://catwalk:pass@host/mlflow"

    class Server:
        settings = shop.settings.model_copy(update={"mlflow_port": 1, "mlflow_uri": address})

        def launch(self, name: str, command: list[str], **variables: str) -> None:
            launched.append((name, command))
            assert variables["MLFLOW_BACKEND_STORE_URI"] == address

        def check(self) -> None:
            raise AirflowError("mlflow ended with status 1.", "See its log.")

    with pytest.raises(AirflowError, match="mlflow ended"):
        start_mlflow(Server())  # type: ignore[arg-type]
    assert [name for name, _ in launched] == ["mlflow"]
    assert "pass" not in " ".join(launched[0][1]), "whoever has an account here sees commands"


@pytest.mark.parametrize(("status", "is_up"), [(200, True), (500, False), (404, False)])
def test_a_server_answers_when_it_says_it_is_well(
    monkeypatch: pytest.MonkeyPatch, status: int, is_up: bool
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving(Health, status) as server:
        assert _answers(f"http://127.0.0.1:{server.port}/health") is is_up


def test_nobody_on_the_port_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert _answers(f"http://127.0.0.1:{port}/health") is False
