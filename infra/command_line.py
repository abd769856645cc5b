"""Tables on a terminal: plain text, columns as wide as they need."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from infra.errors import CatwalkError, StorageError

INDENT = "  "


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows under a header.

    >>> print(text_table(("user", "role"), [("pm", "user")]))
      user  role
      ----  ----
      pm    user
    """
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    rule = ["-" * width for width in widths]
    return "\n".join(_line(cells, widths) for cells in [header, rule, *rows])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return INDENT + "  ".join(padded).rstrip()


def run_program(main: Callable[[], int]) -> int:
    """Run a main function: SIGTERM and Ctrl-C leave through its `with` blocks, errors are printed.

    Returns
    -------
    int
        Exit status: that of `main`, 1 after an error of ours or of the machine, 130 after a signal.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _unwind)
    try:
        return main()
    except CatwalkError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\n{_without_trace(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", flush=True)
        return 130


def _without_trace(error: OSError) -> StorageError:
    """Say what the machine refused; a full disk is no fault of the program."""
    where = f": {error.filename2 or error.filename}" if error.filename else ""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    cure = "Free some space and run again." if full else "Check that it may be used, and run again."
    return StorageError(f"{error.strerror or error}{where}.", cure)


def _unwind(number: int, frame: FrameType | None) -> None:
    """Leave by an exception, once: stopping takes seconds, and a second Ctrl-C must not cut it."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    print("\nStopping ...", flush=True)
    raise KeyboardInterrupt
