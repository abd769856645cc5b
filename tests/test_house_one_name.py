"""One name for a task, its function, its module and its test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module

from infra.records.steps import GATES
from tests.conftest import REPOSITORY

DAGS = sorted(file.stem for file in (REPOSITORY / "dags").glob("[!_]*.py"))
TOGETHER = {  # tasks that share a module, by the module
    "models.tracking.runs": ("track_candidates",),
    "models.tracking.registry": ("follow_pointer",),
    "models.release.approve_release": ("ask_person", "approve_release"),
    "infra.airflow.tell_approvers": ("tell_approvers",),
    "models.experiments.plan": ("plan_experiment",),
    "models.experiments.search": ("search_parameters",),
    "models.experiments.experiment": ("try_variant", "compare_variants"),
}
ENTRY = {
    "ask_person": "needs_person",  # another DAG asks
    "approve_release": "ask",  # a person answers in between: `ask`, then `record_answer`
}
TESTED = {  # what is tested together with others, and where
    "train": "models/evaluation/test_evaluate.py",
    "build_bundle": "models/bundle/test_bundle.py",
    "check_serving": "models/bundle/test_bundle.py",
    **{f"gate_{table}": "expectations/test_expectations.py" for table in GATES},
}


def tasks() -> Iterator[str]:
    """Give the tasks of all DAGs, once each."""
    names = {name for dag in DAGS for name in getattr(import_module(f"dags.{dag}"), dag)().task_ids}
    yield from sorted(names)


def module_of(task: str) -> str:
    """Return the module of a task; a gate lies in the module of its table."""
    for module, names in TOGETHER.items():
        if task in names:
            return module
    table = task.removeprefix("gate_")
    folders = [REPOSITORY / "expectations"] if table != task else []
    folders = folders or [REPOSITORY / name for name in ("jobs", "expectations", "models")]
    (file,) = [file for folder in folders for file in folder.rglob(f"{table}.py")]
    return ".".join(file.relative_to(REPOSITORY).with_suffix("").parts)


def test_a_task_its_function_its_module_and_its_test_have_one_name(airflow_database: None) -> None:
    names = list(tasks())
    assert len(names) > 20
    for task in names:
        module = module_of(task)
        job = module.startswith("jobs.")  # every job starts by its `main`, as spark-submit wants
        entry = "main" if job else ENTRY.get(task, task)
        assert entry in functions(module), f"{module} has no {entry}"
        pattern = TESTED.get(task, f"**/test_{module.rpartition('.')[2]}*.py")
        assert [*(REPOSITORY / "tests").glob(pattern)], f"{task} has no test {pattern}"


def functions(module: str) -> set[str]:
    file = REPOSITORY.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
