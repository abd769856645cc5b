"""What `make demo` and `make up` have in common: signals that unwind, errors of one line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

from infra.errors import CatwalkError


def run_program(main: Callable[[], int]) -> int:
    """Run a main function: SIGTERM and Ctrl-C leave through its `with` blocks, errors are printed.

    Returns
    -------
    int
        Exit status: that of `main`, 1 after an error of ours, 130 after a signal.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _unwind)
    try:
        return main()
    except CatwalkError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", flush=True)
        return 130


def _unwind(number: int, frame: FrameType | None) -> None:
    """Leave by an exception, once: stopping takes seconds, and a second Ctrl-C must not cut it."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    print("\nStopping ...", flush=True)
    raise KeyboardInterrupt
