"""Measures the memory of a training: of this process and of those it started."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from psutil import Error, Process

UNITS_PER_MB = 1024**2 if sys.platform == "darwin" else 1024  # macOS counts memory in bytes


def peak_memory_mb() -> float:
    """Return the highest resident memory so far of this process and the ones it started.

    Spark's Java is such a process; what a cluster's workers take is not counted.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / UNITS_PER_MB
    return own + sum(_peak_of(child) for child in Process().children(recursive=True))


def _peak_of(process: Process) -> float:
    """Return the peak where the system keeps it (Linux, `VmHWM` in kB), else what it has now."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        return float(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return _now_of(process)


def _now_of(process: Process) -> float:
    try:
        return float(process.memory_info().rss) / 1024**2
    except Error:  # it ended meanwhile
        return 0.0
