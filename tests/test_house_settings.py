"""Settings are read in one place; whoever else looks at the environment has a reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.settings_page import settings_page
from tests.house import REPOSITORY, SOURCES, broken, every_node, imported, parsed

# What reads or changes the environment, besides the settings themselves.
REASONS = {
    "infra/settings.py": "reads the settings",
    "infra/shop_home.py": "adds what a home remembers before they are read",
    "infra/spark/java.py": "JAVA_HOME is Java's own variable",
    "infra/shop/airflow_server.py": "Airflow's processes inherit what we inherited",
    "infra/demo/request.py": "the server that it asks inherits what we inherited",
    "jobs/benches/measured_process.py": "its subprocesses get settings of their own",
    "models/benches/bench_settings.py": "a bench has no shop, so it makes up its settings",
    "models/benches/demo_loop.py": "it has a home of its own",
    "models/benches/loop.py": "it has a home of its own",
    "models/benches/loop_served.py": "its server gets a clock and a port of its own",
    "models/benches/releases.py": "each of its shops gets a home of its own",
    "models/benches/serving_processes.py": "a measured server gets a port of its own",
    "models/benches/serving_shop.py": "a measured shop gets a home of its own",
    "models/serving/clock.py": "the clock of a bench is no setting of a shop",
    "models/serving/serve.py": "BLAS and Prometheus take how workers count from there only",
    "models/tracking/client.py": "MLflow takes the refusal of telemetry from there only",
}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def looks_at_environment(tree: ast.AST) -> Iterator[str]:
    """Give every mention of the environment, under whatever name `os` or its parts are imported."""
    modules = {
        alias.asname or alias.name
        for node in every_node(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in {"os", "posix"}
    }
    for node in every_node(tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"os", "posix"}:
            yield from (name.name for name in node.names if name.name in {*ENVIRONMENT, "*"})
        if isinstance(node, ast.Attribute) and is_name(node.value, modules):
            yield from {node.attr} & ENVIRONMENT
        if isinstance(node, ast.Call) and is_name(node.func, {"getattr", "vars"}):
            yield from {ast.unparse(argument) for argument in node.args} & modules


def is_name(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def test_settings_are_read_in_one_place() -> None:
    looks = broken(SOURCES, lambda file: sorted(looks_at_environment(parsed(file))))
    assert sorted(looks) == sorted(REASONS), looks


def test_every_reason_belongs_to_a_file() -> None:
    assert [name for name in REASONS if not (REPOSITORY / name).exists()] == []


def test_one_class_reads_settings() -> None:
    readers = [file for file in SOURCES if "pydantic_settings" in _tops(file)]
    assert readers == [REPOSITORY / "infra/settings.py"]


def _tops(file: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(parsed(file))}


@pytest.mark.parametrize(
    "code",
    [
        "import os\nhome = os.environ['CATWALK_HOME']",
        "import os\nhome = os.environ.get('CATWALK_HOME')",
        "import os\nhome = os.getenv('CATWALK_HOME')",
        "import os\nhomes = [text for name, text in os.environ.items()]",
        "import os\nif 'CATWALK_HOME' in os.environ: pass",
        "import os\nall = {**os.environ}",
        "import os\nos.environ['CATWALK_HOME'] = 'x'",
        "import os as machine\nhome = machine.environ['CATWALK_HOME']",
        "from os import environ",
        "from os import getenv as read",
        "from os import *",
        "def late():\n    import os\n    return os.environ",
        "import os\nhome = getattr(os, 'environ')",
    ],
)
def test_every_look_at_the_environment_is_seen(code: str) -> None:
    assert list(looks_at_environment(ast.parse(code)))


def test_what_is_no_look_at_the_environment_passes() -> None:
    code = "import os\nos.getpid()\nenvironment = {}\nfrom pathlib import Path\njinja.environ()"
    assert list(looks_at_environment(ast.parse(code))) == []


def test_the_settings_page_is_true() -> None:
    page = (REPOSITORY / "docs/reference/settings.md").read_text(encoding="utf-8")
    assert settings_page() in page
