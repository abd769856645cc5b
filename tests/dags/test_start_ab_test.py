"""The DAG of an A/B test: the plan alone starts nothing."""

from __future__ import annotations

from infra.airflow.choices import live_placements, other_candidates
from infra.ledger.ab_tests import read_ab_tests
from infra.storage import Storage
from tests.models.ab_tests.test_start_ab_test import FORM, OTHER, released
from tests.models.conftest import WINNER


def test_the_form_offers_what_can_be_tested_and_the_plan_alone_starts_nothing(
    airflow_database: None, shop: Storage
) -> None:
    from dags.start_ab_test import start_ab_test

    assert other_candidates(shop) == live_placements(shop) == ()
    released(shop)
    offered = other_candidates(shop)
    assert OTHER in offered
    assert not {WINNER, "popularity"} & {*offered}
    assert live_placements(shop) == ("home",)
    finished = start_ab_test().test(run_conf={**FORM, "only_plan": True})
    states = {each.task_id: str(each.state) for each in finished.get_task_instances()}
    assert states["plan_ab_test"] == "success"
    assert {states[task] for task in states if task != "plan_ab_test"} == {"skipped"}
    plan = next(each for each in finished.get_task_instances() if each.task_id == "plan_ab_test")
    assert "units to see a difference of 10.0%" in str(plan.xcom_pull("plan_ab_test"))
    assert not read_ab_tests(shop).tests
