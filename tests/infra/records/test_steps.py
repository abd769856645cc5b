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
def dags(airflow_database: None) -> list[Any]:
    from dags.release_candidate import release_candidate
    from dags.retrain_recommender import retrain_recommender

    return [retrain_recommender(), release_candidate()]


def rows(text: str) -> list[tuple[list[str], str]]:
    """Return the rows of a table of tasks: their names, and what it means if they are red."""
    return [(re.findall(r"\w+", names), red) for names, red in _ROW.findall(text)]


def table_of(document: Path) -> str:
    text = document.read_text(encoding="utf-8")
    return text.split("## Which task is red")[1].split("\n## ")[0]


def test_the_dags_have_these_steps_and_owners(dags: list[Any]) -> None:
    found = {(task.task_id, task.owner) for dag in dags for task in dag.tasks}
    assert found == {(step.task, step.owner) for step in STEPS}


def test_the_list_is_in_an_order_in_which_the_dags_run(dags: list[Any]) -> None:
    pairs = [
        (up, task.task_id) for dag in dags for task in dag.tasks for up in task.upstream_task_ids
    ]
    assert len(pairs) >= len(STEPS)
    late = [pair for pair in pairs if ORDER.index(pair[0]) > ORDER.index(pair[1])]
    assert sorted(late) == [
        ("replace_question", "approve_release"),
        ("replace_question", "tell_approvers"),
    ], "before another question; else last"


def test_the_pages_of_the_dags_say_what_red_means(dags: list[Any]) -> None:
    assert len(dags) == 2
    for dag in dags:
        told = rows(dag.doc_md.split("| task is red")[1])
        names = [name for tasks, _ in told for name in tasks]
        assert names == [name for name in ORDER if name in names] and len(names) >= 7
        assert set(names) <= set(dag.task_dict)
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
