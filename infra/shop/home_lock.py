"""Locks the home of a shop for one server; the lock ends with the server, however that ends."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from infra.errors import AirflowError
from infra.waiting import wait_until

_STOPPING_SECONDS = 15.0  # how long the servers of a killed launcher may take to be gone


@dataclass(frozen=True)
class Holder:
    """Who has the lock: shown to people, and used to reach the Airflow that runs."""

    pid: int
    program: str
    airflow_port: int

    @property
    def alive(self) -> bool:
        """Tell whether the launcher itself still runs; its servers may outlive it for seconds."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


class HomeLock:
    """The lock of one home; the servers inherit it, so it is free only when they are gone."""

    def __init__(self, home: Path) -> None:
        self._path = home / "server.lock"
        self._file: IO[str] | None = None

    def take(self, program: str, airflow_port: int) -> None:
        """Take the lock.

        Raises
        ------
        AirflowError
            A server of this home runs already.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+")
        wait_until(lambda: _locked(file) or self._is_held_by_the_living(), _STOPPING_SECONDS, 0.2)
        if not _locked(file):
            file.close()
            raise _taken(self._path.parent, self.holder())
        file.truncate(0)
        file.write(json.dumps(asdict(Holder(os.getpid(), program, airflow_port))))
        file.flush()
        self._file = file

    def _is_held_by_the_living(self) -> bool:
        holder = self.holder()
        return holder is not None and holder.alive

    def fileno(self) -> int:
        """Return the descriptor that servers inherit."""
        if self._file is None:
            raise AirflowError("The home is not locked.", "Take the lock first.")
        return self._file.fileno()

    def give_back(self) -> None:
        """Let go; the lock stays taken while an inheritor lives."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def holder(self) -> Holder | None:
        """Return who runs a server on this home now, or None."""
        try:
            with self._path.open("r+") as file:
                return None if _locked(file) else Holder(**json.loads(file.read()))
        except (FileNotFoundError, ValueError, TypeError):
            return None


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _taken(home: Path, holder: Holder | None) -> AirflowError:
    who = f"`{holder.program}` (process {holder.pid})" if holder else "Another server"
    return AirflowError(f"{who} runs on {home} already.", "Stop it, or choose another SHOP.")
