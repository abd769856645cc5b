"""Who changed a file last: what git knows, and an honest word where it knows nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from models.release.file_history import Change, last_change

AUTHOR = "Ada Lovelace"


def git(folder: Path, *arguments: str) -> str:
    named = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        named |= {f"GIT_{role}_NAME": AUTHOR, f"GIT_{role}_EMAIL": "ada@example.org"}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **named},
    )
    return done.stdout.strip()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that was committed, with a later commit that did not touch it."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "rules").mkdir()
    found = tmp_path / "rules" / "release.yaml"
    for name, content in (("release.yaml", "min: 1"), ("other", "text")):
        (tmp_path / "rules" / name).write_text(content)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "--quiet", "--message", name)
    return found


def test_a_committed_file(file: Path) -> None:
    commit = git(file.parent, "rev-parse", "HEAD^")
    assert last_change(file, file.read_bytes()) == Change(commit, AUTHOR)


def test_a_file_that_was_edited_since(file: Path) -> None:
    assert last_change(file, b"min: 2") == Change("uncommitted", "unknown")


def test_a_file_that_was_never_committed(file: Path) -> None:
    new = file.with_name("new.yaml")
    new.write_text("min: 1")
    assert last_change(new, b"min: 1") == Change("uncommitted", "unknown")


def test_outside_a_repository(tmp_path: Path) -> None:
    assert last_change(tmp_path / "release.yaml", b"") == Change("unknown", "unknown")


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert last_change(tmp_path / "release.yaml", b"").author == "unknown"


def test_without_git(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(file.parent))
    assert last_change(file, file.read_bytes()) == Change("unknown", "unknown")


def test_a_shallow_clone_does_not_name_the_wrong_one(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{tmp_path}", str(target))
    copy = target / "rules" / "release.yaml"
    assert last_change(copy, copy.read_bytes()) == Change("unknown", "unknown")


def test_another_repository_in_the_environment_is_not_asked(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert last_change(file, file.read_bytes()).author == AUTHOR
