"""Passwords and keys: private from the first moment, whole or not there, never lost in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.errors import SettingsError
from infra.private_files import make_private_folder, read_private, write_private

CONTENT = {"pm": "secret"}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "new/folder/keys.json"
    write_private(file, {"a": "b"})
    write_private(file, CONTENT)
    assert read_private(file) == CONTENT
    assert [path.name for path in file.parent.iterdir()] == ["keys.json"]


def test_no_file_is_an_empty_one(tmp_path: Path) -> None:
    assert read_private(tmp_path / "keys.json") == {}


def test_only_the_owner_may_read_it_whatever_the_mask_of_the_process(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private(tmp_path / "keys.json", CONTENT)
    finally:
        os.umask(before)
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '"pm"', '{"pm": 1}', '{"pm": null}'])
def test_a_damaged_file_is_an_error_and_stays(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    with pytest.raises(SettingsError) as told:
        read_private(file, "Restore it.")
    assert str(told.value) == f"{file} cannot be read. Restore it."
    assert file.read_text() == text


def test_a_write_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys.json"
    write_private(file, CONTENT)

    def refused(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(OSError, match="No space left") as told:
        write_private(file, {"pm": "other"})
    assert told.value.filename == str(file)
    assert read_private(file) == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_a_folder_is_made_private_with_all_that_is_in_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        old = tmp_path / "shop/quarantine/batch/part.parquet"
        old.parent.mkdir(parents=True)
        old.write_bytes(b"of an earlier Catwalk")
        make_private_folder(tmp_path / "shop/quarantine")
        new = tmp_path / "shop/quarantine/another/part.parquet"
        new.parent.mkdir()
        new.write_bytes(b"as Spark writes")
        (tmp_path / "shop/quarantine/file").write_bytes(b"x")
        make_private_folder(tmp_path / "shop/quarantine")
        make_private_folder(tmp_path / "never/was/there")
    finally:
        os.umask(before)
    modes = {
        path.relative_to(tmp_path).as_posix(): path.stat().st_mode & 0o777
        for path in tmp_path.rglob("*")
    }
    assert modes == {
        "shop": 0o777,
        "shop/quarantine": 0o700,
        "shop/quarantine/batch": 0o700,
        "shop/quarantine/batch/part.parquet": 0o600,
        "shop/quarantine/another": 0o700,
        "shop/quarantine/another/part.parquet": 0o600,
        "shop/quarantine/file": 0o600,
        "never": 0o777,
        "never/was": 0o777,
        "never/was/there": 0o700,
    }
