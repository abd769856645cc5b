"""The DAGs of A/B tests in this process: one judges, the other ships what a person decided."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infra.airflow.choices import running_tests
from infra.ledger.ab_tests import add_ab_record, read_ab_tests
from infra.ledger.ab_verdicts import latest_ab_verdict
from infra.ledger.live_pointer import live
from infra.places import LIVE
from infra.storage import Storage
from infra.stores.numbered import key
from models.publishing.publish import publish
from tests.infra.ledger.test_ab_tests import ab_test
from tests.models.ab_tests.test_judge_ab_tests import both
from tests.models.ab_tests.units_of_a_test import land_units
from tests.models.conftest import prepare_bundle, write_tables
from tests.models.tracking.test_registry import aliases

pytestmark = pytest.mark.usefixtures("mlflow_tables")


@pytest.mark.faults  # two Airflow runs and MLflow
def test_a_test_is_judged_and_its_treatment_shipped(airflow_database: None, shop: Storage) -> None:
    from dags.decide_ab_test import decide_ab_test
    from dags.judge_ab_tests import judge_ab_tests

    for run in ("run=older", "run=newer"):
        prepare_bundle(shop, write_tables(shop, run=run))
        newest = publish(shop, run)
    shop.published.delete(key(LIVE, newest.number))
    since = datetime.now(UTC) - timedelta(days=30)
    treatment = {"version": newest.version, "candidate": newest.candidate}
    add_ab_record(shop, lambda _: ab_test(at=since, treatment=treatment, run=newest.run))
    land_units(shop, read_ab_tests(shop).running()[0], both(2_000, 0.05, 0.09, since=since))
    judged = judge_ab_tests().test()
    assert str(judged.state) == "success"
    kept = latest_ab_verdict(shop, "content-first")
    assert kept is not None and kept.verdict.outcome == "ship"
    [offer] = running_tests(shop)
    conf = {"test": offer, "decision": "ship", "reason": "it sells more"}
    decided = decide_ab_test().test(run_conf=conf)
    states = {each.task_id: str(each.state) for each in decided.get_task_instances()}
    assert states == {"decide_ab_test": "success", "follow_pointer": "success"}
    now = live(shop)
    assert now is not None and (now.version, now.action) == (newest.version, "ship")
    assert aliases(shop)["champion"] == newest.version
