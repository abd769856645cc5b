"""Who may use whom: between packages, between the rooms of a package, and never in a circle.

Used is what a file imports, also inside a function or for types alone, and what one of its texts
names, as `python -m package.module` and `load_named("package.module:name")` take it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.house import (
    PACKAGES,
    REPOSITORY,
    ROOT,
    SOURCES,
    begun_packages,
    broken,
    imported,
    label,
    module_file,
    named_files,
    parsed,
    room,
    texts,
    used_files,
)

MAY_USE = {
    "dags": {"jobs", "expectations", "models", "infra"},
    "jobs": {"infra"},
    "expectations": {"infra"},
    "models": {"infra"},
    "infra": set(),
}
# Each room of a package with the rooms it may use, and what those may use; `(root)` are the files
# of the package itself, whose own rights nobody inherits. A file of the root may have its own row.
ROOMS: dict[str, dict[str, set[str]]] = {
    "dags": {ROOT: set()},
    "jobs": {
        ROOT: {"batches", "simulation", "marts"},
        "batches": {"cleaning"},
        "cleaning": {"landing"},
        "landing": set(),
        "marts": {"landing"},
        "simulation": set(),
        "benches": {ROOT, "batches", "simulation"},
    },
    "expectations": {ROOT: {"checking"}, "checking": set()},
    "models": {
        ROOT: set(),
        "tracking": {"training", "evaluation"},
        "metrics": {ROOT},
        "data": {"metrics"},
        "recommenders": {"metrics"},
        "merchandising": {"recommenders"},
        "training": {"recommenders", "data"},
        "evaluation": {"training"},
        "release": {"evaluation"},
        "bundle": {"release", "training", "evaluation", "merchandising"},
        "publishing": {"bundle"},
        "ab_tests": {"publishing"},
        "experiments": {"evaluation", "training", "tracking"},
        "serving": {"bundle", "merchandising"},
        "benches": {"bundle", "release", "experiments", "publishing", "serving", "ab_tests"},
    },
    "infra": {
        ROOT: {"stores"},
        "stores": {ROOT},
        "records": {ROOT},
        "ledger": {"stores", "records"},
        "report": {"ledger"},
        "airflow": {"report"},
        "shop": {"airflow"},
        "demo": {"shop"},
        "spark": {ROOT},
    },
}
UNPICKLING = {"pickle", "joblib", "dill", "cloudpickle"}


def row_of(file: Path) -> str:
    """Return the row of the table a file obeys: that of its room, or its own."""
    rows = ROOMS[package_of(file)]
    return file.stem if room(file) == ROOT and file.stem in rows else room(file)


def package_of(file: Path) -> str:
    return file.relative_to(REPOSITORY).parts[0]


def allowed(package: str, row: str) -> set[str]:
    """Return all rooms that a room may use, directly or by those it may use."""
    rows, reached, ahead = ROOMS[package], {row}, [row]
    while ahead:
        for further in rows[ahead.pop()] - reached:
            reached.add(further)
            if further != ROOT:
                ahead.append(further)
    return reached


def seen_from(file: Path) -> set[str]:
    """Return the packages that a file may use, its own among them."""
    return MAY_USE[package_of(file)] | {package_of(file)}


def strays(file: Path, used: Iterable[Path]) -> list[str]:
    """Return what a file may not use of what it uses."""
    package, here = package_of(file), seen_from(file)
    rooms = allowed(package, row_of(file))
    return sorted(
        label(other)
        for other in used
        if package_of(other) not in here
        or (package_of(other) == package and row_of(other) not in rooms)
    )


def test_a_file_uses_only_what_its_room_may() -> None:
    assert broken(SOURCES, lambda file: strays(file, used_files(file) | named_files(file))) == {}
    assert broken(SOURCES, lambda file: begun_packages(file) - seen_from(file)) == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_has_a_row_and_every_row_a_room(package: str) -> None:
    files = [file for file in SOURCES if package_of(file) == package]
    assert {row_of(file) for file in files} - {"deployment"} == set(ROOMS[package])


def test_no_files_use_each_other_in_a_circle() -> None:
    uses = {file: used_files(file) for file in SOURCES}
    while leaves := {file for file, used in uses.items() if not used & set(uses)}:
        for file in leaves:
            del uses[file]
    assert {label(file): sorted(map(label, used & set(uses))) for file, used in uses.items()} == {}


@pytest.mark.parametrize(
    ("file", "used"),
    [
        ("jobs/ingest_events.py", "models/candidates.py"),
        ("infra/demo/data.py", "jobs/simulate_shop.py"),
        ("models/metrics/ranking.py", "models/data/holdout.py"),
        ("models/candidates.py", "models/metrics/ranking.py"),
        ("models/recommenders/top_k.py", "models/tracking.py"),
        ("infra/records/gates.py", "infra/stores/aside.py"),
        ("infra/storage.py", "infra/ledger/decision_log.py"),
        ("jobs/landing/reading.py", "jobs/ingest_events.py"),
        ("expectations/checking/gate.py", "expectations/events.py"),
    ],
)
def test_what_runs_against_the_direction_is_seen(file: str, used: str) -> None:
    assert strays(REPOSITORY / file, [REPOSITORY / used]) == [used]


@pytest.mark.parametrize(
    "code",
    [
        "import jobs.simulate_shop",
        "import jobs.simulate_shop as simulate",
        "from jobs import simulate_shop",
        "from jobs.simulate_shop import main",
        "def late():\n    from jobs.simulate_shop import main",
        "import json\nif json:\n    import jobs.simulate_shop",
        "command = [python, '-m', 'jobs.simulate_shop']",
        "load_named('jobs.simulate_shop:main')",
        "shell = 'exec python -m jobs.simulate_shop --days 3'",
    ],
)
def test_every_way_of_using_a_file_is_seen(code: str, tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text(code)
    assert used_files(file) | named_files(file) == {REPOSITORY / "jobs/simulate_shop.py"}


def test_a_name_that_code_completes_is_seen_by_its_package(tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text("load_named(f'models.recommenders.{name}:Model')")
    assert begun_packages(file) == {"models"}
    assert named_files(file) == set()


def test_a_file_of_our_own_is_found_by_each_of_its_names() -> None:
    places = ("infra.ledger.decision_log", "infra.ledger.decision_log.Decision")
    assert {module_file(name) for name in places} == {REPOSITORY / "infra/ledger/decision_log.py"}
    assert module_file("infra.ledger") == REPOSITORY / "infra/ledger/__init__.py"
    assert module_file("json.decoder") is None


def unpickling(file: Path) -> Iterator[str]:
    """Give what a file would unpickle with."""
    yield from (name for name in imported(parsed(file)) if name.split(".")[0] in UNPICKLING)
    code = file.read_text(encoding="utf-8")
    yield from (word for word in ("allow_pickle=True", "read_pickle") if word in code)
    yield from (text for text in texts(parsed(file)) if text in UNPICKLING)


def test_nothing_is_unpickled() -> None:
    assert broken(SOURCES, lambda file: list(unpickling(file))) == {}


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
