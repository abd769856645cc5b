"""What Prometheus reads: counts, times and ages, of all workers of this machine together.

Each worker keeps its values in files of one folder (`PROMETHEUS_MULTIPROC_DIR`, which `serve` sets
before this module is imported); whichever worker is asked adds them up.
"""

from __future__ import annotations

import os
import re
from collections import Counter as Counts
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_GAUGE_OF = re.compile(r"gauge_live\w+_(\d+)\.db")


class Metrics:
    """The metrics of one worker.

    Parameters
    ----------
    folder : Path, optional
        Where the values of all workers are; without it there is this process alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.registry = registry = CollectorRegistry()

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"catwalk_{name}", about, labels, registry=registry)

        def gauge(name: str, about: str, *labels: str) -> Gauge:
            each = {"registry": registry, "multiprocess_mode": "liveall"}  # gone with its worker
            return Gauge(f"catwalk_{name}", about, labels, **each)  # type: ignore[arg-type]

        self._requests = counter("requests", "Requests by route and status.", "route", "status")
        self._seconds = Histogram(
            "catwalk_request_seconds",
            "Seconds from the whole request to the answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self._items = counter("items", "Items answered, by what they come from.", *_BY_SOURCE)
        self._answers = counter("answers", "Lists that are full, short, empty.", *_BY_FILLING)
        self.events = counter("events", "Events that came in.", "result")
        self.token_failures = counter("token_failures", "Requests without a valid token.", "why")
        self.dropped = counter("served_log_dropped", "Lines that the served log had no room for.")
        self.not_landed = counter("not_landed", "Files that could not be landed; tried again.")
        self.swaps = counter("swaps", "Versions that began to answer.")
        self.refused = counter("refused_versions", "Versions that were tried and refused.")
        self.pointer = gauge("pointer", "Number of the pointer that is answered from.")
        self.newest_pointer = gauge("newest_pointer", "Number of the newest pointer.")
        self.live_since = gauge("live_since_timestamp_seconds", "When the version went live.")
        self.last_look = gauge(
            "last_look_timestamp_seconds", "When the published folder last answered.", "what"
        )
        self._second = cache(self._seconds.labels)
        self._counted: Counts[tuple[Counter, str, str]] = Counts()

    def requested(self, route: str, status: int, seconds: float) -> None:
        """Count a request that is answered; on the event loop."""
        self._counted[self._requests, route, str(status)] += 1
        self._second(route).observe(seconds)

    def answered(self, placement: str, sources: Sequence[str], wanted: int) -> None:
        """Count a list and its items; on the event loop."""
        filling = "full" if len(sources) >= wanted else "short" if sources else "empty"
        self._counted[self._answers, placement, filling] += 1
        for source, number in Counts(sources).items():
            self._counted[self._items, placement, source] += number

    def add_up(self) -> None:
        """Write what was counted; on the event loop, once a second: each write takes its time."""
        for (metric, *labels), number in self._counted.items():
            metric.labels(*labels).inc(number)
        self._counted.clear()

    def page(self) -> bytes:
        """Return all values, but for what was not added up, in Prometheus's text format."""
        if self._folder is None:
            return generate_latest(self.registry)
        forget_dead_workers(self._folder)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        return generate_latest(registry)


_BY_SOURCE = ("placement", "source")
_BY_FILLING = ("placement", "filling")


def forget_dead_workers(folder: Path) -> None:
    """Remove what workers that were killed said of themselves; what they counted stays."""
    for file in folder.glob("gauge_live*.db"):
        found = _GAUGE_OF.fullmatch(file.name)
        if found and not _runs(int(found[1])):
            file.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
