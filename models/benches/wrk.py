"""Asks a server by `wrk`, a program of its own (Debian: `apt-get install wrk`)."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.errors import InputError

SCRIPT = Path(__file__).with_name("serving.lua")
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Load:
    """What a run of wrk saw: requests per second, the time of 99 of 100 in ms, failures of all."""

    rps: float
    p99_ms: float
    failed: int
    requests: int


@dataclass(frozen=True)
class Wrk:
    """Sends bodies over some connections, for some seconds each time.

    Attributes
    ----------
    token : str
        Goes along with every request.
    scratch : Path
        Where the bodies are written for it.
    """

    token: str
    scratch: Path

    def run(
        self, address: str, bodies: list[str], seconds: float, connections: int, pause_ms: int = 0
    ) -> Load:
        """Send bodies drawn at random; after each answer a connection pauses so long on average."""
        return ended(self.start(address, bodies, seconds, connections, pause_ms))

    def start(
        self, address: str, bodies: list[str], seconds: float, connections: int, pause_ms: int = 0
    ) -> subprocess.Popen[str]:
        """Begin to send."""
        file = self.scratch / "bodies.txt"
        file.write_text("\n".join(bodies), encoding="utf-8")
        options = ["-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", "--timeout", "10s"]
        arguments = [str(file), self.token, str(pause_ms)]
        return subprocess.Popen(
            [_program(), *options, "-s", str(SCRIPT), address, "--", *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )


def ended(load: subprocess.Popen[str]) -> Load:
    """Wait until wrk ends, and return what it saw."""
    return read_load(load.communicate()[0])


def read_load(told: str) -> Load:
    """Read what wrk prints.

    >>> read_load("  99%   1.50ms   20 requests in 2.00s, 1MB read   Requests/sec:  10.00")
    Load(rps=10.0, p99_ms=1.5, failed=0, requests=20)
    """
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", told)
    rps, requests = (
        re.search(r"Requests/sec:\s+([\d.]+)", told),
        re.search(r"(\d+) requests in", told),
    )
    if not (p99 and rps and requests):
        raise InputError(f"wrk printed: {told[:200]}", "Look whether the server answers.")
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", told
    )
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    failed = sum(map(int, errors.groups())) if errors else 0
    failed += int(refused[1]) if refused else 0
    return Load(float(rps[1]), float(p99[1]) * UNITS[p99[2]], failed, int(requests[1]))


def _program() -> str:
    found = shutil.which("wrk")
    if not found:
        raise InputError("There is no wrk on this machine.", "apt-get install wrk")
    return found
