"""Runs one shop: Airflow that retrains on the schedule, MLflow's pages, and what serves the shop.

CATWALK_HOME=var/my_shop python -m infra.shop.up --serve MODULE    `make up` names the module

Ctrl-C stops all.
"""

from __future__ import annotations

import argparse
import math
import sys
import time

import httpx

from infra.airflow.report_links import DAG
from infra.belonging import require_own_stores
from infra.command_line import run_program, text_table
from infra.ledger.tokens import first_token
from infra.places import MLFLOW
from infra.settings import Settings
from infra.shop.airflow_client import AirflowClient
from infra.shop.airflow_home import USERS, may, passwords
from infra.shop.airflow_server import AirflowServer, client_of, require_free_port
from infra.shop.historic_shops import ends_at
from infra.shop_home import open_home
from infra.storage import Storage
from infra.waiting import wait_until

TRIGGERER = "Airflow's home page shows the Triggerer in red: none runs, since no task needs one."


def main() -> int:
    """Start everything and stay until told to stop."""
    parser = argparse.ArgumentParser(prog="infra.shop.up", description=__doc__.splitlines()[0])
    parser.add_argument("--serve", metavar="MODULE", help="program that answers the shop's backend")
    serve = parser.parse_args().serve
    settings = open_home()
    require_own_stores(Storage(settings))
    require_free_port(settings.mlflow_port, "CATWALK_MLFLOW_PORT")
    print(f"Starting Airflow and MLflow for {settings.home} ...", flush=True)
    ended = ends_at(settings)
    with AirflowServer(settings, "make up", scheduled=ended is None) as server:
        start_mlflow(server)
        client = client_of(settings)
        client.unpause(DAG)
        print(welcome(settings, _what_next(settings, client)), flush=True)
        if serve:
            print(start_serving(server, serve), flush=True)
        return _stay(server)


def _stay(server: AirflowServer) -> int:
    """Wait for Ctrl-C, which is how this program is meant to end."""
    try:
        while True:
            server.check()
            time.sleep(1)
    except KeyboardInterrupt:
        return 0


def start_mlflow(server: AirflowServer) -> None:
    """Start MLflow's pages unless a tracking server elsewhere has them; wait until they answer."""
    settings = server.settings
    if settings.mlflow_uri.startswith("http"):
        return
    port, artifacts = str(settings.mlflow_port), str(settings.home / MLFLOW / "artifacts")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port]
    options = ["--workers", "1", "--artifacts-destination", artifacts]
    around = {
        "MLFLOW_BACKEND_STORE_URI": settings.mlflow_uri,  # all users may see a command
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 0.6 GB in 2 processes, not 1.8 in 10
    }
    server.launch("mlflow", [*command, *options], **around)
    health = f"{settings.mlflow_address}/health"

    def answers() -> bool:
        server.check()  # ends the wait where MLflow has ended
        return _answers(health)

    wait_until(answers, math.inf, 0.2)


def start_serving(server: AirflowServer, module: str) -> str:
    """Start what answers the shop's backend; return where it is, and the first token if it is new.

    The token is made here, since what the server says goes to a log.
    """
    settings = server.settings
    require_free_port(settings.serving_port, "CATWALK_SERVING_PORT")
    token = first_token(Storage(settings))
    server.launch("serving", [sys.executable, "-m", module])
    where = f"  Serving  http://{settings.serving_host}:{settings.serving_port}"
    return f"{where}\n  Token    {token} (shown this once)" if token else where


def welcome(settings: Settings, next_step: str) -> str:
    """Say where everything is and who may enter."""
    secret = passwords(settings.airflow_home)
    users = [
        (name, secret[name], role, may(name, settings.approvers)) for name, role in USERS.items()
    ]
    return "\n".join(
        [
            "",
            f"  Airflow  http://127.0.0.1:{settings.airflow_port}",
            f"  MLflow   {settings.mlflow_address}",
            f"  Files    {settings.home}",
            "",
            text_table(("User", "Password", "Role", "May"), users),
            "",
            TRIGGERER,
            next_step,
            "Ctrl-C stops all.",
        ]
    )


def _what_next(settings: Settings, client: AirflowClient) -> str:
    ended = ends_at(settings)
    if ended:
        return f"This shop's data ends at {ended:%Y-%m-%d}: retrain it with `make demo DATA=...`."
    if client.runs(DAG) == 0:
        return f"Nothing was trained here yet: `make demo` fills a home. {_schedule(settings)}"
    return _schedule(settings)


def _schedule(settings: Settings) -> str:
    return f"{DAG} runs at `{settings.schedule}` (UTC)."


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    sys.exit(run_program(main))
