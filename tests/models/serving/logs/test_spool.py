"""Files that are written line by line, and land once nobody writes to them any more."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.errors import StorageError
from infra.stores.local_store import LocalStore
from models.serving.logs import spool
from models.serving.logs.spool import Spool, land, process_name
from tests.house import REPOSITORY

WRITER = """
import sys, time
from pathlib import Path
from models.serving.logs.spool import Spool, process_name
spool = Spool(Path(sys.argv[1]), process_name())
spool.append(b"one\\n")
print("written", flush=True)
time.sleep(600)
"""


@pytest.fixture
def landing(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "landing")


def lines(landing: LocalStore) -> list[bytes]:
    return [line for key in landing.list("here") for line in landing.read(key).splitlines()]


def test_a_file_lands_once_it_is_closed(tmp_path: Path, landing: LocalStore) -> None:
    files = Spool(tmp_path / "spool", process_name(), seconds=1000)
    files.append(b"a\n")
    files.append(b"b\n")
    files.close_if_due()
    assert land(tmp_path / "spool", landing, "here") == 0  # its writer lives
    files.close()
    files.append(b"c\n")
    assert land(tmp_path / "spool", landing, "here") == 1
    assert lines(landing) == [b"a", b"b"]
    files.close()
    assert land(tmp_path / "spool", landing, "here") == 1
    assert lines(landing) == [b"a", b"b", b"c"]
    assert list((tmp_path / "spool").iterdir()) == []


def test_an_old_or_a_full_file_is_closed(
    tmp_path: Path, landing: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Spool(tmp_path / "spool", process_name(), seconds=0)
    old.append(b"a\n")
    old.close_if_due()
    monkeypatch.setattr(spool, "FULL_BYTES", 2)
    full = Spool(tmp_path / "spool", process_name(), seconds=1000)
    full.append(b"b\n")
    full.close_if_due()
    assert land(tmp_path / "spool", landing, "here") == 2


def test_what_a_killed_writer_left_lands_and_what_another_writes_does_not(
    tmp_path: Path, landing: LocalStore
) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "spool")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == b"written\n"
        assert land(tmp_path / "spool", landing, "here") == 0
        writer.kill()
    assert land(tmp_path / "spool", landing, "here") == 1
    assert lines(landing) == [b"one"]


def test_a_file_that_landed_before_the_kill_lands_once(tmp_path: Path, landing: LocalStore) -> None:
    files = Spool(tmp_path / "spool", process_name())
    files.append(b"a\n")
    files.close()
    (left,) = (tmp_path / "spool").iterdir()
    landing.create(f"here/{left.name}", left.read_bytes())  # and killed before it was removed
    land(tmp_path / "spool", landing, "here")
    assert lines(landing) == [b"a"]
    assert not left.exists()


def test_what_cannot_land_stays(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("no folder")
    files = Spool(tmp_path / "spool", process_name())
    files.append(b"a\n")
    files.close()
    with pytest.raises(StorageError):
        land(tmp_path / "spool", LocalStore(tmp_path / "landing"), "here")
    assert len(list((tmp_path / "spool").iterdir())) == 1


def no_space_after(number: int) -> Callable[[int, bytes], int]:
    """Return a `write` of a disk that takes so many bytes more."""
    real, left = os.write, [number]

    def write(file: int, content: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = real(file, content[: left[0]])
        left[0] -= taken
        return taken

    return write


def test_of_a_write_that_failed_half_way_nothing_stays(
    tmp_path: Path, landing: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Spool(tmp_path / "spool", process_name())
    files.append(b"whole\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", no_space_after(3))
        with pytest.raises(OSError, match="No space"):
            files.append(b"refused\n")
    files.append(b"next\n")
    files.close()
    land(tmp_path / "spool", landing, "here")
    assert sorted(lines(landing)) == [b"next", b"whole"]


def test_a_piece_that_cannot_be_cut_off_spoils_no_other_line(
    tmp_path: Path, landing: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(file: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    files = Spool(tmp_path / "spool", process_name())
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", no_space_after(3))
        patch.setattr(os, "ftruncate", broken)
        with pytest.raises(OSError, match="No space"):
            files.append(b"refused\n")
    files.append(b"next\n")
    files.close()
    land(tmp_path / "spool", landing, "here")
    assert sorted(lines(landing)) == [b"next", b"ref"]


def test_a_file_that_gets_no_name_takes_no_line(
    tmp_path: Path, landing: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    files = Spool(tmp_path / "spool", process_name())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", broken)
        with pytest.raises(OSError, match="No space"):
            files.append(b"refused\n")
    files.append(b"next\n")
    files.close()
    land(tmp_path / "spool", landing, "here")
    assert lines(landing) == [b"next"]
    assert list((tmp_path / "spool").iterdir()) == []
