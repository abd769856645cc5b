"""What command-line programs share: tables, and a one-line message for each way to end."""

from __future__ import annotations

import errno
import io
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from infra.errors import CatwalkError, StorageError

INDENT = "  "
_WIDEST = 10_000  # no cell is broken into lines: a terminal does that, and a file needs none


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows under a header, columns as wide as a terminal shows their cells.

    >>> print(text_table(("user", "role"), [("pm", "user")]))
      user  role
      ----  ----
      pm    user
    """
    from rich.console import Console
    from rich.rule import Rule
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, len(INDENT), 0, 0))
    table.add_row(*map(Text, header))
    table.add_row(*(Rule(characters="-", style="") for _ in header))
    for cells in rows:
        table.add_row(*map(Text, cells))
    plain = Console(file=io.StringIO(), width=_WIDEST, color_system=None)
    with plain.capture() as lines:
        plain.print(table)
    return "\n".join(f"{INDENT}{line}".rstrip() for line in lines.get().splitlines())


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
    """Say what the machine refused; a full disk is not the program's fault."""
    where = f": {error.filename2 or error.filename}" if error.filename else ""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    cure = "Free some space and run again." if full else "Check that it may be used, and run again."
    return StorageError(f"{error.strerror or error}{where}.", cure)


def _unwind(number: int, frame: FrameType | None) -> None:
    """Leave by an exception, once: stopping takes seconds, and a second Ctrl-C must not cut it."""
    for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked, signal.SIG_IGN)
    print("\nStopping ...", flush=True)
    raise KeyboardInterrupt
