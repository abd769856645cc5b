"""Decisions have numbers that stay, cells read at a glance, and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "docs/decisions"
FILES = sorted(FOLDER.glob("[0-9]*.md"))
LONGEST = 200  # letters of a cell as it is read: about two lines
STEPS = [
    "Ingestion",
    "Gates",
    "Models",
    "Release",
    "Publishing",
    "Serving",
    "A/B tests",
    "Reports",
    "Platform",
    "Tests",
]


def rows() -> list[list[str]]:
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return [row for row in cells if row[0] != "number"]


def read(cell: str) -> str:
    """Return a cell as a reader sees it: of a link the words alone."""
    return re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", cell)


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [row[0] for row in rows()]
    assert len(numbers) > 60
    assert [number for number in numbers if not re.fullmatch(r"D-\d{3}", number)] == []
    assert sorted(set(numbers)) == sorted(numbers)


def test_a_decision_is_a_choice_over_another_and_a_reason_in_two_lines_each() -> None:
    assert [row for row in rows() if len(row) != 4 or not all(row)] == []
    assert [cell for row in rows() for cell in row if len(read(cell)) > LONGEST] == []


def test_decisions_stand_under_the_step_they_are_about_in_order() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == STEPS
    for section in text.split("\n## ")[1:]:
        numbers = re.findall(r"^\| (D-\d{3}) \|", section, re.MULTILINE)
        assert numbers, section.splitlines()[0]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_a_longer_decision_is_linked_from_its_row_and_named_by_its_number(file: Path) -> None:
    number = file.stem.partition("-")[0]
    row = next(row for row in rows() if row[0] == f"D-{number}")
    assert f"]({file.name})" in row[3]
    assert file.read_text(encoding="utf-8").startswith(f"# D-{number}: ")


def test_every_decision_that_is_mentioned_exists() -> None:
    numbers = {row[0] for row in rows()}
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    mentioned = {n for page in pages for n in re.findall(r"D-\d{3}", page.read_text())}
    assert mentioned - numbers == set()
