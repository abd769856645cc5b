"""What the house rules look at: the files of the packages, and what they import and name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
PACKAGES = ("dags", "jobs", "expectations", "models", "infra")
SOURCES = [file for package in PACKAGES for file in sorted((REPOSITORY / package).rglob("*.py"))]
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def label(file: Path) -> str:
    """Return a file's path below the repository."""
    return str(file.relative_to(REPOSITORY))


@cache
def parsed(file: Path) -> ast.Module:
    """Return a file as its syntax tree."""
    return ast.parse(file.read_text(encoding="utf-8"))


def functions(file: Path) -> Iterator[Function]:
    """Give every function of a file, methods and inner ones included."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, Function):
            yield node


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
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def texts(tree: ast.AST) -> Iterator[str]:
    """Give all texts of the code but docstrings and comments."""
    owners = (node for node in ast.walk(tree) if isinstance(node, _DOCUMENTED) and node.body)
    first = (node.body[0] for node in owners)
    docstrings = {id(line.value) for line in first if isinstance(line, ast.Expr)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node.value
