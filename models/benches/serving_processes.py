"""The processes of a measurement: the server of a shop, and a server that does nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from infra.errors import InputError
from infra.places import REPOSITORY

SOON = 300.0  # seconds


@dataclass
class Server:
    """A server that runs.

    Attributes
    ----------
    address : str
    process : subprocess.Popen
    ready_s : float
        Seconds from its start to its first answer.
    """

    address: str
    process: subprocess.Popen[bytes]
    ready_s: float = 0.0

    def wait_for(self, version: str) -> None:
        """Return once it answers from a version."""
        self._wait("/health/ready", f'"{version}"')

    def wait(self, path: str) -> None:
        """Return once it answers, and note how long that took."""
        began = time.perf_counter()
        self._wait(path, "")
        self.ready_s = time.perf_counter() - began

    def cpu_s(self) -> float:
        """Return the seconds of CPU that it has used so far, without the process that guards it."""
        pids = [worker.pid for worker in _workers(self.process.pid)] or [self.process.pid]
        times = [psutil.Process(pid).cpu_times() for pid in pids]
        return sum(each.user + each.system for each in times)

    def own_mb(self) -> list[float]:
        """Return the memory of each worker that no other process shares, in MB."""
        return [own_mb(worker.pid) for worker in _workers(self.process.pid)]

    def _wait(self, path: str, word: str) -> None:
        ends = time.monotonic() + SOON
        # one client: making the next one takes 20 ms of a core, which the server shall have
        with httpx.Client(base_url=self.address, timeout=5, trust_env=False) as client:
            while time.monotonic() < ends and self.process.poll() is None:
                try:
                    answer = client.get(path)
                    if answer.is_success and word in answer.text:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.02)
        raise InputError(f"{self.address} does not answer.", "Read what it printed.")


@contextmanager
def serving(home: Path, workers: int = 1) -> Iterator[Server]:
    """Serve what is live in a home."""
    port = free_port()
    own = {"CATWALK_SERVING_PORT": str(port), "CATWALK_SERVING_WORKERS": str(workers)}
    settings = {**os.environ, "CATWALK_HOME": str(home), **own}
    with _started(["models.serving.serve"], settings, port) as server:
        server.wait("/health/ready")
        yield server


@contextmanager
def doing_nothing() -> Iterator[Server]:
    """Answer every question by the same bytes."""
    port = free_port()
    command = ["models.benches.serving_noop", str(port)]
    with _started(command, dict(os.environ), port) as server:
        server.wait("/openapi.json")
        yield server


@contextmanager
def _started(command: list[str], settings: dict[str, str], port: int) -> Iterator[Server]:
    process = subprocess.Popen([sys.executable, "-m", *command], env=settings, cwd=REPOSITORY)
    try:
        yield Server(f"http://127.0.0.1:{port}", process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def own_mb(pid: int) -> float:
    """Return what a process has written: mapped files that it only read are of all processes."""
    rolled_up = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    lines = (line.split() for line in rolled_up.splitlines())
    return sum(int(line[1]) for line in lines if line[0] == "Private_Dirty:") / 1024


def _workers(pid: int) -> list[psutil.Process]:
    children = psutil.Process(pid).children()
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


def free_port() -> int:
    """Return a port of loopback that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
