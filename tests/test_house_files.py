"""How files and functions look: small, named for what is inside, tested where they lie."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import (
    PACKAGES,
    REPOSITORY,
    SOURCES,
    TESTS,
    Function,
    broken,
    docstring_lines,
    functions,
    label,
    parsed,
)

MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_DAG = 120  # without its docstring
MOST_LINES_OF_A_FUNCTION = 45  # without its docstring
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "common.py"}
DAGS = sorted((REPOSITORY / "dags").glob("[!_]*.py"))
TEST_FILES = [file for file in TESTS if file.name.startswith("test_")]
# At the root of tests/ lies only what is about the whole.
ABOUT_THE_WHOLE = r"test_(house_\w+|makefile|whole_run|old_home|\w+_in_airflow|\w+_in_browser)"


def test_a_file_name_says_what_is_inside() -> None:
    assert [label(file) for file in SOURCES if file.name in FORBIDDEN_NAMES] == []


def test_no_file_holds_two_ideas() -> None:
    assert broken(SOURCES, lambda file: too_many(size(file), MOST_LINES_OF_A_FILE)) == {}


def test_a_dag_file_is_wiring() -> None:
    assert broken(DAGS, lambda file: too_many(wiring(file), MOST_LINES_OF_A_DAG)) == {}


def size(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def wiring(file: Path) -> int:
    return size(file) - docstring_lines(parsed(file))


def too_many(lines: int, most: int) -> int:
    return lines if lines > most else 0


def lines_of(function: Function) -> int:
    """Count a function's lines without its docstring and its decorators."""
    return (function.end_lineno or 0) - function.lineno + 1 - docstring_lines(function)


def test_functions_are_small() -> None:
    lengths = sorted(lines_of(function) for file in SOURCES for function in functions(file))
    assert lengths[len(lengths) // 2] <= 8
    assert lengths[len(lengths) * 9 // 10] <= 24


def test_no_function_is_long() -> None:
    assert broken(SOURCES, long_functions) == {}


def long_functions(file: Path) -> dict[str, int]:
    sizes = {function.name: lines_of(function) for function in functions(file)}
    return {name: lines for name, lines in sizes.items() if lines > MOST_LINES_OF_A_FUNCTION}


def test_a_long_function_is_seen_also_inside_another() -> None:
    body = "\n".join("        x()" for _ in range(46))
    tree = ast.parse(f"def outer():\n    async def inner():\n        '''Say.'''\n{body}\n")
    sizes = [lines_of(node) for node in ast.walk(tree) if isinstance(node, Function)]
    assert sizes == [49, 47]


def misplaced(file: Path) -> str | None:
    """Say what is wrong with the place or the name of a test file; None if nothing is."""
    folder, name = file.parent.relative_to(REPOSITORY / "tests"), file.stem
    if folder == Path():
        return None if re.fullmatch(ABOUT_THE_WHOLE, name) else "it is not about the whole"
    tested = REPOSITORY / folder
    if folder.parts[0] not in (*PACKAGES, "docs") or not tested.is_dir():
        return f"there is no folder {folder}"
    if any(_is_about(name, module) for module in _modules(tested)):
        return None
    return f"no module of {folder} begins its name"


def _modules(folder: Path) -> Iterator[str]:
    yield folder.name
    yield from (file.stem for file in folder.glob("*.py") if file.stem != "__init__")
    if folder == REPOSITORY / "docs":  # a test of pages is called after one, or after a folder
        yield from (page.stem for page in folder.iterdir())


def _is_about(name: str, module: str) -> bool:
    return re.fullmatch(rf"test_{re.escape(module.strip('_'))}(_\w+)?", name) is not None


def test_a_test_lies_where_what_it_tests_lies() -> None:
    assert broken(TEST_FILES, misplaced) == {}


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("test_settings.py", "it is not about the whole"),
        ("infra/test_airflow_server.py", "no module of infra begins its name"),
        ("infra/gone/test_gone.py", "there is no folder infra/gone"),
        ("infra/shop/test_home.py", "no module of infra/shop begins its name"),
        ("infra/shop/test_home_locked.py", "no module of infra/shop begins its name"),
        ("infra/shop/test_home_lock.py", None),
        ("infra/shop/test_home_lock_killed.py", None),
        ("infra/shop/test_shop.py", None),
    ],
)
def test_a_misplaced_test_is_seen(place: str, why: str | None) -> None:
    assert misplaced(REPOSITORY / "tests" / place) == why
