"""Every command of the README and the docs works as it is printed.

A command is run in a copy of the repository beside a few shops, or it is listed in
`ELSEWHERE`, with who runs it. A new command in a page has no place, and fails a test.
"""

from __future__ import annotations

import doctest
import hmac
import re
import shlex
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, SECRET, shop_at
from tests.docs import commands as reading
from tests.docs.clone import BATCH, GROUP, around, ingest_rows, typed
from tests.docs.commands import SHELL, TYPED, blocks, commands, fences

COMMANDS = commands()
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
TARGETS = dict(re.findall(r"^([a-z][a-z-]*):.*?## (.*)$", MAKEFILE, re.MULTILINE))
SERVED = "tests/models/serving/test_app.py"
# What nobody runs here, because it takes minutes, changes the machine or stays until Ctrl-C.
ELSEWHERE = {
    "make setup": ".ci/run",
    "make demo": ".ci/run",
    "make test": ".ci/run",
    "make lint": ".ci/run",
    "make types": ".ci/run",
    "make setup PYTHON=python3.12": "tests/test_makefile.py",
    "make demo DATA=folder/online_retail": "tests/infra/demo/test_demo.py",
    "make try-source DATA=folder SOURCE=name": "tests/jobs/test_try_source.py",
    "make up SHOP=name": "tests/infra/shop/test_airflow_server.py",
    "CATWALK_HOME=var/name .venv/bin/python -m models.serving.serve": SERVED,
    "make serve SHOP=name": SERVED,
    "make serve": SERVED,
    "CATWALK_SOURCES=webshop make up SHOP=webshop": "tests/infra/shop/test_airflow_server.py",
    "make try-source DATA=var/data/webshop SOURCE=webshop": "tests/docs/test_docs_add_a_source.py",
    "make demo DATA=var/data/webshop": "tests/infra/demo/test_own_folder.py",
    "make demo DATA=folder": "tests/infra/demo/test_own_folder.py",
    "make up SHOP=webshop": "tests/infra/shop/test_airflow_server.py",
    "make lock UPGRADE=1": "a person, who looks at what changed",
    ".venv/bin/python -m pre_commit install": "a person, once",
    ".venv/bin/python -m ruff format .": "a person; `make lint` of .ci/run checks what it does",
    ".venv/bin/python -m pytest tests/jobs -k session": "a person; all tests of .ci/run",
    'git commit models/release.yaml -m "Ask for 99% coverage, as blank places cost sales"': (
        "a person, who changed the file"
    ),
    ".ci/run": "whoever checks a change",
    "apt-get install gcc python3-dev": ".ci/run",
}
ELSEWHERE |= {  # it joins files that another test writes
    command: "tests/docs/test_docs_add_a_source.py" for command in COMMANDS if "read_csv" in command
}
HERE = [
    command
    for command in COMMANDS
    if command not in ELSEWHERE and not re.fullmatch(r"make [a-z-]+", command)
]
LANGUAGES = {
    "",
    SHELL,
    "csv",
    "java",
    "json",
    "python",
    "scala",
    "text",
    "yaml",
}  # "" for what a program prints, and for drawings


def test_every_command_of_a_page_has_a_place() -> None:
    assert len(HERE) > 10
    assert set(ELSEWHERE) - set(COMMANDS) == set(), "no page has it any more"
    shown = {fence.language for fence in fences()}
    assert shown <= LANGUAGES, "name the language of a block, or none if it is typed nowhere"
    hidden = [
        line
        for fence in fences()
        if fence.language != SHELL
        for line in fence.text.splitlines()
        if TYPED.match(line.strip())
    ]
    assert hidden == [], f"something to type stands in a block that is not marked as {SHELL}"


@pytest.mark.parametrize("target", sorted({c for c in COMMANDS if re.match(r"make [a-z-]+$", c)}))
def test_every_target_that_a_page_names_exists(target: str) -> None:
    assert target.removeprefix("make ") in TARGETS


@GROUP
@pytest.mark.parametrize("command", HERE)
def test_a_command_works_as_it_is_printed(command: str, clone: Path) -> None:
    done = typed(command, clone)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", ELSEWHERE)
def test_who_runs_the_other_commands_is_there(command: str) -> None:
    who = ELSEWHERE[command]
    if who.startswith("tests/"):
        assert (REPOSITORY / who).is_file()
    if who == ".ci/run":
        steps = (REPOSITORY / who).read_text(encoding="utf-8")
        assert command in steps or ("apt-get install" in command and "apt-get install" in steps)


@pytest.mark.parametrize("command", [c for c in [*ELSEWHERE, *HERE] if "make " in c])
def test_a_variable_that_is_printed_is_one_of_the_makefile(command: str) -> None:
    variables = re.findall(r"\b([A-Z]+)=", command.partition("make ")[2])
    assert [name for name in variables if not re.search(rf"\b{name}\b", MAKEFILE)] == []


@pytest.mark.faults  # a process for each
@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"help", "clean"}))
def test_what_a_target_starts_exists_and_takes_its_options(target: str) -> None:
    """Ask the program itself, by `--help`, where it has options."""
    variables = ["DATA=x", "EVENTS=10", "ROWS=10", "RUNS=10", "KILLS=1", "UPGRADE=1"]
    command = ["make", "--no-print-directory", "--dry-run", "--always-make", target, *variables]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=around(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip()
    own = r"-m ((?:infra|jobs|models|expectations)[\w.]*)(.*)$"
    printed = done.stdout.replace("\\\n", " ")  # a long command goes on in the next line
    for module, arguments in re.findall(own, printed, re.MULTILINE):
        place = REPOSITORY / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()
        options = [word for word in shlex.split(arguments) if re.match(r"--[a-z]", word)]
        if options:
            words = [word for word in shlex.split(arguments)[:1] if word.isalpha()]
            asked = [".venv/bin/python", "-m", module, *words, "--help"]
            told = subprocess.run(
                asked, cwd=REPOSITORY, env=around(), capture_output=True, text=True, check=True
            )
            assert [option for option in options if option not in told.stdout] == []


@pytest.fixture(scope="module")
def ingested(spark: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose shop `name` is one that Spark has filled."""
    folder = tmp_path_factory.mktemp("ingested")
    (folder / ".venv").symlink_to(REPOSITORY / ".venv")
    with pytest.MonkeyPatch.context() as patch:
        ingest_rows(shop_at(folder / "var/name", patch))
    return folder


def test_a_printed_function_for_user_keys_makes_the_keys_of_the_lake(ingested: Path) -> None:
    [program, *_] = blocks("use_what_is_published.md")
    scope: dict[str, Callable[[str, str], str]] = {}
    exec(program, scope)  # type: ignore[arg-type]
    key = scope["user_key"](SECRET, "anna")
    assert key == hmac.new(SECRET.encode(), b"anna", sha256).hexdigest()[:32]
    lake = ingested / "var/name/lake/events" / BATCH
    assert any(key.encode() in file.read_bytes() for file in lake.glob("*.parquet"))


def test_the_rows_of_a_quarantine_are_shown_though_one_is_not_utf8(ingested: Path) -> None:
    [command] = [command for command in HERE if "duckdb" in command]
    shown = typed(command, ingested).stdout
    assert "not_utf8" in shown and r"\xFF\xFE" in shown
    assert '"event_type": "hover"' in shown


def test_commands_are_split_where_the_shell_would() -> None:
    tried = doctest.testmod(reading)
    assert tried.attempted and not tried.failed
