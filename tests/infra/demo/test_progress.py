"""A run is shown line by line: plain in a file, in colour with a moving line on a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from infra.demo.progress import RunProgress
from infra.shop.airflow_client import TaskInstance

GREEN, YELLOW = "\x1b[32m", "\x1b[33m"


def task(name: str, state: str, **facts: Any) -> TaskInstance:
    fields = {"map_index": -1, "label": None, "seconds": 1.25, "try_number": 1}
    return TaskInstance(name, state=state, **(fields | facts))


class Airflow:
    """A run that goes through moments; after the last it is over."""

    address = "http://127.0.0.1:8080"

    def __init__(self, *moments: list[TaskInstance], end: str = "success") -> None:
        self._moments, self._end, self._now = list(moments), end, 0

    def run_state(self, dag: str, run: str) -> str:
        """Go on to the next moment."""
        self._now += 1
        return self._end if self._now == len(self._moments) else "running"

    def tasks(self, dag: str, run: str) -> list[TaskInstance]:
        """Return those of this moment."""
        return self._moments[self._now - 1]

    def result(self, dag: str, run: str, of: TaskInstance) -> Any:
        """Return a number, and a text that looks like markup."""
        return {"rows": 12345, "part": f"[red] {of.task}"}

    def log(self, dag: str, run: str, of: TaskInstance) -> list[dict[str, Any]]:
        """Return a line that looks like markup."""
        return [{"level": "error", "event": "Half the [prices] are missing."}]


MOMENTS = (
    [task("train", "running", map_index=0, label="good")],
    [task("train", "success", map_index=0, label="good"), task("gate", "up_for_retry")],
    [
        task("train", "success", map_index=0, label="good"),
        task("gate", "failed", try_number=2),
        task("approve", "awaiting_input", seconds=None),
        task("publish", "upstream_failed"),
    ],
)


def followed(*moments: list[TaskInstance], terminal: bool = False, width: int = 60) -> str:
    progress = RunProgress(Airflow(*moments, end="failed"), "dag", "run", Path("/logs"))  # type: ignore[arg-type]
    if terminal:
        console = Console(
            file=io.StringIO(), force_terminal=True, width=width, markup=False, highlight=False,
            soft_wrap=True, color_system="standard", _environ={},
        )  # fmt: skip
        progress._console = console
        assert progress.follow(lambda: None, pause=0.15) == "failed"
        return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]
    assert progress.follow(lambda: None, pause=0) == "failed"
    return ""


def test_in_a_file_every_line_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    followed(*MOMENTS)
    assert capsys.readouterr().out.splitlines() == [
        "  ok      train [good]                    1.2 s  rows 12,345, part [red] train",
        "  again   gate                            1.2 s",
        "          Half the [prices] are missing.",
        "          /logs/dag_id=dag/run_id=run/task_id=gate/attempt=1.log",
        "  FAILED  gate                            1.2 s",
        "          Half the [prices] are missing.",
        "          /logs/dag_id=dag/run_id=run/task_id=gate/attempt=2.log",
        "  WAITS   approve",
        "          A person decides: http://127.0.0.1:8080/required_actions",
        "  not run publish",
    ]


def test_a_terminal_shows_colours_and_what_runs_now() -> None:
    shown = followed(*MOMENTS, terminal=True)
    assert f"{GREEN}ok" in shown
    assert f"{YELLOW}again" in shown
    assert re.search(r"\d s  train \[good\]", shown), "the moving line"
    assert "rows 12,345" in shown


def test_no_line_is_broken_by_a_narrow_terminal() -> None:
    lines = re.sub(r"\x1b\[[\d;?]*\w", "", followed(*MOMENTS, terminal=True, width=30)).splitlines()
    assert any("train [good]" in line and "part [red] train" in line for line in lines)


def test_whoever_wants_no_colour_gets_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "")
    followed(*MOMENTS)
    assert "\x1b[3" not in capsys.readouterr().out


def test_a_check_that_fails_ends_it() -> None:
    def check() -> None:
        raise OSError("the scheduler ended")

    progress = RunProgress(Airflow(*MOMENTS), "dag", "run", Path("/logs"))  # type: ignore[arg-type]
    with pytest.raises(OSError, match="scheduler"):
        progress.follow(check)
