"""`make demo` and `make up` end in one line, whatever the machine refuses."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.command_line import run_program
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
