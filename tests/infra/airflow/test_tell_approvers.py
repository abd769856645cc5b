"""People are told of a question once it waits, and never of one that does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowSkipException

from infra.airflow.tell_approvers import TellApprovers


class Told(BaseNotifier):
    """Counts how often people were told."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0

    def notify(self, context: Any) -> None:
        """Count."""
        self.times += 1


def look(state: str | None) -> tuple[bool, int]:
    """Return whether it is done and how often it told, while the question is in a state."""

    def states(dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, Any]:
        assert (dag_id, task_ids, run_ids) == ("d", ["ask"], ["r"])
        return {"r": {"ask": state}} if state else {}

    told = Told()
    tells = TellApprovers(task_id="tell", asks="ask", notifier=told)
    ti = SimpleNamespace(dag_id="d", run_id="r", get_task_states=states)
    done = tells.poke({"ti": ti})  # type: ignore[typeddict-item]
    return done, told.times


@pytest.mark.parametrize("state", [None, "scheduled", "queued", "running", "up_for_retry"])
def test_not_before_it_waits(state: str | None) -> None:
    assert look(state) == (False, 0)


def test_once_it_waits() -> None:
    assert look("awaiting_input") == (True, 1)


@pytest.mark.parametrize("state", ["skipped", "success", "failed", "upstream_failed"])
def test_not_after_it_waited(state: str) -> None:
    with pytest.raises(AirflowSkipException):
        look(state)
