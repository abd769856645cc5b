"""A job runs unchanged through spark-submit, which is how a cluster runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from infra.ledger.run_records import RunRecords
from infra.settings import load_settings
from infra.spark import class_archive
from infra.spark import session as spark_session
from infra.spark.java import java_build, java_home, prepare_environment, suits
from infra.spark.submit import submit_command
from infra.storage import Storage
from jobs import build_interactions, ingest_events, recommend_users
from tests.conftest import JVM


def test_the_command_names_master_memory_options_and_job(shop: Storage) -> None:
    settings = shop.settings.model_copy(
        update={"spark_master": "spark://host:7077", "spark_submit_options": "--py-files 'a b.zip'"}
    )
    command = submit_command(ingest_events, ["--run", "run=x"], settings)
    assert command[0].endswith("spark-submit")
    log = Path(str(spark_session.__file__)).with_name("log4j2.properties")
    assert command[1:] == [
        *("--master", "spark://host:7077", "--driver-memory", "2g"),
        *("--conf", f"spark.driver.extraJavaOptions=-Dlog4j2.configurationFile={log}"),
        *("--conf", f"spark.pyspark.driver.python={sys.executable}"),
        *("--conf", f"spark.pyspark.python={sys.executable}"),
        *("--py-files", "a b.zip"),
        *(str(ingest_events.__file__), "--run", "run=x"),
    ]


def test_the_archive_of_classes_is_named_by_the_very_build_of_java(spark: SparkSession) -> None:
    build = spark._jvm.java.lang.System.getProperty("java.vm.version")
    assert java_build(java_home() / "bin/java").endswith(build)
    assert class_archive.archive_file().name.endswith(f"{build}.jsa")


@pytest.mark.parametrize(
    ("said", "build"),
    [
        (
            "OpenJDK 64-Bit Server VM (build 17.0.15+6-Debian-1deb12u1, mixed mode, sharing)",
            "17.0.15+6-Debian-1deb12u1",
        ),
        (
            "OpenJDK 64-Bit Server VM Temurin-25.0.3+9 (build 25.0.3+9-LTS, mixed mode)",
            "Temurin-25.0.3+9 25.0.3+9-LTS",
        ),
        (
            "OpenJDK 64-Bit Server VM (Red_Hat-17.0.9.0.9-1) (build 17.0.9+9-LTS, mixed mode)",
            "(Red_Hat-17.0.9.0.9-1) 17.0.9+9-LTS",
        ),
        ("Eclipse OpenJ9 VM (build openj9-0.40.0, JRE 17 Linux amd64-64-Bit)", "openj9-0.40.0"),
        ("no Java at all", ""),
    ],
)
def test_the_build_is_found_in_what_any_java_says(said: str, build: str, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    java.chmod(0o755)
    assert java_build(java) == build


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("1.8.0_392", False),
        ("11.0.25", False),
        ("17.0.15", True),
        ("21.0.8", True),
        ("22", False),
        ("24.0.2", False),
        ("25", False),
        ("25.0.2", False),
        ("25.0.3", True),
        ("25.0.3.1", True),
        ("26", False),
    ],
)
def test_only_a_java_that_is_new_enough_and_sound_suits(
    version: str, good: bool, tmp_path: Path
) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-20' >&2\n")
    java.chmod(0o755)
    assert suits(java) is good


@pytest.mark.parametrize("job", [ingest_events, build_interactions, recommend_users])
def test_a_cluster_says_no_more_of_an_error_than_a_task_does(
    job: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: list[str]) -> None:
        raise PySparkException(f"[CAST_INVALID_INPUT] '{arguments[1]}\n' is bad. SQLSTATE: 22018")

    program = Path(str(job.__file__)).read_text(encoding="utf-8").rpartition("\nif __name__")[2]
    program_of = SimpleNamespace(__file__=job.__file__)
    monkeypatch.setitem(sys.modules, "__main__", program_of)  # type: ignore[arg-type]
    monkeypatch.setattr(job, "main", fail)
    monkeypatch.setattr(sys, "argv", ["job.py", "--run", "anna@example.org"])
    with pytest.raises(SystemExit) as end:
        exec(f"if __name__{program}", {**vars(job), "__name__": "__main__"})
    assert end.value.code == 1
    said = capsys.readouterr()
    assert "ends the run at a value that does not suit it (CAST_INVALID_INPUT)" in said.err
    assert "anna" not in said.err + said.out and "Traceback" not in said.err


@pytest.mark.faults  # starts a JVM of its own
@pytest.mark.xdist_group(JVM)
def test_spark_submit_runs_a_job_as_it_is(shop: Storage) -> None:
    folder = Path(shop.landing) / "events/shop"
    folder.mkdir(parents=True)
    time = datetime.now(UTC) - timedelta(days=1)
    row = {"event_id": "e1", "event_type": "view", "user_id": "anna", "item_id": "i1"}
    line = json.dumps({**row, "event_time": f"{time:%Y-%m-%dT%H:%M:%SZ}"})
    (folder / "one.jsonl").write_text(line + "\n")
    prepare_environment()
    java = f"{class_archive.java_option()} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    quick = f"--conf 'spark.driver.extraJavaOptions={java}' --conf spark.ui.enabled=false"
    change = {"spark_master": "local[1]", "spark_submit_options": quick}
    settings = load_settings().model_copy(update=change)
    command = submit_command(ingest_events, ["--run", "run=x"], settings)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    record = RunRecords(shop, "run=x").load_ingest()
    assert record is not None
    assert record["clean"] == 1
