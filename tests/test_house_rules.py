"""The rules of the house, held by tests: who imports whom, what a DAG must say of itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

MAY_IMPORT = {
    "dags": {"dags", "jobs", "expectations", "models", "infra"},
    "jobs": {"jobs", "infra"},
    "expectations": {"expectations", "infra"},
    "models": {"models", "infra"},
    "infra": {"infra"},
}
SOURCES = [file for package in MAY_IMPORT for file in sorted((REPOSITORY / package).rglob("*.py"))]
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "common.py"}
UNPICKLING = {"pickle", "joblib", "dill", "cloudpickle"}


def imported(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def label(file: Path) -> str:
    return str(file.relative_to(REPOSITORY))


@pytest.mark.parametrize("file", SOURCES, ids=label)
def test_imports_run_one_way(file: Path) -> None:
    package = file.relative_to(REPOSITORY).parts[0]
    ours = imported(file) & set(MAY_IMPORT)
    assert ours <= MAY_IMPORT[package], f"{label(file)} may not import {ours - MAY_IMPORT[package]}"


@pytest.mark.parametrize("file", SOURCES, ids=label)
def test_nothing_is_unpickled(file: Path) -> None:
    assert not imported(file) & UNPICKLING
    assert "allow_pickle=True" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", SOURCES, ids=label)
def test_settings_are_read_in_one_place(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "os.getenv" not in text
    if label(file) not in {"infra/settings.py", "infra/shop_home.py", "infra/spark/java.py"}:
        assert "os.environ[" not in text.replace('os.environ["JAVA_HOME"]', "")
        assert "os.environ.get(" not in text


@pytest.mark.parametrize("file", SOURCES, ids=label)
def test_a_file_name_says_what_is_inside(file: Path) -> None:
    assert file.name not in FORBIDDEN_NAMES
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300, "it holds two ideas"


def test_functions_stay_small() -> None:
    lengths = sorted(
        node.end_lineno - node.lineno + 1 - _docstring_lines(node)
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.end_lineno
    )
    assert lengths[len(lengths) // 2] <= 9
    assert lengths[len(lengths) * 9 // 10] <= 25


def _docstring_lines(node: ast.FunctionDef) -> int:
    first = node.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0


def test_parsing_a_dag_loads_nothing_heavy() -> None:
    heavy = ("pyspark", "great_expectations", "mlflow", "lightfm", "pandas", "duckdb", "pyarrow")
    program = (
        "import sys; import dags.retrain_recommender; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "CATWALK_USER_KEY_SECRET": "x" * 16, "HOME": "/tmp"},
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def pages() -> list[Path]:
    return [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", pages(), ids=label)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_the_settings_page_is_true() -> None:
    from infra.settings_page import settings_page

    page = (REPOSITORY / "docs/reference/settings.md").read_text(encoding="utf-8")
    assert settings_page() in page
