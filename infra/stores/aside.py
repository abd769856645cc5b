"""Names the hidden temporary files that are renamed when complete, and deletes forgotten ones.

A killed writer leaves its temporary file behind.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

_OURS = r"\..+\.[0-9a-f]{8}"
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Spark writes the logs of a checkpoint so: `.12.98933e3c-...-982058011498.tmp`, and its checksum
_SPARKS = rf"\.{{1,2}}\d+(?:\.compact)?\.{_UUID}\.tmp(?:\.crc)?"
_NAME = re.compile(f"{_OURS}|{_SPARKS}", re.DOTALL)


def name_aside(path: Path) -> Path:
    """Name a place beside a file or folder to write it in, another one at every call."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


def asides_below(top: Path, refuse: Callable[[OSError], None]) -> list[Path]:
    """Return the temporary files of `name_aside` and of Spark; no other hidden ones."""
    asides: list[Path] = []
    for folder, below, names in os.walk(top, onerror=refuse):
        ours = [name for name in (*below, *names) if _NAME.fullmatch(name)]
        below[:] = [name for name in below if name not in ours]
        asides += [Path(folder, name) for name in ours]
    return asides


def delete_untouched(paths: Iterable[Path], before: datetime) -> list[str]:
    """Delete the files and folders in which nothing was written since a time; return them sorted.

    Raises
    ------
    OSError
        A path, the error's `filename`, cannot be deleted; all others are deleted.
    """
    gone: list[str] = []
    refused: list[OSError] = []
    for path in sorted(paths):
        try:
            if last_touched(path) < before:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                gone.append(str(path))
        except FileNotFoundError:
            continue  # its writer lives and has just finished
        except OSError as error:
            refused.append(OSError(error.errno, error.strerror, str(path)))
    if refused:
        raise refused[0]
    return gone


def last_touched(path: Path) -> datetime:
    """Return when something was last written in a file or below a folder."""
    return max(map(last_written, (path, *path.rglob("*"))))


def last_written(path: Path) -> datetime:
    """Return when a file was written, or a name in a folder made or removed."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
