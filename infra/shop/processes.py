"""Starts servers that stop with this process, and says why one ended by itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 6.0  # a server that has not ended by then is killed


class GuardedProcess:
    """A command under `infra.shop.process_guard`: it ends when told, or when this process does.

    Parameters
    ----------
    name : str
        Names the log file.
    command : sequence of str
        Program and arguments.
    environment : mapping
        The whole environment of the command.
    logs : Path
        Folder of the log; the log of the start before is kept beside it as `.1`.
    keep_open : iterable of int
        File descriptors held until nothing of the command runs any more: the lock of a home.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        logs: Path,
        keep_open: Iterable[int] = (),
    ) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        logs.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        guard = [sys.executable, "-m", "infra.shop.process_guard", str(STOP_SECONDS), *command]
        with self.log.open("wb") as log:
            self._guard = subprocess.Popen(
                guard,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C on the terminal is for us, we pass it on in order
                pass_fds=tuple(keep_open),
            )

    @property
    def status(self) -> int | None:
        """Exit status, or None while it runs."""
        return self._guard.poll()

    @property
    def pid(self) -> int:
        """Process id of the guard; what it guards is below."""
        return self._guard.pid

    def ask_to_stop(self) -> None:
        """Return at once; `wait` tells when all is gone."""
        if self._guard.stdin and not self._guard.stdin.closed:
            self._guard.stdin.close()

    def wait(self) -> int:
        """Return the exit status once the command and all below it are gone."""
        return self._guard.wait()

    def last_lines(self, count: int = 8) -> str:
        """Return the end of the log, for an error message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([line for line in lines if line.strip()][-count:])


def stop_all(processes: Sequence[GuardedProcess]) -> None:
    """Stop all at the same time and return when the last is gone."""
    for process in processes:
        process.ask_to_stop()
    for process in processes:
        process.wait()
