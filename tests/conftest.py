"""What tests share: one Spark session, one Airflow, one S3 server, a shop of its own per test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import tests.airflow_environment  # noqa: F401 - before anything imports Airflow
from infra.airflow.report_links import DAG
from infra.places import MLFLOW
from infra.settings import load_settings
from infra.shop.airflow_client import AirflowClient
from infra.shop.airflow_home import DAGS_FOLDER
from infra.shop.airflow_server import AirflowServer, client_of, require_free_port
from infra.shop.home_lock import HomeLock
from infra.shop_home import ensure_home
from infra.storage import Storage
from tests.faults import fixtures_of, is_about_a_fault
from tests.house import REPOSITORY as REPOSITORY  # tests ask for it here
from tests.message_servers import Inbox, Webhook, serving
from tests.s3_server import ACCESS_KEY, PACKAGES, SECRET_KEY, S3Server, missing_programs

# A worker of pytest-xdist has a main module without a file. PySpark takes such for its own doctests
# and leaves the process when Great Expectations imports it.
vars(sys.modules["__main__"]).setdefault("__file__", __file__)
# What must not run twice at once on a small machine, by the fixture that starts it. The tests of
# one group share a worker and so the fixture; the longest groups go first, on a worker each.
JVM, AIRFLOW = "jvm", "airflow"
GROUPS = {
    "spark": JVM,
    "airflow": AIRFLOW,
    "s3_server": "s3",
    "s3": "s3",
    "airflow_database": "airflow database",
}
# A hundred short jobs in one JVM: compiled once, lightly. With this compiler alone Java has 48 MB
# for compiled code; full, it throws code away and compiles it anew for ever.
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"
SECRET = "a secret of sixteen characters or more"
REHEARSAL = '''
"""A chain with a failing end, to see each state."""
import subprocess

from airflow.sdk import dag, get_current_context, task

from infra.errors import GateError


@dag(schedule="* * * * *", catchup=False)
def rehearse():
    @task
    def count():
        return {"rows": 12345}

    @task(map_index_template="{{ name }}")
    def train(name):
        get_current_context()["name"] = name
        return {"model": name}

    @task
    def wait():
        if get_current_context()["dag_run"].conf.get("wait"):
            subprocess.run(["sleep", "86399"])

    @task
    def gate():
        if get_current_context()["dag_run"].conf.get("fail"):
            raise GateError("Half the prices are missing.", "Ask the shop.")

    count() >> train.expand(name=["good", "better"]) >> wait() >> gate()


rehearse()
'''


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every test a group, and the mark `faults` where it is about one.

    A test with no group of its own stays with those of its file. This is before pytest-xdist reads
    the groups; its own hook comes before `modifyitems` of ours.
    """
    needed = fixtures_of(item)
    if is_about_a_fault(item.path.stem, getattr(item, "originalname", item.name), needed):
        item.add_marker(pytest.mark.faults)
    if item.get_closest_marker("xdist_group") is None:
        groups = (group for fixture, group in GROUPS.items() if fixture in needed)
        item.add_marker(pytest.mark.xdist_group(next(groups, item.path.stem)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the groups of the JVM and of Airflow begin."""
    items.sort(key=lambda item: (not _is_of(item, JVM), not _is_of(item, AIRFLOW)))


def _is_of(item: pytest.Item, group: str) -> bool:
    return any(mark.args == (group,) for mark in item.iter_markers("xdist_group"))


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_the_disk() -> Iterator[None]:
    """Let a write not wait until it outlives a power cut, 5 ms each: no test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Create the tables that Airflow needs in the tests' own processes, once."""
    from airflow.utils import db

    db.initdb()


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database of MLflow that holds nothing; making its tables takes seconds."""
    from mlflow import MlflowClient

    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def mlflow_tables(shop: Storage, empty_registry: Path) -> None:
    """Give an empty shop MLflow's tables, as its first use would make them."""
    place = shop.settings.home / MLFLOW
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_registry, place)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Return the places of an empty shop; the settings in the environment point to it."""
    return shop_at(tmp_path / "shop", monkeypatch)


def shop_at(home: Path, patch: pytest.MonkeyPatch) -> Storage:
    """Let the settings in the environment point to a shop, and return its places."""
    patch.setenv("CATWALK_HOME", str(home))
    patch.setenv("CATWALK_USER_KEY_SECRET", SECRET)
    patch.setenv("CATWALK_HOLDOUT_DAYS", "3")
    settings = load_settings()
    ensure_home(settings)
    return Storage(settings)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Return the one Spark session of the whole test run: a JVM costs seconds."""
    from infra.spark import session as spark_session

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CATWALK_HOME", str(tmp_path_factory.mktemp("spark")))
        patch.setenv("CATWALK_USER_KEY_SECRET", SECRET)
        patch.setenv("CATWALK_SPARK_JAVA_OPTIONS", QUICK_JAVA)
        session = spark_session.start_local(load_settings())
    yield session
    session.stop()


@pytest.fixture(scope="session")
def told() -> Iterator[Inbox]:
    """Return the webhook that the shared Airflow tells of failures."""
    with serving(Webhook) as inbox:
        yield inbox


@pytest.fixture(scope="session")
def airflow_shop(tmp_path_factory: pytest.TempPathFactory, told: Inbox) -> Storage:
    """Return the shop of the shared Airflow; the environment of the tests does not name it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CATWALK_HOME", str(tmp_path_factory.mktemp("whole") / "shop"))
        patch.setenv("CATWALK_USER_KEY_SECRET", SECRET)
        patch.setenv("CATWALK_AIRFLOW_PORT", str(_free_port()))
        patch.setenv("CATWALK_NOTIFY_WEBHOOK", f"http://127.0.0.1:{told.port}")
        patch.setenv("CATWALK_SHOW_LISTS_BY", "models.serving.show_lists:ListsOnShow")
        patch.setenv("CATWALK_SPARK_JAVA_OPTIONS", QUICK_JAVA)
        settings = load_settings()
    ensure_home(settings)
    return Storage(settings)


@pytest.fixture(scope="session")
def airflow_server(
    airflow_shop: Storage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowServer]:
    """Return the one Airflow of a worker, with the DAGs and one to rehearse; nothing of it stays.

    The worker that runs no Spark has one, and so has, at its end, the one that runs whole runs.
    """
    dags = tmp_path_factory.mktemp("dags")
    for file in DAGS_FOLDER.glob("*.py"):
        (dags / file.name).symlink_to(file)
    (dags / "rehearse.py").write_text(REHEARSAL)
    settings = airflow_shop.settings
    others = set(psutil.Process().children(recursive=True))  # Java and more, of other tests
    with AirflowServer(settings, "a test", dags, scheduled=False) as server:
        family = set(psutil.Process().children(recursive=True)) - others
        yield server
    assert family
    assert not [process for process in family if process.is_running()]
    assert HomeLock(settings.home).holder() is None
    require_free_port(settings.airflow_port, "CATWALK_AIRFLOW_PORT")


@pytest.fixture(scope="session")
def airflow(airflow_server: AirflowServer) -> AirflowClient:
    """Return a data engineer's view of the one Airflow."""
    client = client_of(airflow_server.settings, "de")
    client.unpause(DAG)
    return client


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Return the one S3 server of the whole test run, started by the first test that asks."""
    if missing := missing_programs():
        pytest.skip(f"no {', '.join(missing)}; apt-get install {PACKAGES}")
    server = S3Server(tmp_path_factory.mktemp("s3"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Return the S3 server; the environment holds its credentials and nobody else's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(s3_server.certificate))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    return s3_server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with room for 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "catwalk-test", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
