"""Runs a part of a bench in a process of its own, and measures the memory of all that it starts."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence

import psutil

from infra.errors import SparkError

_EVERY_SECONDS = 0.1


def peak_of(command: Sequence[str], variables: Mapping[str, object]) -> float:
    """Run a command with more variables around it; return its highest memory in GB.

    Raises
    ------
    SparkError
        It failed.
    """
    around = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    process = subprocess.Popen(command, env=around)
    peak = 0
    sizes: dict[int, int] = {}
    while process.poll() is None:
        before, sizes = sizes, _resident(process.pid)
        peak = max(peak, sum(sizes[process] for process in sizes.keys() & before.keys()))
        time.sleep(_EVERY_SECONDS)
    if process.returncode:
        raise SparkError("A part of the bench failed.", "The lines above say why.")
    return peak / 1e9


def _resident(pid: int) -> dict[int, int]:
    """Return the resident bytes of a process and all its children now, by process id.

    For a moment a child that is just being started is its parent once more: whoever adds up takes
    those that were there a moment before.
    """
    sizes = {}
    try:
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            sizes[process.pid] = process.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return sizes
