"""A task begins again only when the end of its worker before was reported."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from infra.airflow.patient_executor import PATIENCE, PatientExecutor


@pytest.fixture
def executor(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return one without workers: what it hands to them is a list."""
    from airflow.executors.local_executor import LocalExecutor

    handed: list[str] = []
    monkeypatch.setattr(
        LocalExecutor,
        "_process_workloads",
        lambda self, given: handed.extend(self.queued_tasks.pop(one.key).key for one in given),
    )
    made: Any = PatientExecutor(parallelism=4)
    made.handed = handed
    return made


def queue(executor: Any, key: str) -> None:
    work = SimpleNamespace(key=key, ti=SimpleNamespace(priority_weight=1))
    executor.queued_tasks[key] = work
    executor.trigger_tasks(4)


def test_the_first_time_at_once(executor: Any) -> None:
    queue(executor, "a")
    queue(executor, "b")
    assert executor.handed == ["a", "b"]


@pytest.mark.parametrize("end", ["success", "failed"])
def test_again_only_after_the_end_before(executor: Any, end: str) -> None:
    queue(executor, "a")
    queue(executor, "a")
    assert executor.handed == ["a"] and "a" in executor.queued_tasks, "so has_task says yes"
    executor.change_state("a", end)
    executor.trigger_tasks(4)
    assert executor.handed == ["a", "a"]
    queue(executor, "a")
    assert executor.handed == ["a", "a"]


def test_what_only_runs_has_not_ended(executor: Any) -> None:
    queue(executor, "a")
    executor.change_state("a", "running")
    queue(executor, "a")
    assert executor.handed == ["a"]


def test_others_pass_by_what_is_held_back(executor: Any) -> None:
    queue(executor, "a")
    queue(executor, "a")
    queue(executor, "b")
    assert executor.handed == ["a", "b"]


def test_a_worker_that_never_reports_holds_nothing_up_for_ever(
    executor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(executor, "a")
    queue(executor, "a")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + PATIENCE + 1)
    executor.trigger_tasks(4)
    assert executor.handed == ["a", "a"]
