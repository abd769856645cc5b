"""What was answered to whom: a line of JSON per answer, which no answer waits for.

A worker hands over ready lines; a thread writes them four times a second. Each has the name of the
process and a number, so that a line that is missing is seen.
"""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime

import msgspec

from models.serving.api.wire import ShownItem
from models.serving.logs.spool import Spool
from models.serving.metrics import Metrics

MOST_LINES = 20_000  # that may wait: seconds of a busy worker
EVERY_SECONDS = 0.25
_encode = msgspec.json.Encoder().encode


class ServedLine(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One answer; `items` is as it was answered, without reasons, `asked` how many were wanted."""

    request_id: str
    at: datetime
    process: str
    sequence: int
    placement: str
    version: str
    ms: float
    items: list[ShownItem]
    applied_rules: list[str]
    user_key: str = ""
    visitor_key: str = ""
    market: str = ""
    category: str = ""
    asked: int = 0
    test: str = ""
    phase: int = 0
    arm: str = ""


class ServedLog:
    """The served log of one process.

    Parameters
    ----------
    spool : Spool
    process : str
        Its name in every line.
    """

    def __init__(self, spool: Spool, process: str, metrics: Metrics) -> None:
        self.process = process
        self._spool, self._metrics = spool, metrics
        self._lines: deque[bytes] = deque()
        self._sequence = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="served log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and close the file."""
        self._stopped.set()
        self._thread.join()

    def next_number(self) -> int:
        """Return the number of the next answer; a line that is dropped has one too."""
        self._sequence += 1
        return self._sequence

    def note(self, line: ServedLine) -> None:
        """Take a line, or drop and count it where too many wait."""
        if len(self._lines) >= MOST_LINES:
            self._metrics.dropped.inc()
            return
        self._lines.append(_encode(line))

    def _run(self) -> None:
        while not self._stopped.wait(EVERY_SECONDS):
            self._write()
        self._write()
        self._spool.close()

    def _write(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        try:
            if lines:
                self._spool.append(b"\n".join([*lines, b""]))
            self._spool.close_if_due()
        except OSError:
            self._metrics.dropped.inc(len(lines))
