"""Looks at something again and again, in a thread that no failure ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from infra.errors import CatwalkError, StorageError
from models.serving.metrics import Metrics

_log = logging.getLogger("catwalk")


def require_records(last: int, remembered: object, what: str) -> None:
    """Refuse a folder without any record where there were some: records are never taken away.

    Raises
    ------
    StorageError
        So it looks where a disk is not mounted: a folder that is empty.
    """
    if last == 0 and remembered:
        raise StorageError(
            f"The published folder holds no {what}, and it held some.",
            "Check that it is mounted and the right one; what was known still counts.",
        )


class Looks:
    """Says once that a look fails, and once that it works again; tells the metrics when it did."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics, self._failing = metrics, set[str]()

    def take(self, what: str, look: Callable[[], None]) -> bool:
        """Look; tell whether that worked."""
        try:
            look()
        except (CatwalkError, OSError) as error:
            if what not in self._failing:
                _log.error("Cannot follow the %s: %s", what, error)
            self._failing.add(what)
            self._metrics.last_look.labels(what)  # 0 if it never worked: an alert sees that too
            return False
        if what in self._failing:
            _log.warning("Can follow the %s again.", what)
        self._failing.discard(what)
        self._metrics.last_look.labels(what).set(time.time())
        return True


class Repeated:
    """Calls a function every few seconds in a thread of its own, until it is stopped."""

    def __init__(self, name: str, look: Callable[[], None], seconds: float) -> None:
        self._look, self._seconds = look, seconds
        self._stopped, self._looked = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait_first(self, seconds: float) -> None:
        """Return after the first call, or after so many seconds."""
        self._looked.wait(seconds)

    def stop(self) -> None:
        """End after the call that runs now."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._look()
            except Exception:
                _log.exception("%s failed, and is tried again.", self._thread.name)
            self._looked.set()
            self._stopped.wait(self._seconds)
