"""Defines one shop's Airflow: its environment, its users and its keys."""

from __future__ import annotations

import base64
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from infra.places import REPOSITORY
from infra.private_files import read_private, write_private
from infra.settings import PREFIX, Settings

DAGS_FOLDER = REPOSITORY / "dags"
PLUGINS_FOLDER = REPOSITORY / "infra/airflow/plugins"
USERS = {"admin": "admin", "pm": "user", "ds": "user", "de": "op", "analyst": "viewer"}
ROLES = {  # what Airflow's SimpleAuthManager lets them do
    "admin": "do all that Airflow offers",
    "op": "read, start, repair, roll back, edit connections and variables",
    "user": "read, start, repair, roll back",
    "viewer": "read",
}


@dataclass(frozen=True)
class Keys:
    """Airflow's own keys: made once per home, so that a restart logs nobody out."""

    jwt: str
    session: str
    fernet: str


def airflow_keys(home: Path) -> Keys:
    """Return the keys of an Airflow home, made at the first call."""
    return Keys(**_made_once(home / "keys.json", {"jwt": _key, "session": _key, "fernet": _key}))


def passwords(home: Path) -> dict[str, str]:
    """Return the password of every user, made at the first call; the file may be edited."""
    return _made_once(_passwords_file(home), dict.fromkeys(USERS, lambda: secrets.token_urlsafe(9)))


def may(user: str, approvers: Sequence[str]) -> str:
    """Say what a user may do; a release is approved only by whom CATWALK_APPROVERS names."""
    role = USERS[user]
    if role == "viewer":  # Airflow lets them answer nothing, whoever names them
        return ROLES[role]
    return f"{ROLES[role]}; {'approve' if user in approvers else 'but not approve'} releases"


def _made_once(file: Path, makers: dict[str, Any]) -> dict[str, str]:
    made = read_private(file)
    missing = {name: make() for name, make in makers.items() if name not in made}
    if missing:
        write_private(file, made | missing)
    return {name: (made | missing)[name] for name in makers}


def _key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _passwords_file(home: Path) -> Path:
    return home / "passwords.json"


def environment(
    settings: Settings, keys: Keys, dags: Path = DAGS_FOLDER, *, scheduled: bool = True
) -> dict[str, str]:
    """Return the variables under which all parts of this shop's Airflow run.

    Parameters
    ----------
    settings : Settings
        Handed on to the tasks, each as its own CATWALK_ variable.
    keys : Keys
        From `airflow_keys`.
    dags : Path
        Folder of the DAG files.
    scheduled : bool
        False: runs start only when asked for, not by the clock.
    """
    address = f"http://127.0.0.1:{settings.airflow_port}"
    return {
        "AIRFLOW_HOME": str(settings.airflow_home),
        **_core(settings, keys, dags),
        **_api(settings, keys, address),
        **_timing(scheduled=scheduled),
        **_task_environment(settings),
    }


def _core(settings: Settings, keys: Keys, dags: Path) -> dict[str, str]:
    """Return where everything is, and who may log in."""
    home = settings.airflow_home
    users = ",".join(f"{name}:{role}" for name, role in USERS.items())
    return {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__EXECUTOR": "infra.airflow.patient_executor.PatientExecutor",
        "AIRFLOW__CORE__FERNET_KEY": keys.fernet,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS_FOLDER),
        "AIRFLOW__CORE__PARALLELISM": "4",  # 32 workers, the default, take 5.4 GB
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords_file(home)),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }


def _api(settings: Settings, keys: Keys, address: str) -> dict[str, str]:
    """Return how browsers, programs and tasks reach the server."""
    return {
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__SECRET_KEY": keys.session,
        "AIRFLOW__API_AUTH__JWT_SECRET": keys.jwt,
    }


def _timing(*, scheduled: bool) -> dict[str, str]:
    """Return how often Airflow looks for what."""
    return {
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        # A changed file is read at once; unchanged ones every 10 s took 40% of a core.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",  # 8 small tasks: 3 s, not 10 s
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",  # take up a killed run at once
        "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "5",  # an approval that came too late
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(scheduled),
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",  # an answer given sooner fails the task
    }


def _task_environment(settings: Settings) -> dict[str, str]:
    """Return what tasks need: the settings, this Python for Spark's workers, and no telemetry."""
    return {
        **settings_environment(settings),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "DO_NOT_TRACK": "true",
        "GX_ANALYTICS_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def inherited(around: Mapping[str, str]) -> dict[str, str]:
    """Return the variables around us as Airflow shall see them.

    Programs of this Python come first on the PATH, no proxy is used between Airflow and its own
    tasks, and Airflow settings that belong to another Airflow are left behind.
    """
    kept = {name: text for name, text in around.items() if not name.startswith("AIRFLOW__")}
    near = ",".join(filter(None, [around.get("NO_PROXY", ""), "127.0.0.1", "localhost"]))
    programs = f"{Path(sys.executable).parent}:{around.get('PATH', os.defpath)}"
    return kept | {"PATH": programs, "NO_PROXY": near, "no_proxy": near}


def settings_environment(settings: Settings) -> dict[str, str]:
    """Write settings back as the variables they are read from; those left empty are left out."""
    named = {PREFIX + name.upper(): value for name, value in settings}
    return {name: text for name, value in named.items() if (text := _as_text(value))}


def _as_text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(value) if isinstance(value, tuple) else str(value)
