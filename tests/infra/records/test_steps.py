"""The steps of a retraining stand in one list; the DAG and the documents are held to it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from infra.records.steps import GATES, SECTIONS, STATIONS, STEPS
from tests.conftest import REPOSITORY

BY_TASK = {step.task: step for step in STEPS}
ORDER = [step.task for step in STEPS]
_ROW = re.compile(r"^\| (`\w+`(?:, `\w+`)*) \| (.*?) \| .* \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def dag(airflow_database: None) -> Any:
    from dags.retrain_recommender import retrain_recommender

    return retrain_recommender()


def rows(text: str) -> list[tuple[list[str], str]]:
    """Return the rows of a table of tasks: their names, and what it means if they are red."""
    return [(re.findall(r"\w+", names), red) for names, red in _ROW.findall(text)]


def table_of(document: Path) -> str:
    text = document.read_text(encoding="utf-8")
    return text.split("## Which task is red")[1].split("\n## ")[0]


def test_the_dag_has_these_steps_and_owners(dag: Any) -> None:
    assert {task.task_id: task.owner for task in dag.tasks} == {
        step.task: step.owner for step in STEPS
    }


def test_the_list_is_in_an_order_in_which_the_dag_runs(dag: Any) -> None:
    pairs = [(before, task.task_id) for task in dag.tasks for before in task.upstream_task_ids]
    assert len(pairs) >= len(dag.tasks) - 1
    assert [pair for pair in pairs if ORDER.index(pair[0]) > ORDER.index(pair[1])] == []


def test_the_page_of_the_dag_says_what_red_means(dag: Any) -> None:
    told = rows(dag.doc_md)
    names = [name for tasks, _ in told for name in tasks]
    assert names == [name for name in ORDER if name in names] and len(names) >= 8
    assert [red for _, red in told] == [BY_TASK[name].red for name in names]


def test_run_and_repair_says_what_red_means_of_every_step() -> None:
    told = rows(table_of(REPOSITORY / "docs/how-to/run_and_repair.md"))
    assert sorted(name for tasks, _ in told for name in tasks) == sorted(ORDER)
    for tasks, red in told:
        assert {BY_TASK[name].red for name in tasks} == {red}


def test_architecture_names_every_step() -> None:
    text = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
    flow = text.split("## How data flows")[1].split("\n## ")[0]
    assert [name for name in ORDER if not re.search(rf"\b{name}\b", flow)] == []


def test_every_section_is_a_part_of_the_page() -> None:
    page = (REPOSITORY / "infra/report/page.html").read_text(encoding="utf-8")
    parts = set(re.findall(r'id="(\w+)"', page)) | set(GATES)  # of a gate by its name, in a loop
    assert set(SECTIONS.values()) <= parts
    assert set(STATIONS) == set(SECTIONS.values())
