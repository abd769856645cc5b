"""Runs one command and lets nothing of it outlive the process that asked for it.

    python -m infra.shop.process_guard GRACE COMMAND...

The asking process holds the other end of this one's standard input. When that closes, be it on
purpose or because the process was killed, the command gets SIGTERM, GRACE seconds later SIGKILL,
and so does everything it ever started: orphans are adopted here, where they can be found.
"""

from __future__ import annotations

import contextlib
import ctypes
import select
import signal
import subprocess
import sys
from types import FrameType

import psutil

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def main(arguments: list[str]) -> int:
    """Run the command until it ends or nobody asks for it any more; return its status."""
    grace, command = float(arguments[0]), arguments[1:]
    _adopt_orphans()
    signal.signal(signal.SIGTERM, _leave)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        while child.poll() is None and not _input_closed():
            pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _stop(child, grace)
    return child.returncode


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _input_closed(seconds: float = 0.2) -> bool:
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def _stop(child: subprocess.Popen[bytes], grace: float) -> None:
    """End the command in peace if it can, then kill what is left below this process."""
    children = _below()
    child.terminate()
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        child.kill()
    while left := [process for process in {*children, *_below()} if process.is_running()]:
        for process in left:
            _kill(process)
        psutil.wait_procs(left, timeout=1)
        children = set()
    child.wait()


def _below() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
