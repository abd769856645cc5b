"""The README is short, begins with two commands, and its figures about the code are true."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")
OURS = ("dags", "jobs", "expectations", "models", "infra")


def lines(*folders: str) -> int:
    files = [file for folder in folders for file in (REPOSITORY / folder).rglob("*.py")]
    assert files
    return sum(len(Path(file).read_text(encoding="utf-8").splitlines()) for file in files)


def test_it_is_read_in_a_minute_and_begins_with_two_commands() -> None:
    assert len(TEXT.splitlines()) < 90
    first = TEXT.split("```sh\n", 1)[1].split("```", 1)[0]
    assert [line.split("#")[0].split() for line in first.splitlines()] == [
        ["make", "demo"],
        ["make", "test"],
    ]


def test_the_lines_of_code_are_told_about_rightly() -> None:
    told = re.search(r"\| code \| ([\d,]+) lines of Python, and ([\d,]+) lines of tests", TEXT)
    assert told is not None
    code, tests = (int(number.replace(",", "")) for number in told.groups())
    assert abs(code - lines(*OURS)) <= code * 0.15
    assert abs(tests - lines("tests")) <= tests * 0.15


def test_it_links_every_how_to_and_reference_page_but_the_verdicts() -> None:
    pages = {f"docs/{file.parent.name}/{file.name}" for file in REPOSITORY.glob("docs/*/*.md")}
    linked = set(re.findall(r"\]\((docs/[\w/-]+\.md)\)", TEXT))
    wanted = {page for page in pages if not page.startswith("docs/decisions/")}
    assert wanted - linked == {"docs/reference/release_verdicts.md"}
