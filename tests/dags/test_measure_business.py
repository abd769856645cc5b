"""The wiring of the measurement: when it runs, what runs after what, and where Spark waits."""

from __future__ import annotations

from typing import Any

import pytest

from infra.airflow.assets import EVENTS_ACCEPTED
from infra.airflow.defaults import Owner, Tag
from infra.airflow.spark_pool import SPARK_POOL


@pytest.fixture(scope="module")
def dag(airflow_database: None) -> Any:
    from dags.measure_business import measure_business

    return measure_business()


@pytest.fixture(scope="module")
def retraining(airflow_database: None) -> Any:
    from dags.retrain_recommender import retrain_recommender

    return retrain_recommender()


def test_it_follows_every_accepted_ingestion_and_runs_daily(dag: Any, retraining: Any) -> None:
    outlets = retraining.get_task("gate_events").outlets
    assert [asset.uri for asset in outlets] == [EVENTS_ACCEPTED.uri]
    assert [asset.uri for asset in dag.timetable.asset_condition.objects] == [EVENTS_ACCEPTED.uri]
    assert dag.timetable.timetable.expression == "15 1 * * *"
    assert (dag.max_active_runs, dag.catchup) == (1, False)


def test_a_build_counts_only_after_its_gate(dag: Any) -> None:
    assert dag.get_task("ingest_served").downstream_task_ids == {"build_marts"}
    assert dag.get_task("build_marts").downstream_task_ids == {"gate_marts"}
    assert {task.trigger_rule for task in dag.tasks} == {"all_success"}


def test_tasks_that_start_spark_share_a_pool(dag: Any, retraining: Any) -> None:
    def pooled(tasks: Any) -> set[str]:
        return {task.task_id for task in tasks if task.pool == SPARK_POOL}

    assert pooled(dag.tasks) == {"ingest_served", "build_marts"}
    assert pooled(retraining.tasks) == {"ingest_events", "build_interactions", "recommend_users"}


def test_the_dag_explains_itself(dag: Any) -> None:
    assert "safe to rerun" in dag.doc_md
    assert dag.tags <= {tag.value for tag in Tag}
    assert {task.owner for task in dag.tasks} <= {owner.value for owner in Owner}
