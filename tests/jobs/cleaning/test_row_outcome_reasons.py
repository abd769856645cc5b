"""A row is quarantined for a reason of the list, never for a text that only the code knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.schemas import Reason
from tests.house import REPOSITORY, label

SORTING = sorted(
    file for room in ("cleaning", "landing") for file in (REPOSITORY / "jobs" / room).glob("*.py")
)


def texts_chosen(tree: ast.AST) -> Iterator[str]:
    """Give the texts that a `when(condition, text)` or an `otherwise(text)` puts into a column."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            place = {"when": 1, "otherwise": 0}.get(node.func.attr, len(node.args))
            for value in node.args[place : place + 1]:
                yield from literal(value)


def literal(value: ast.expr) -> list[str]:
    """Return the text that an argument is, also inside `F.lit`; none of any other argument."""
    if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("lit") and value.args:
        value = value.args[0]
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return [value.value]
    return []


@pytest.mark.parametrize("file", SORTING, ids=label)
def test_no_reason_is_a_text_of_its_own(file: Path) -> None:
    assert list(texts_chosen(ast.parse(file.read_text(encoding="utf-8")))) == []


def test_a_text_of_its_own_is_seen() -> None:
    chosen = 'F.when(x, Reason.TOO_OLD).when(y, "smelly").otherwise(F.lit("odd"))'
    assert set(texts_chosen(ast.parse(chosen))) == {"smelly", "odd"}


def test_every_reason_of_the_list_is_made() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in SORTING)
    assert [reason for reason in Reason if f"Reason.{reason.name}" not in code] == []
