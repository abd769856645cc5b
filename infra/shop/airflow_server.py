"""Starts and stops one shop's Airflow: API server, scheduler and DAG processor."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.airflow.spark_pool import ABOUT, SPARK_POOL, SPARK_SLOTS
from infra.errors import AirflowError
from infra.settings import Settings
from infra.shop.airflow_client import AirflowClient
from infra.shop.airflow_home import DAGS_FOLDER, airflow_keys, environment, inherited, passwords
from infra.shop.home_lock import HomeLock
from infra.shop.processes import GuardedProcess, stop_all
from infra.waiting import wait_until

PARTS = {  # started together; no triggerer, for approvals need none
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),  # the API server reads the files itself
    "dag-processor": ("dag-processor",),
}
HEALTHY_PARTS = ("metadatabase", "scheduler", "dag_processor")
START_SECONDS = 180.0


class AirflowServer:
    """Airflow while the `with` block lasts.

    Parameters
    ----------
    settings : Settings
        The shop; its home is locked, so that no second server works on it.
    program : str
        What people started, for the message to whoever finds the home locked.
    dags : Path
        Folder of the DAG files.
    scheduled : bool
        False: runs start only when triggered.
    """

    def __init__(
        self,
        settings: Settings,
        program: str,
        dags: Path = DAGS_FOLDER,
        *,
        scheduled: bool = True,
    ) -> None:
        self.settings = settings
        self._program = program
        self._dags = dags
        self._scheduled = scheduled
        self._lock = HomeLock(settings.home)
        self._processes: list[GuardedProcess] = []
        self._environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def launch(self, name: str, command: Sequence[str], **variables: str) -> None:
        """Run another server of this home beside Airflow; it stops with it."""
        around = self._environment | variables
        held = [self._lock.fileno()]
        self._processes.append(GuardedProcess(name, command, around, self._logs, held))

    def check(self) -> None:
        """Raise `AirflowError` if a part has ended by itself."""
        for process in self._processes:
            if process.status is not None:
                raise _ended(process)

    def stop(self) -> None:
        """Stop all parts, within seconds; without effect if none runs."""
        stop_all(self._processes)
        self._processes.clear()
        self._lock.give_back()

    @property
    def _logs(self) -> Path:
        return self.settings.airflow_home / "logs"

    def _start(self) -> None:
        home = self.settings.airflow_home
        self._lock.take(self._program, self.settings.airflow_port)
        require_free_port(self.settings.airflow_port, "CATWALK_AIRFLOW_PORT")
        passwords(home)
        own = environment(self.settings, airflow_keys(home), self._dags, scheduled=self._scheduled)
        self._environment = inherited(os.environ) | own
        self._migrate()
        for name, arguments in PARTS.items():
            self.launch(name, _airflow(*arguments))
        self._wait_until_healthy()
        client_of(self.settings).ensure_pool(SPARK_POOL, SPARK_SLOTS, ABOUT)

    def _migrate(self) -> None:
        """Bring the database to this version of Airflow; skipped (8 s) where that was done.

        A first database is made aside: one that was killed half-way would never migrate again.
        """
        home = self.settings.airflow_home
        database, stamp = home / "airflow.db", home / f".migrated-{version('apache-airflow-core')}"
        if stamp.exists() and database.exists():
            return
        aside = home / ".airflow.db.new"
        aside.unlink(missing_ok=True)
        target = database if database.exists() else aside
        self._run("migrate", _airflow("db", "migrate"), target)
        target.replace(database)
        stamp.touch()

    def _run(self, name: str, command: Sequence[str], database: Path) -> None:
        """Run a command on a database until it ends."""
        address = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}"}
        process = GuardedProcess(
            name, command, self._environment | address, self._logs, [self._lock.fileno()]
        )
        try:
            status = process.wait()
        finally:
            stop_all([process])
        if status != 0:
            raise _ended(process)

    def _wait_until_healthy(self) -> None:
        client = client_of(self.settings)

        def is_healthy() -> bool:
            self.check()
            health = client.health()
            return all(health.get(part) == "healthy" for part in HEALTHY_PARTS)

        if not wait_until(is_healthy, START_SECONDS, 0.2):
            raise AirflowError(
                f"Airflow is not healthy after {START_SECONDS:.0f} s: {client.health()}.",
                f"See the files in {self._logs}.",
            )


def client_of(settings: Settings, user: str = "admin") -> AirflowClient:
    """Return a client of the Airflow that runs, or will run, with these settings."""
    address = f"http://127.0.0.1:{settings.airflow_port}"
    return AirflowClient(address, user, passwords(settings.airflow_home)[user])


def require_free_port(port: int, variable: str) -> None:
    """Raise `AirflowError` naming the setting if something else listens on a port of ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise AirflowError(
                f"Port {port} is taken.", f"Set {variable} to a free one, or stop what uses it."
            ) from error


def _ended(process: GuardedProcess) -> AirflowError:
    return AirflowError(
        f"{process.name} ended with status {process.status}:\n{process.last_lines()}\n",
        f"All of it is in {process.log}.",
    )


def _airflow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]
