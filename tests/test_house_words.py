"""Names say what they hold, and prose says what it means without riddles."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house import REPOSITORY, SOURCES, broken, every_node, parsed

SAYS_NOTHING = {"one"}
RIDDLE = re.compile(
    r"\bof (?:before|then|now)\b|\bis none\b|\b[Ss]tands aside\b|\bso much\.|\bby what was\b"
)
PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]


def bound(tree: ast.AST) -> Iterator[str]:
    """Give every name that code binds: variables, parameters, caught errors."""
    for node in every_node(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def riddles(text: str) -> list[str]:
    """Return the riddles of a text, also those that a line break cuts."""
    return RIDDLE.findall(" ".join(text.split()))


def test_a_name_says_what_it_holds() -> None:
    assert broken(SOURCES, lambda file: SAYS_NOTHING.intersection(bound(parsed(file)))) == {}


def test_a_text_has_no_riddle() -> None:
    found = broken([*SOURCES, *PAGES], lambda file: riddles(file.read_text(encoding="utf-8")))
    assert found == {}


@pytest.mark.parametrize(
    "code",
    [
        "for one in rows: pass",
        "sizes = [one.size for one in rows]",
        "largest = max(rows, key=lambda one: one.size)",
        "def counted(one): pass",
        "(one, other) = pair",
        "with lock as one: pass",
        "try: pass\nexcept OSError as one: pass",
    ],
)
def test_a_name_that_says_nothing_is_seen(code: str) -> None:
    assert "one" in bound(ast.parse(code))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("the parameters of then, and those of before", ["of then", "of before"]),
        ("Return the file; empty where there is none.", ["is none"]),
        ("looks like a time, that is\n    none", ["is none"]),
        ("A write stands aside until it is whole.", ["stands aside"]),
        ("A bundle must answer within so much.", ["so much."]),
        ("Compare by what was measured", ["by what was"]),
        ("Of the rows none is empty; now and then one is.", []),
    ],
)
def test_a_riddle_is_seen(text: str, seen: list[str]) -> None:
    assert riddles(text) == seen
