"""Files that one process appends to; each lands in the landing folder once it is closed.

A file is locked as long as its writer lives, however that ends. So whoever gets the lock of a file
knows that nobody writes to it any more, and lands it: the next file of the same process, another
process, or the next start on this disk.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from infra.stores.object_store import AlreadyExistsError, ObjectStore

FULL_BYTES = 16 * 1024**2
FULL_SECONDS = 60.0
_ENDING = ".jsonl"


class Spool:
    """The files of one kind; a process has one open at most. Used by one thread at a time.

    Parameters
    ----------
    folder : Path
        On a disk that outlives the process.
    process : str
        Names the process in the names of its files; no other one ever has the same.
    seconds : float
        How long a file is written to before it lands.
    """

    def __init__(self, folder: Path, process: str, seconds: float = FULL_SECONDS) -> None:
        self._folder, self._process, self._seconds = folder, process, seconds
        self._file = self._size = self._number = 0
        self._opened = 0.0

    def append(self, content: bytes) -> None:
        """Write to the end of the file, and wait until the disk has it.

        Raises
        ------
        OSError
            The machine refused; nothing of the content stays in the file.
        """
        if not self._file:
            self._open()
        try:
            _write_all(self._file, content)
            os.fdatasync(self._file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            self.close()  # a piece that could not be cut off must not begin the next line
            raise
        self._size += len(content)

    def close_if_due(self) -> None:
        """Close the file if it is full or old enough, so that it can land."""
        if self._size >= FULL_BYTES or time.monotonic() - self._opened >= self._seconds:
            self.close()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file:
            os.close(self._file)
            self._file = self._size = 0

    def _open(self) -> None:
        """Begin a file: it gets its name when it is locked, so nobody lands it before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._number += 1
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{self._process}-{self._number:06d}"
        aside = self._folder / f".{stamp}"
        file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            aside.rename(self._folder / f"{stamp}{_ENDING}")
            _sync(self._folder)
        except OSError:
            os.close(file)  # what is written under a name that is not found would never land
            aside.unlink(missing_ok=True)
            raise
        self._file, self._opened = file, time.monotonic()


def process_name() -> str:
    """Return a name that no other process ever has."""
    return uuid.uuid4().hex[:12]


def land(folder: Path, landing: ObjectStore, below: str) -> int:
    """Bring files that nobody writes to any more to the landing folder; return how many.

    A file that was landed just before its writer or this function was killed is not landed twice.

    Raises
    ------
    StorageError
        The landing folder refuses; what is left is landed at the next call.
    """
    landed = 0
    for file in sorted(folder.glob(f"*{_ENDING}")):
        with _abandoned(file) as content:
            if content is None:
                continue
            with suppress(AlreadyExistsError):
                if content:
                    landing.create(f"{below}/{file.name}", content)
                    landed += 1
            file.unlink(missing_ok=True)
    return landed


@contextmanager
def _abandoned(file: Path) -> Iterator[bytes | None]:
    """Give the content of a file that nobody writes to or lands; None if somebody does."""
    try:
        number = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = file.exists() and file.stat().st_ino == os.fstat(number).st_ino
        yield file.read_bytes() if mine else None
    except BlockingIOError:
        yield None
    finally:
        os.close(number)


def _write_all(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def _sync(folder: Path) -> None:
    """Let the disk have the names in a folder."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
