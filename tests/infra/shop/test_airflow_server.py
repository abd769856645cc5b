"""Airflow of a shop: what it runs under, who may start it, and that nothing of it stays."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from infra.demo.progress import RunProgress
from infra.errors import AirflowError, SettingsError
from infra.settings import Settings
from infra.shop.airflow_client import AirflowClient
from infra.shop.airflow_home import (
    PLUGINS_FOLDER,
    Keys,
    airflow_keys,
    environment,
    inherited,
    passwords,
)
from infra.shop.airflow_server import AirflowServer, client_of, require_free_port
from infra.shop.home_lock import HomeLock
from infra.shop.processes import GuardedProcess
from infra.storage import Storage
from infra.waiting import wait_until

KEYS = Keys(jwt="j", session="s", fernet="f")


def test_environment_is_this(shop: Storage) -> None:
    home = shop.settings.home
    settings = shop.settings.model_copy(update={"airflow_port": 8080})
    found = environment(settings, KEYS, Path("/dags"), scheduled=False)
    shown = {name: text.replace(str(home), "HOME") for name, text in found.items()}
    assert shown.pop("PYSPARK_PYTHON") == shown.pop("PYSPARK_DRIVER_PYTHON") == sys.executable
    airflow = {name: text for name, text in shown.items() if name.startswith("AIRFLOW")}
    assert airflow == {
        "AIRFLOW_HOME": "HOME/airflow",
        "AIRFLOW__API_AUTH__JWT_SECRET": "j",
        "AIRFLOW__API__BASE_URL": "http://127.0.0.1:8080",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": "8080",
        "AIRFLOW__API__SECRET_KEY": "s",
        "AIRFLOW__CORE__DAGS_FOLDER": "/dags",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:8080/execution/",
        "AIRFLOW__CORE__EXECUTOR": "infra.airflow.patient_executor.PatientExecutor",
        "AIRFLOW__CORE__FERNET_KEY": "f",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": "HOME/airflow/passwords.json",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": (
            "admin:admin,pm:user,ds:user,de:op,analyst:viewer"
        ),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS_FOLDER),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:///HOME/airflow/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": "HOME/airflow/logs",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
        "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    }
    assert shown["CATWALK_LAKE"] == "HOME/lake"
    assert "CATWALK_S3_ENDPOINT" not in shown, "an empty setting is left out"


def test_tasks_read_the_same_settings_back(shop: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = shop.settings.model_copy(update={"sources": ("shop", "web"), "half_life_days": 7.5})
    for name, text in environment(changed, KEYS).items():
        monkeypatch.setenv(name, text)
    assert Settings() == changed


def test_another_airflow_in_the_environment_is_left_behind() -> None:
    around = {"AIRFLOW__CORE__EXECUTOR": "X", "PATH": "/opt", "NO_PROXY": "a", "JAVA_HOME": "/j"}
    found = inherited(around)
    assert found["PATH"] == f"{Path(sys.executable).parent}:/opt"
    assert found["NO_PROXY"] == found["no_proxy"] == "a,127.0.0.1,localhost"
    assert found["JAVA_HOME"] == "/j"
    assert "AIRFLOW__CORE__EXECUTOR" not in found


def test_passwords_and_keys_are_made_once_and_private(tmp_path: Path) -> None:
    first, keys = passwords(tmp_path), airflow_keys(tmp_path)
    assert list(first) == ["admin", "pm", "ds", "de", "analyst"]
    assert len(set(first.values())) == 5
    assert all(len(password) >= 12 for password in first.values())
    assert passwords(tmp_path) == first
    assert airflow_keys(tmp_path) == keys
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {"passwords.json": 0o600, "keys.json": 0o600}


def test_a_password_that_was_changed_by_hand_stays(tmp_path: Path) -> None:
    (tmp_path / "passwords.json").write_text(json.dumps({"pm": "mine", "guest": "theirs"}))
    assert passwords(tmp_path)["pm"] == "mine"
    assert json.loads((tmp_path / "passwords.json").read_text())["guest"] == "theirs"


def test_a_damaged_password_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "passwords.json").write_text("{")
    with pytest.raises(SettingsError, match=r"passwords\.json cannot be read"):
        passwords(tmp_path)


def test_a_second_server_on_a_home_is_refused(tmp_path: Path) -> None:
    held = HomeLock(tmp_path)
    held.take("make up", 8080)
    with pytest.raises(AirflowError, match=rf"`make up` \(process {os.getpid()}\) runs on"):
        HomeLock(tmp_path).take("make demo", 8081)
    holder = HomeLock(tmp_path).holder()
    assert holder
    assert (holder.program, holder.airflow_port, holder.alive) == ("make up", 8080, True)
    held.give_back()
    assert HomeLock(tmp_path).holder() is None
    HomeLock(tmp_path).take("make demo", 8081)


def test_the_lock_lasts_as_long_as_what_it_guards(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path)
    lock.take("make up", 8080)
    process = GuardedProcess("sleep", ["sleep", "86398"], os.environ, tmp_path, [lock.fileno()])
    lock.give_back()
    assert HomeLock(tmp_path).holder(), "the server still runs"
    process.ask_to_stop()
    process.wait()
    assert HomeLock(tmp_path).holder() is None


def test_a_taken_port_names_its_setting() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(AirflowError, match=f"Port {port} is taken. Set CATWALK_MLFLOW_PORT"):
            require_free_port(port, "CATWALK_MLFLOW_PORT")


def test_nothing_survives_a_killed_launcher(tmp_path: Path) -> None:
    """An orphan of the command, in a session of its own and deaf to SIGTERM, is gone too."""
    orphan = "(trap '' TERM; setsid sleep 86397 &); sleep 86396"
    program = (
        "import os, time\n"
        "from pathlib import Path\n"
        "from infra.shop.processes import GuardedProcess\n"
        f"command = ['sh', '-c', {orphan!r}]\n"
        f"GuardedProcess('shell', command, os.environ, Path({str(tmp_path)!r}))\n"
        "time.sleep(100)\n"
    )
    launcher = subprocess.Popen([sys.executable, "-c", program])
    assert wait_until(lambda: _running("sleep 86397") and _running("sleep 86396"), 20)
    launcher.kill()
    launcher.wait()
    assert wait_until(lambda: not _running("sleep 86397") and not _running("sleep 86396"), 20)


def test_a_server_that_ends_is_told_with_its_last_words(shop: Storage, tmp_path: Path) -> None:
    server = AirflowServer(shop.settings, "test")
    server._lock.take("test", 1)
    server._environment = dict(os.environ)
    server.launch("broken", ["sh", "-c", "echo no such table; exit 3"])
    assert wait_until(lambda: server._processes[0].status is not None, 20)
    with pytest.raises(AirflowError, match=r"(?s)broken ended with status 3:\nno such table.*log"):
        server.check()
    server.stop()


def test_a_real_airflow_runs_a_dag(
    airflow_server: AirflowServer, airflow: AirflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """Success, failure, giving up in the middle of a task; that nothing stays, its fixture says."""
    settings = airflow_server.settings
    client = client_of(settings)
    client.unpause("rehearse")
    assert client.unfinished_runs("rehearse") == [], "nothing runs by the clock"
    _shows_each_step(client, airflow_server, settings, capsys)
    _shows_why_one_failed(client, airflow_server, settings, capsys)
    _gives_up_a_running_task(client, settings)
    assert client_of(settings, "analyst").runs("rehearse") == 3
    with pytest.raises(AirflowError, match="403"):
        client_of(settings, "analyst").trigger("rehearse", {})
    assert wait_until(lambda: not _running("sleep 86399"), 20)


def _shows_each_step(
    client: AirflowClient,
    server: AirflowServer,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = client.trigger("rehearse", {})
    progress = RunProgress(client, "rehearse", run, settings.airflow_home / "logs")
    assert progress.follow(server.check) == "success"
    lines = [
        re.sub(r" +[\d.]+ s *", " ", line).split() for line in capsys.readouterr().out.splitlines()
    ]
    assert lines[0] == ["ok", "count", "rows", "12,345"]
    assert sorted(lines[1:3]) == [
        ["ok", "train", "[better]", "model", "better"],
        ["ok", "train", "[good]", "model", "good"],
    ]
    assert lines[3:] == [["ok", "wait"], ["ok", "gate"]]


def _shows_why_one_failed(
    client: AirflowClient,
    server: AirflowServer,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = client.trigger("rehearse", {"fail": True})
    progress = RunProgress(client, "rehearse", run, settings.airflow_home / "logs")
    assert progress.follow(server.check) == "failed"
    *_, failed, why, log = capsys.readouterr().out.splitlines()
    assert failed.split()[:2] == ["FAILED", "gate"]
    assert why.strip() == "Half the prices are missing. Ask the shop."
    assert "Half the prices are missing" in Path(log.strip()).read_text()


def _gives_up_a_running_task(client: AirflowClient, settings: Settings) -> None:
    run = client.trigger("rehearse", {"wait": True})
    assert wait_until(lambda: _running("sleep 86399"), 60)
    assert client.unfinished_runs("rehearse") == [run]
    other = client_of(settings)
    assert other.run_state("rehearse", run) == "running"
    with ThreadPoolExecutor(1) as late_scheduler:
        overwritten = late_scheduler.submit(_called_a_success, other, run)
        client.give_up("rehearse", run)
    assert overwritten.result(), "never seen failed"
    assert client.run_state("rehearse", run) == "failed"


def _called_a_success(client: AirflowClient, run: str) -> bool:
    """Do what a scheduler does that read the run before it was given up."""
    failed = wait_until(lambda: client.run_state("rehearse", run) == "failed", 20, pause=0.05)
    client._call("PATCH", f"/dags/rehearse/dagRuns/{quote(run)}", {"state": "success"})
    return failed


def _running(words: str) -> list[int]:
    """Return the processes whose command line starts with some words."""
    found = psutil.process_iter(["cmdline"])
    return [p.pid for p in found if " ".join(p.info["cmdline"] or []).startswith(words)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
