"""The wiring of an experiment: its form, its order, and that no task of it could publish."""

from __future__ import annotations

from typing import Any

import pytest

from infra.airflow.defaults import Owner, Tag
from models.candidates import load_candidates


@pytest.fixture(scope="module")
def dag(airflow_database: None) -> Any:
    from dags.experiment import experiment

    return experiment()


def test_plan_then_every_variant_then_the_comparison(dag: Any) -> None:
    names = ["plan_experiment", "search_parameters", "try_variant", "compare_variants"]
    assert set(dag.task_dict) == set(names)
    assert dag.get_task("plan_experiment").downstream_task_ids == {"search_parameters"}
    assert dag.get_task("search_parameters").downstream_task_ids == {"try_variant"}
    assert dag.get_task("try_variant").is_mapped
    assert dag.get_task("try_variant").downstream_task_ids == {"compare_variants"}
    assert {task.trigger_rule for task in dag.tasks} == {"all_success"}


def test_the_form_offers_every_candidate_and_refuses_nonsense(dag: Any) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    names = [candidate.name for candidate in load_candidates(every=True)]
    assert dag.params.get_param("candidate").schema["enum"] == names
    for name, value in {
        "candidate": "als",
        "share": 0,
        "parameters": [1],
        "run": 3,
        "budget": 0,
    }.items():
        with pytest.raises(ParamValidationError):
            dag.params.get_param(name).resolve(value=value)


def test_it_runs_by_hand_alone_and_says_who_owns_it(dag: Any) -> None:
    assert dag.schedule is None and dag.catchup is False and not dag.is_paused_upon_creation
    assert "can never publish" in dag.doc_md and "safe to rerun" in dag.doc_md
    assert dag.tags <= {tag.value for tag in Tag}
    assert {task.owner for task in dag.tasks} == {Owner.DATA_SCIENCE.value}
    assert all(task.retries == 1 for task in dag.tasks)
