"""Shows a run while it runs: a line per finished task, with its time and its counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.text import Text

from infra.command_line import INDENT
from infra.shop.airflow_client import FINISHED, AirflowClient, TaskInstance

_PARKED = "awaiting_input"
_BELOW = INDENT + " " * 8  # details of a task start below its name
_WORDS = {
    **{"success": "ok", "failed": "FAILED", "skipped": "skipped", "up_for_retry": "again"},
    _PARKED: "WAITS",
}
_COLOURS = {"success": "green", "failed": "red", "up_for_retry": "yellow", _PARKED: "yellow"}


class RunProgress:
    """Follows one run; on a terminal in colour, with a last line that says what runs now.

    Parameters
    ----------
    client : AirflowClient
        Where to ask.
    dag, run : str
        What to follow.
    logs : Path
        Airflow's log folder, to name the log of a failed task.
    """

    def __init__(self, client: AirflowClient, dag: str, run: str, logs: Path) -> None:
        self._client, self._dag, self._run, self._logs = client, dag, run, logs
        self._shown: set[tuple[str, int, int, bool]] = set()
        self._console = Console(markup=False, highlight=False, soft_wrap=True)
        self._started = time.monotonic()

    def follow(self, check: Callable[[], None], pause: float = 0.5) -> str:
        """Print until the run is finished, and return its state; `check` may raise to give up."""
        with self._console.status("waiting") as now:
            while True:
                check()
                state = self._client.run_state(self._dag, self._run)
                tasks = self._client.tasks(self._dag, self._run)
                for task in tasks:
                    self._show(task)
                if state in FINISHED:
                    self._show_missed(tasks)
                    return state
                self._show_running(now, [task.name for task in tasks if task.state == "running"])
                time.sleep(pause)

    def _show(self, task: TaskInstance) -> None:
        key = (task.task, task.map_index, task.try_number, task.state == _PARKED)
        if task.state not in _WORDS or key in self._shown:
            return
        self._shown.add(key)
        self._console.print(self._line(task))
        if task.state in ("failed", "up_for_retry"):
            self._console.print(f"{_BELOW}{self._why(task)}\n{_BELOW}{self._log_file(task)}")
        elif task.state == _PARKED:
            self._console.print(
                f"{_BELOW}A person decides: {self._client.address}/required_actions"
            )

    def _line(self, task: TaskInstance) -> Text:
        word = _WORDS[task.state or ""].ljust(7)
        result = self._client.result(self._dag, self._run, task) if word[:2] == "ok" else None
        seconds = f"{task.seconds:6.1f} s" if task.seconds is not None else " " * 8
        rest = f" {task.name:<28} {seconds}  {counts_line(result)}".rstrip()
        return Text.assemble(INDENT, (word, _COLOURS.get(task.state or "", "")), rest)

    def _show_running(self, now: Status, names: list[str]) -> None:
        seconds = time.monotonic() - self._started
        line = f"{seconds:5.0f} s  {', '.join(names) or 'waiting'}"
        now.update(Text(line[: self._console.width - len(INDENT)]))

    def _show_missed(self, tasks: list[TaskInstance]) -> None:
        missed = [task.name for task in tasks if task.state == "upstream_failed"]
        if missed:
            self._console.print(f"{INDENT}not run {', '.join(missed)}")

    def _why(self, task: TaskInstance) -> str:
        return last_error(self._client.log(self._dag, self._run, task))

    def _log_file(self, task: TaskInstance) -> Path:
        folder = self._logs / f"dag_id={self._dag}" / f"run_id={self._run}" / f"task_id={task.task}"
        mapped = folder / f"map_index={task.map_index}" if task.map_index >= 0 else folder
        return mapped / f"attempt={task.try_number}.log"


def counts_line(result: Any, width: int = 100) -> str:
    """Write what a task returned in one line: names and numbers, long texts and lists left out.

    >>> counts_line({"rows": 300000, "ndcg": 0.123456, "parts": [1, 2], "model": "popularity"})
    'rows 300,000, ndcg 0.1235, model popularity'
    """
    if not isinstance(result, dict):
        return ""
    shown = (f"{name} {_number(value)}" for name, value in result.items() if _is_short(value))
    line = ", ".join(shown)
    return line if len(line) <= width else line[: width - 3] + "..."


def _is_short(value: Any) -> bool:
    return isinstance(value, int | float | bool) or (isinstance(value, str) and len(value) <= 60)


def _number(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def last_error(lines: list[dict[str, Any]]) -> str:
    """Return the last error of a task's log in one line; our own errors are written to be read."""
    for line in reversed(lines):
        for detail in line.get("error_detail") or []:
            text = str(detail.get("exc_value", "")).strip()
            return _first_line(text or str(detail.get("exc_type", "")))
        if line.get("level") in ("error", "critical"):
            return _first_line(str(line.get("event", "")))
    return "It left no error in its log."


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else "An error without a text."
