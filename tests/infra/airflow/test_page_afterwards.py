"""The page of a run is there after every task: a failed one, a killed one that ran again, any."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from infra.airflow.report_links import DAG, RELEASE_DAG
from infra.belonging import NOTE, require_own_stores
from infra.errors import BusyError, GateError, SettingsError, SparkError
from infra.ledger.run_records import RunRecords
from infra.storage import Storage
from tests.conftest import REPOSITORY
from tests.infra.airflow.test_pages import ask
from tests.infra.report.test_report import CRITICAL, gate

pytestmark = pytest.mark.usefixtures("airflow_database")
RUN = "run=by-hand"
PAGE, SUMMARY = f"{RUN}/index.html", f"{RUN}/summary.json"
STOPPED = gate("events", CRITICAL, run=RUN, result="stopped")
KILLED = """
import os, signal, sys
from tests.infra.airflow import test_page_afterwards as test

def save_and_die(run):
    test.save(run)
    if sys.argv[1] == "die":
        os.kill(os.getpid(), signal.SIGKILL)

test.run_task(save_and_die)
"""


def save(run: Any) -> None:
    """Save the record of a gate that stopped the run, as the body of a task."""
    RunRecords(run.storage, run.key).save_gate(STOPPED)


@contextmanager
def inside_airflow(dag: str, form: dict[str, str] | None = None) -> Iterator[None]:
    """Be in a task of a run, as far as our tasks ask Airflow for it."""
    from airflow.sdk.execution_time.context import set_current_context

    at = datetime(2026, 11, 24, tzinfo=UTC)
    run = SimpleNamespace(dag_id=dag, run_id="by-hand", run_after=at)
    with set_current_context({"dag_run": run, "params": form or {}}):  # type: ignore[typeddict-item]
        yield


def run_task(body: Callable[[Any], Any], dag: str = DAG, form: dict[str, str] | None = None) -> Any:
    """Call a function of a run as the task that `step` makes of it."""
    from infra.airflow.defaults import Owner, step

    with inside_airflow(dag, form):
        return step(Owner.DATA_ENGINEERING)(body).function()


def test_the_page_is_there_after_a_task(shop: Storage) -> None:
    run_task(save)
    assert "Stopped at the gate" in shop.reports.read(PAGE).decode()
    assert json.loads(shop.reports.read(SUMMARY))["ending"] == "stopped"


def test_a_task_that_saves_nothing_leaves_a_page_too(shop: Storage) -> None:
    assert run_task(lambda run: 42) == 42
    assert "No step has left a record yet" in shop.reports.read(PAGE).decode()


@pytest.mark.parametrize(
    "error",
    [
        GateError("Half is gone.", "Ask."),
        SparkError("Lost.", "Wait."),
        BusyError("SlowDown.", "Wait."),
        OSError(),
    ],
)
def test_a_failed_task_leaves_its_page_and_its_own_error(shop: Storage, error: Exception) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    def save_and_fail(run: Any) -> None:
        save(run)
        raise error

    expected = AirflowFailException if isinstance(error, GateError) else type(error)
    with pytest.raises(expected):
        run_task(save_and_fail)
    assert "Stopped at the gate" in shop.reports.read(PAGE).decode()


def test_a_task_killed_before_rendering_leaves_the_page_when_it_runs_again(shop: Storage) -> None:
    def process(how: str) -> int:
        return subprocess.run(
            [sys.executable, "-c", KILLED, how], cwd=REPOSITORY, env=dict(os.environ)
        ).returncode

    assert process("die") == -signal.SIGKILL
    assert RunRecords(shop, RUN).load_gate("events") == STOPPED
    assert not shop.reports.exists(PAGE) and not shop.reports.exists(SUMMARY)
    assert process("live") == 0
    assert "Stopped at the gate" in shop.reports.read(PAGE).decode()
    assert shop.reports.exists(SUMMARY)


def block_pages(shop: Storage) -> None:
    """Put a folder where the page of the run should be written, so that no page can be."""
    shop.reports.write(f"{PAGE}/in the way", b"")


def test_a_page_that_cannot_be_written_fails_no_task(
    shop: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    block_pages(shop)
    with caplog.at_level(logging.WARNING):
        assert run_task(lambda run: 42) == 42
    assert f"The page of {RUN} could not be rendered." in caplog.text


def test_a_page_that_cannot_be_written_hides_no_error(shop: Storage) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    def fail(run: Any) -> None:
        raise GateError("Half the prices are missing.", "Ask the shop.")

    block_pages(shop)
    with pytest.raises(AirflowFailException, match="Half the prices are missing"):
        run_task(fail)


def test_a_task_does_nothing_in_stores_of_another_secret(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither does the ingestion by itself, before Spark starts."""
    from airflow.sdk.exceptions import AirflowFailException

    from jobs.ingest_events import main

    require_own_stores(shop)
    monkeypatch.setenv("CATWALK_USER_KEY_SECRET", "another secret of this shop")
    with pytest.raises(AirflowFailException, match="under another secret"):
        run_task(save)
    with pytest.raises(SettingsError, match="under another secret"):
        main(["--run", RUN])
    assert shop.reports.list("") == [NOTE]


def test_only_retrainings_have_a_page(shop: Storage) -> None:
    run_task(lambda run: 42, dag="resolve_batch")
    run_task(lambda run: 42, RELEASE_DAG, {"run": "no such run"})
    assert shop.reports.list("") == [NOTE]


@pytest.mark.parametrize("named", [RUN, "by-hand", f" {RUN} "])
def test_a_run_that_asks_leaves_the_page_of_the_retraining(shop: Storage, named: str) -> None:
    """Its form may name the retraining as the reports do, or as Airflow does."""
    ask(shop, RUN)
    assert run_task(lambda run: (run.key, run.id), RELEASE_DAG, {"run": named}) == (RUN, "by-hand")
    assert "Needs an approval" in shop.reports.read(PAGE).decode()


def test_the_question_to_a_person_leaves_its_page(shop: Storage) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from infra.airflow.human_approval import HumanApproval

    about = "models.release.approve_release"
    asked = HumanApproval(task_id="ask", about=about, approvers=("pm",), hours=2)
    with inside_airflow(DAG), pytest.raises(AirflowFailException):
        asked.execute({})  # type: ignore[typeddict-item]
    assert shop.reports.exists(PAGE)
    shop.reports.delete_folder(RUN)
    with inside_airflow(DAG), pytest.raises(AirflowFailException):
        asked.execute_complete({}, {})  # type: ignore[typeddict-item]
    assert shop.reports.exists(PAGE)
