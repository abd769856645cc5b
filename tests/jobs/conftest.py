"""A disk that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path], None]]:
    """Return a function that puts a disk of 64 kB under a folder; root alone may mount."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        command = ["mount", "-t", "tmpfs", "-o", "size=64k", "catwalk-test", str(folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            pytest.skip("this machine lets nobody mount a small disk")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        # lazy: Spark may hold a file of it open for some moments more
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
