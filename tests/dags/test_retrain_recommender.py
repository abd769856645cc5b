"""The wiring of the retraining: what runs after what, who owns it, and what parsing it costs."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest

from infra.airflow.defaults import Owner, Tag
from tests.conftest import REPOSITORY

ORDER = [
    "keep_rules",
    "ingest_events",
    "gate_events",
    "build_interactions",
    "gate_interactions",
    "train",
    "evaluate",
    "judge_release",
    "refit_winner",
    "recommend_users",
    "gate_recommendations",
    "build_bundle",
    "check_serving",
    "publish",
    "follow_pointer",
]


@pytest.fixture(scope="module")
def dag(airflow_database: None) -> Any:
    from dags.retrain_recommender import retrain_recommender

    return retrain_recommender()


def test_every_step_waits_for_the_one_before(dag: Any) -> None:
    for before, after in pairwise(ORDER):
        assert after in dag.get_task(before).downstream_task_ids, f"{before} >> {after}"
    assert dag.get_task("gate_items").upstream_task_ids == {"build_interactions"}
    assert "train" in dag.get_task("gate_items").downstream_task_ids
    assert dag.get_task("publish").upstream_task_ids == {"check_serving", "track_candidates"}
    for task in ("retire", "replace_question"):
        assert dag.get_task(task).upstream_task_ids == {"publish"}, "also while MLflow is down"


def test_a_question_to_a_person_ends_the_run(dag: Any) -> None:
    assert dag.get_task("ask_person").upstream_task_ids == {"check_serving"}
    assert dag.get_task("ask_person").downstream_task_ids == set()
    assert not any(type(task).__name__ == "HumanApproval" for task in dag.tasks)


def test_no_step_of_the_chain_runs_after_a_failure(dag: Any) -> None:
    rules = {name: dag.get_task(name).trigger_rule for name in (*ORDER, "gate_items")}
    of_evaluate = rules.pop("evaluate")
    assert set(rules.values()) == {"all_success"}
    assert of_evaluate == "all_done_min_one_success", "it refuses a candidate that failed"


def test_one_training_per_candidate(dag: Any) -> None:
    assert dag.get_task("train").is_mapped
    names = dag.get_task("train").op_kwargs_expand_input.value["candidate"]
    assert names.operator.task_id == "keep_rules", "not the file as it is when the DAG is parsed"


def test_runs_never_overlap_and_never_catch_up(dag: Any) -> None:
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert dag.timetable.summary == "0 */6 * * *"


def test_the_dag_explains_itself(dag: Any) -> None:
    assert "safe to rerun" in dag.doc_md
    assert dag.tags <= {tag.value for tag in Tag}
    assert {task.owner for task in dag.tasks} <= {owner.value for owner in Owner}
    assert all(task.retries == 1 for task in dag.tasks)


PARSE = """
import time
from airflow.dag_processing.dagbag import DagBag
started = time.process_time()
bag = DagBag("dags")
print(sorted(bag.dags), bag.import_errors, time.process_time() - started)
"""


def test_parsing_all_dags_takes_under_two_seconds(airflow_database: None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARSE], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    found, seconds = done.stdout.strip().splitlines()[-1].rsplit(" ", 1)
    files = sorted(file.stem for file in (REPOSITORY / "dags").glob("*.py"))
    assert found == f"{[name for name in files if not name.startswith('_')]} {{}}"
    assert float(seconds) < 2
