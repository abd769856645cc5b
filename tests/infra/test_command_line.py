"""`make demo` and `make up` end in one line, whatever the machine refuses."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.command_line import run_program, text_table
from infra.errors import InputError
from infra.private_files import write_private

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Give the signals back to pytest."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.ENOSPC, "No space left on device: /data/x. Free some space and run again."),
        (errno.EACCES, "Permission denied: /data/x. Check that it may be used, and run again."),
    ],
)
def test_what_the_machine_refuses_is_one_line(
    number: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        raise OSError(number, os.strerror(number), "/data/x")

    assert run_program(main) == 1
    assert capsys.readouterr().err == f"\n{line}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_a_full_disk_is_told_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The write itself fails here, and such an error knows no file."""
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr("infra.private_files.os.open", lambda *_: full)

    def main() -> int:
        write_private(tmp_path / "keys.json", {"a": "b"})
        return 0

    assert run_program(main) == 1
    assert capsys.readouterr().err == (
        f"\nNo space left on device: {tmp_path / 'keys.json'}. Free some space and run again.\n"
    )


def test_columns_are_as_wide_as_a_terminal_shows_their_cells() -> None:
    """A Chinese character takes two places; words in brackets are no markup."""
    rows = [("pm", "上衣, 红色"), ("analyst", "[red] dress"), ("", "")]
    assert text_table(("User", "Would see first"), rows).split("\n") == [
        "  User     Would see first",
        "  -------  ---------------",
        "  pm       上衣, 红色",
        "  analyst  [red] dress",
        "",
    ]
    assert text_table(("User",), []).splitlines() == ["  User", "  ----"]


def test_a_table_is_plain_and_breaks_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    long = "x" * 500
    assert text_table(("Why",), [(long,)]).splitlines()[-1] == f"  {long}"
    assert "\x1b" not in text_table(("Why",), [(long,)])


@pytest.mark.parametrize("status", [0, 3])
def test_the_status_of_a_program_is_that_of_its_main(status: int) -> None:
    assert run_program(lambda: status) == status


def test_an_error_of_ours_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise InputError("The folder is empty.", "Give another.")

    assert run_program(main) == 1
    assert capsys.readouterr().err == "\nThe folder is empty. Give another.\n"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_leaves_through_what_is_open_and_only_once(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = []

    def main() -> int:
        try:
            os.kill(os.getpid(), number)
            signal.sigtimedwait([], 5)
        finally:
            os.kill(os.getpid(), number)  # a second Ctrl-C must not cut the tidying up
            closed.append(number)
        return 0

    assert run_program(main) == 130
    assert closed == [number]
    assert capsys.readouterr().out == "\nStopping ...\nStopped.\n"
