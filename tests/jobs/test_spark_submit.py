"""A job runs unchanged through spark-submit, which is how a cluster runs it."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.run_records import RunRecords
from infra.settings import load_settings
from infra.spark import class_archive
from infra.spark.java import prepare_environment
from infra.spark.session import submit_command
from infra.storage import Storage
from jobs import ingest_events
from tests.conftest import JVM


def test_the_command_names_master_memory_options_and_job(shop: Storage) -> None:
    settings = shop.settings.model_copy(
        update={"spark_master": "spark://host:7077", "spark_submit_options": "--py-files 'a b.zip'"}
    )
    command = submit_command(ingest_events, ["--run", "run=x"], settings)
    assert command[0].endswith("spark-submit")
    assert command[1:] == [
        *("--master", "spark://host:7077", "--driver-memory", "2g", "--py-files", "a b.zip"),
        *(str(ingest_events.__file__), "--run", "run=x"),
    ]


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
