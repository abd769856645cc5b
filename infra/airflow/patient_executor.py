"""Airflow's LocalExecutor, which here starts a task again only when its worker before has ended.

A task that asks a person ends its worker and waits. An answer within the next seconds lets Airflow
queue the task again while that worker is still ending. Airflow then takes the worker's end for a
crash of the task, which deletes the answer: so it was for 5 of 6 answers given at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from airflow.executors.local_executor import LocalExecutor
from airflow.utils.state import State

PATIENCE = 60.0  # seconds; then the worker before is taken for dead: it will report no end


class PatientExecutor(LocalExecutor):
    """Holds what is queued again back until the end of its worker before was reported."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._begun: set[Any] = set()
        self._held: dict[Any, float] = {}

    def _get_workloads_to_schedule(self, open_slots: int) -> list[tuple[Any, Any]]:
        """Return what may begin now."""
        chosen = super()._get_workloads_to_schedule(open_slots)
        return [(key, workload) for key, workload in chosen if self._may_begin(key)]

    def _may_begin(self, key: Any) -> bool:
        if key not in self._begun:
            return True
        since = self._held.setdefault(key, time.monotonic())
        return time.monotonic() - since > PATIENCE

    def _process_workloads(self, workload_list: Sequence[Any]) -> None:
        """Hand on what begins now."""
        for workload in workload_list:
            self._begun.add(workload.key)
            self._held.pop(workload.key, None)
        super()._process_workloads(workload_list)  # type: ignore[no-untyped-call]

    def change_state(
        self, key: Any, state: Any, info: Any = None, remove_running: bool = True
    ) -> None:
        """Take note of an end."""
        if state in State.finished:
            self._begun.discard(key)
        super().change_state(key, state, info, remove_running)
