"""The wiring of a release by a person: its form, its order, and what is skipped when."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from infra.airflow.defaults import Owner, Tag
from infra.ledger.questions import waiting_question
from infra.storage import Storage
from tests.models.release.test_replace_question import OLDER, asked_about

BUILT = [
    "choose_candidate",
    "refit_winner",
    "recommend_users",
    "gate_recommendations",
    "build_bundle",
    "check_serving",
    "replace_question",
    "approve_release",
    "publish",
]


@pytest.fixture(scope="module")
def dag(airflow_database: None) -> Any:
    from dags.release_candidate import release_candidate

    return release_candidate()


def test_what_was_chosen_is_built_anew_before_anybody_is_asked(dag: Any) -> None:
    for before, after in pairwise(BUILT):
        assert after in dag.get_task(before).downstream_task_ids, f"{before} >> {after}"
    assert dag.get_task("publish").upstream_task_ids == {"approve_release"}
    assert dag.get_task("publish").downstream_task_ids == {"follow_pointer", "retire"}


def test_the_older_question_ends_before_a_newer_one_is_asked_and_after_it_can_be(dag: Any) -> None:
    assert dag.get_task("replace_question").upstream_task_ids == {"check_serving"}
    assert dag.get_task("approve_release").upstream_task_ids == {"replace_question"}


def test_a_choice_that_cannot_be_built_leaves_the_question_that_waits(
    dag: Any, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = time.sleep  # of Airflow's test: a second before it looks at each task left out
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.05)))
    asked_about(shop, OLDER)
    form = {"run": "run=without-a-verdict", "candidate": "popularity", "reason": "because"}
    finished = dag.test(mark_success_pattern="^choose_candidate$", run_conf=form)
    states = {task.task_id: str(task.state) for task in finished.get_task_instances()}
    assert (states["choose_candidate"], states["refit_winner"]) == ("success", "failed")
    assert states["replace_question"] == states["approve_release"] == "upstream_failed"
    waits = waiting_question(shop)
    assert waits is not None and waits.run == OLDER


def test_only_what_a_choice_skips_may_be_skipped(dag: Any) -> None:
    """A skipped question, which was replaced, skips `publish` with it."""
    rules = {task.task_id: task.trigger_rule.value for task in dag.tasks}
    lenient = {name for name, rule in rules.items() if rule != "all_success"}
    assert lenient == {"replace_question", "approve_release", "tell_approvers"}
    assert {rules[name] for name in lenient} == {"none_failed"}


def test_runs_do_not_wait_for_the_one_that_asks(dag: Any) -> None:
    assert dag.max_active_runs > 2 and dag.schedule is None
    assert not dag.is_paused_upon_creation and dag.catchup is False


def test_the_form_asks_for_a_run_and_maybe_a_candidate(dag: Any) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    assert set(dag.params) == {"run", "candidate", "reason"}
    for field in ("candidate", "reason"):
        assert dag.params.get_param(field).resolve() is None
        assert dag.params.get_param(field).resolve(value="also_bought") == "also_bought"
    for value in (None, "", 3):
        with pytest.raises(ParamValidationError):
            dag.params.get_param("run").resolve(value=value)


def test_the_question_waits_as_long_as_the_settings_say(dag: Any) -> None:
    asks = dag.get_task("approve_release")
    assert asks.response_timeout == timedelta(hours=24)


def test_people_are_told_beside_the_question_and_hold_nothing_up(dag: Any) -> None:
    assert not dag.get_task("approve_release").notifiers, "they would run before it waits"
    tells = dag.get_task("tell_approvers")
    assert tells.upstream_task_ids == {"replace_question"} and not tells.downstream_task_ids
    assert tells.reschedule and tells.never_fail
    assert tells._notifier.daily and not tells._notifier.over


def test_the_dag_explains_itself(dag: Any) -> None:
    assert "safe to rerun" in dag.doc_md
    assert dag.tags <= {tag.value for tag in Tag}
    assert {task.owner for task in dag.tasks} <= {owner.value for owner in Owner}
    retries = {task.task_id: task.retries for task in dag.tasks}
    assert retries.pop("approve_release") == 3, "also where the settings allow none"
    assert set(retries.values()) == {1}
    assert all(task.on_failure_callback for task in dag.tasks)
