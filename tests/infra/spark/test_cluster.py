"""On a cluster the jobs leave the tables of a local run, also when a worker dies on the way."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import psutil
import pyspark
import pytest
from pyspark.sql import SparkSession

from infra.errors import SparkError, StorageError
from infra.lake import Lake
from infra.ledger.batches import decide
from infra.records.gates import BatchDecision
from infra.settings import load_settings
from infra.shop_home import ensure_home
from infra.spark import class_archive
from infra.spark.cluster import require_shared, ship_folder, shipped_folder
from infra.spark.java import java_home
from infra.spark.submit import submit
from infra.storage import Storage
from infra.stores.local_store import LocalStore
from infra.waiting import wait_until
from jobs import build_interactions, ingest_events, recommend_users
from jobs.simulate_shop import SimulationOptions, simulate
from models.training.train import train
from tests.conftest import JVM, QUICK_JAVA

RUN = "run=test"
MODEL = "popularity"
FIRST_DAY = datetime.now(UTC).date() - timedelta(days=10)
SHOP = SimulationOptions(events=5_000, days=9, first_day=FIRST_DAY, users=500, items=200, seed=7)
SPARK_CLASS = Path(str(pyspark.__file__)).parent / "bin/spark-class"
# a Java that is quick to start, as the jobs are small
DAEMON = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@dataclass
class Cluster:
    """A standalone master and two workers, with another folder and another Python than ours."""

    folder: Path
    address: str
    daemons: list[subprocess.Popen[bytes]]

    def start(self, kind: str, *arguments: str) -> None:
        """Start a daemon that knows nothing of this repository."""
        place = self.folder / f"{kind}{len(self.daemons)}"
        place.mkdir()
        known = {"PATH": os.environ["PATH"], "JAVA_HOME": str(java_home())}
        environment = {**known, "SPARK_DAEMON_JAVA_OPTS": DAEMON, "SPARK_LOCAL_IP": "127.0.0.1"}
        command = [SPARK_CLASS, f"org.apache.spark.deploy.{kind.lower()}.{kind}", *arguments]
        command += ["--host", "127.0.0.1", "--webui-port", "0"]
        with (self.folder / f"{place.name}.log").open("wb") as log:
            daemon = subprocess.Popen(command, cwd=place, env=environment, stderr=log, stdout=log)
        self.daemons.append(daemon)

    def options(self) -> str:
        """Return what an operator says to spark-submit for this cluster."""
        python = self.folder / "python"  # that of the tests, without what is installed in place
        site = sysconfig.get_path("purelib")
        python.write_text(
            f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{site}" exec {sys.executable} -S "$@"\n'
        )
        python.chmod(0o755)
        conf = {
            "spark.pyspark.python": python,
            "spark.driver.host": "127.0.0.1",
            "spark.driver.extraJavaOptions": f"{class_archive.java_option()} {QUICK_JAVA}",
            "spark.executor.extraJavaOptions": f"{class_archive.java_option()} {QUICK_JAVA}",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "4",
        }
        return " ".join(f"--conf '{name}={value}'" for name, value in conf.items())

    def kill_a_worker(self) -> None:
        """Kill the last worker, and then its executors; no one else starts them anew."""
        worker = psutil.Process(self.daemons[-1].pid)
        executors = worker.children(recursive=True)
        assert executors, "it had an executor"
        for process in (worker, *executors):
            process.kill()

    def stop(self) -> None:
        """Kill what runs still, executors too."""
        for daemon in self.daemons:
            with suppress(psutil.NoSuchProcess):
                for process in psutil.Process(daemon.pid).children(recursive=True):
                    process.kill()
            daemon.kill()
            daemon.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Return a cluster of two workers with a core each."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = Cluster(folder, f"spark://127.0.0.1:{port}", [])
    try:
        running.start("Master", "--port", str(port))
        for number in range(2):
            space = ["-c", "1", "-m", "1500m", "-d", str(folder / f"work{number}")]
            running.start("Worker", *space, running.address)
        log = folder / "Master0.log"
        assert wait_until(lambda: log.read_text().count("Registering worker") == 2, 120)
        yield running
    finally:
        running.stop()


def rows_of(shop: Storage, table: str) -> Counter[str]:
    """Return the rows of all partitions of a table; landing files by their names."""
    partitions = shop.lake.partitions(table)
    rows = shop.lake.dataset(table, *partitions).to_table().to_pylist()
    return Counter(str({**row, "file": Path(str(row.get("file", ""))).name}) for row in rows)


def as_a_task(job: ModuleType, *arguments: str) -> int:
    """Run a job as its task does: an error that is not understood is tried again, once here."""
    try:
        submit(job, ["--run", RUN, *arguments])
    except SparkError:
        submit(job, ["--run", RUN, *arguments])
        return 2
    return 1


def whole_chain(shop: Storage) -> None:
    as_a_task(ingest_events)
    end = datetime.combine(FIRST_DAY + timedelta(days=9), datetime.min.time(), UTC)
    for batch in shop.lake.partitions("events"):
        decide(shop, batch, BatchDecision(decision="accepted", by="gate"))
    as_a_task(build_interactions, "--as-of", end.isoformat())
    train(shop, RUN, MODEL)
    loader = "models.bundle.bundle:load_todays"
    model = ["--model", MODEL, "--folder", f"candidates/{RUN}/{MODEL}", "--loader", loader]
    as_a_task(recommend_users, *model)


@pytest.mark.faults
@pytest.mark.xdist_group(JVM)
def test_a_cluster_that_loses_a_worker_leaves_the_tables_of_a_local_run(
    spark: object, shop: Storage, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    simulate(Path(shop.landing), SHOP)
    whole_chain(shop)
    monkeypatch.setenv("CATWALK_HOME", str(tmp_path / "distributed"))
    monkeypatch.setenv("CATWALK_SPARK_MASTER", cluster.address)
    monkeypatch.setenv("CATWALK_SPARK_DRIVER_MEMORY", "1g")
    monkeypatch.setenv("CATWALK_SPARK_SUBMIT_OPTIONS", cluster.options())
    distributed = Storage(load_settings())
    ensure_home(distributed.settings)
    shutil.copytree(shop.landing, distributed.landing, dirs_exist_ok=True)
    shown_at_the_kill: list[list[str]] = []

    def kill_in_the_middle() -> None:
        rows_are_sorted = Path(distributed.lake.address("quarantine"))  # and kept by the executors
        assert wait_until(rows_are_sorted.exists, 600, 0.05)
        cluster.kill_a_worker()
        shown_at_the_kill.append(distributed.lake.partitions("events"))

    killer = threading.Thread(target=kill_in_the_middle)
    killer.start()
    whole_chain(distributed)
    killer.join()
    assert shown_at_the_kill == [[]], "the batch was not shown yet"
    for table in ("events", "quarantine", "items", "interactions", "recommendations"):
        expected = rows_of(shop, table)
        assert expected and rows_of(distributed, table) == expected, table


@pytest.mark.xdist_group(JVM)
def test_a_lake_that_executors_do_not_see_is_refused(
    spark: object, shop: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    require_shared(spark, shop.lake)  # type: ignore[arg-type]
    elsewhere = LocalStore(Path(shop.lake.address()))
    elsewhere.address = "/nowhere/lake"  # where it leads on the machines of the executors
    with pytest.raises(StorageError, match=r"do not see the lake /nowhere/lake.* same place"):
        require_shared(spark, Lake(elsewhere))  # type: ignore[arg-type]
    assert "does not exist: file:/nowhere/lake" in capsys.readouterr().err, "what Spark met"
    assert shop.lake.store.list("scratch") == []


@pytest.mark.xdist_group(JVM)
def test_a_folder_is_shipped_as_it_is_from_a_home_of_any_name(
    spark: SparkSession, tmp_path: Path
) -> None:
    scratch = tmp_path / "Anna's home #1 (100%41)"
    model = scratch / "model"
    (model / "parts").mkdir(parents=True)
    (model / "parts/numbers").write_bytes(bytes(10_000))
    os.utime(model / "parts/numbers", (0, 0))  # before there was a zip
    name = ship_folder(spark, model, scratch)

    def sizes(_: object) -> list[tuple[str, int]]:
        files = sorted(shipped_folder(name).rglob("*"))
        return [(file.name, file.stat().st_size) for file in files if file.is_file()]

    ones = spark.sparkContext.parallelize([1], 1)
    assert ones.mapPartitions(sizes).collect() == [("numbers", 10_000)]
    assert (scratch / f"{name}.zip").stat().st_size > 10_000, "compressing takes minutes"
