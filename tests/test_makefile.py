"""The Makefile explains itself, and nothing in the repository belongs to one machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.settings import Settings
from infra.settings_page import settings_page
from tests.conftest import REPOSITORY

LOCKS = sorted(REPOSITORY.glob("requirements*.lock"))
INDEXES = re.compile(r"(pypi\.org|pythonhosted\.org|--(extra-)?index-url|--find-links)")
MACHINE_PATHS = re.compile(r"(/root/|/work/|/Users/|/home/(?!airflow|catwalk))\w")
MAKEFILE = (REPOSITORY / "Makefile").read_text()
TARGETS = re.findall(r"^([a-zA-Z0-9][\w-]*):(?!=)", MAKEFILE, re.MULTILINE)


def make(*arguments: str) -> str:
    around = {name: text for name, text in os.environ.items() if name[:7] != "CATWALK"}
    command = ["make", "--no-print-directory", *arguments]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=around, capture_output=True, text=True, check=True
    )
    return done.stdout


def tracked() -> list[Path]:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    files = (REPOSITORY / name for name in listed.stdout.split("\0") if name)
    return [file for file in files if file.is_file()]


def test_help_is_the_default_and_lists_every_target() -> None:
    text = make()
    assert {"help", "setup", "demo", "test", "who-was-live", "bench-gate"} <= set(TARGETS)
    assert set(TARGETS) == set(re.findall(r"^  make ([\w-]+) +\S", text, re.MULTILINE))
    for target in TARGETS:
        assert re.search(rf"^  make {target} +\S", text, re.MULTILINE), f"{target} is not explained"


def test_every_target_is_phony() -> None:
    """A file of a target's name would else make it pass without a word."""
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert sorted(phony[1].split()) == sorted(TARGETS)


def test_each_shop_has_a_home_of_its_own() -> None:
    shown = "print-home: ; @echo $(CATWALK_HOME)"
    homes = [
        make("--eval", shown, "print-home", *variables).strip()
        for variables in ((), ("DATA=/data/my_shop/",), ("SHOP=other",), ("CATWALK_HOME=/x",))
    ]
    var = REPOSITORY / "var"
    assert homes == [f"{var}/simulated", f"{var}/my_shop", f"{var}/other", "/x"]


@pytest.mark.parametrize(
    "target", ["setup", "demo", "up", "test", "test-faults", "soak-ingest", "bench-ingest"]
)
def test_each_java_has_its_archive_before_spark_starts(target: str) -> None:
    assert "-m infra.spark.class_archive" in make("--dry-run", target)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.name))
def test_locks_pin_and_hash_everything_and_name_no_index(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    requirements = [line for line in text.splitlines() if re.match(r"^[a-zA-Z0-9]", line)]
    assert requirements
    assert all(re.match(r"^[\w.-]+(\[[\w,-]+\])?==\S+ .*\\$", line) for line in requirements)
    assert text.count("--hash=sha256:") >= len(requirements)


def test_locks_agree_with_each_other() -> None:
    runtime, everything = (
        set(re.findall(r"^([\w.-]+)==(\S+)", (REPOSITORY / name).read_text(), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert runtime < everything


def test_nothing_belongs_to_one_machine() -> None:
    files = tracked()
    assert Path(__file__) in files
    for file in files:
        if file == Path(__file__) or b"\0" in (content := file.read_bytes()):
            continue
        for pattern in (INDEXES, MACHINE_PATHS):
            found = pattern.search(content.decode("utf-8", errors="replace"))
            assert not found, f"{file.relative_to(REPOSITORY)} holds '{found and found[0]}'"


def test_a_machine_runs_the_tests_of_faults_as_well_and_adds_up_both(tmp_path: Path) -> None:
    ci = (REPOSITORY / ".ci/run").read_text()
    assert re.search(r'make test \| tee -a "\$log"\nstep make test-faults \| tee -a "\$log"', ci)
    log = tmp_path / "log"
    log.write_text(
        "SKIPPED [2] no bucket\n3450 passed, 2 skipped in 350.10s (0:05:50)\n"
        "== make test: 360 s\n1 passed on the way\n310 passed in 500.00s (0:08:20)\n"
    )
    function = re.search(r"^sum\(\) .*?^}", ci, re.MULTILINE | re.DOTALL)
    assert function
    counts = [
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"log={log}; {function[0]}\nsum {word}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for word in ("passed", "skipped", "xfailed")
    ]
    assert counts == ["3760\n", "2\n", "0\n"]


def test_scripts_are_sound_and_may_run() -> None:
    scripts = [*(REPOSITORY / "infra/deployment").glob("*.sh"), REPOSITORY / ".ci/run"]
    for script in scripts:
        assert script.stat().st_mode & 0o100, f"{script.name} is not executable"
        subprocess.run(["bash", "-n", script], check=True)


def test_setup_without_a_python_that_runs_says_so(tmp_path: Path) -> None:
    """A pyenv shim stands on the PATH and fails: the one line must say what to do."""
    for name in ("python3.13", "python3"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 127\n")
        (tmp_path / name).chmod(0o755)
    for name in ("bash", "dirname", "env"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    done = subprocess.run(
        [REPOSITORY / "infra/deployment/setup.sh"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "make setup: No Python 3.11 to 3.13 runs here (tried: python3.13 python3.12 python3.11"
        " python3). Install one, or name it: make setup PYTHON=/path/to/python3."
    ]


def test_the_settings_page_has_them_all() -> None:
    page = settings_page()
    assert Settings.model_fields
    for name, about in Settings.model_fields.items():
        assert f"`CATWALK_{name.upper()}`" in page
        assert about.description
        assert about.description in page
