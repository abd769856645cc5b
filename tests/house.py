"""What the house rules look at: the files of the packages, and what they import and name."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
PACKAGES = ("dags", "jobs", "expectations", "models", "infra")
ROOT = "(root)"
_PACKAGE = "|".join(PACKAGES)
_NAMED = re.compile(rf"(?<![\w./])(?:{_PACKAGE})(?:\.\w+)+")
_BEGUN = re.compile(rf"(?:^|-m )({_PACKAGE})\.(?:\w+\.)*$")
SOURCES = [file for package in PACKAGES for file in sorted((REPOSITORY / package).rglob("*.py"))]
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def label(file: Path) -> str:
    """Return a file's path below the repository."""
    return str(file.relative_to(REPOSITORY))


def broken(files: Iterable[Path], faults: Callable[[Path], Any]) -> dict[str, Any]:
    """Return what breaks a rule, by file; one test asks for all files at once.

    Raises
    ------
    AssertionError
        There is no file, so that the rule holds nothing.
    """
    every = list(files)
    assert every, "no file was looked at"
    return {label(file): found for file in every if (found := faults(file))}


@cache
def parsed(file: Path) -> ast.Module:
    """Return a file as its syntax tree."""
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def every_node(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return all nodes of a tree; the rules walk each file many times."""
    return tuple(ast.walk(tree))


def functions(file: Path) -> Iterator[Function]:
    """Give every function of a file, methods and inner ones included."""
    return (node for node in every_node(parsed(file)) if isinstance(node, Function))


def docstring_lines(node: Function | ast.Module) -> int:
    """Count the lines of a docstring; 0 without one."""
    first = node.body[0] if node.body else None
    if ast.get_docstring(node, clean=False) is None or first is None:
        return 0
    return (first.end_lineno or 0) - first.lineno + 1


def imported(tree: ast.AST) -> Iterator[str]:
    """Give the dotted name of all that is imported, `package.module.name` for a name of a module.

    Imports inside functions and those for types alone count as well.
    """
    for node in every_node(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def texts(tree: ast.AST) -> Iterator[str]:
    """Give all texts of the code but docstrings and comments."""
    owners = (node for node in every_node(tree) if isinstance(node, _DOCUMENTED) and node.body)
    first = (node.body[0] for node in owners)
    docstrings = {id(line.value) for line in first if isinstance(line, ast.Expr)}
    for node in every_node(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node.value


def module_file(name: str) -> Path | None:
    """Return the file behind a dotted name; of `package.module.Class` that of the module.

    None for what is not ours, and for a package of which nothing but the name is known.
    """
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return None
    for length in range(len(parts), 0, -1):
        place = REPOSITORY.joinpath(*parts[:length])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


def used_files(file: Path) -> set[Path]:
    """Return which of our files a file imports."""
    return {used for name in imported(parsed(file)) if (used := module_file(name))} - {file}


def named_files(file: Path) -> set[Path]:
    """Return which of our files a text of a file names, as `python -m` and `load_named` take it."""
    whole = [text for text in texts(parsed(file)) if not _BEGUN.search(text)]
    names = [name for text in whole for name in _NAMED.findall(text)]
    return {used for name in names if (used := module_file(name))} - {file}


def begun_packages(file: Path) -> set[str]:
    """Return the packages of which a text of a file begins a name, as `f"jobs.{name}"` does."""
    return {begun[1] for text in texts(parsed(file)) if (begun := _BEGUN.search(text))}


def room(file: Path) -> str:
    """Return the folder inside its package that a file lies in; `(root)` for the package itself."""
    below = file.relative_to(REPOSITORY).parts
    return below[1] if len(below) > 2 else ROOT
