"""The DAG that changes the shares of a test, in this process."""

from __future__ import annotations

from infra.ledger.ab_tests import add_ab_record, read_ab_tests
from infra.storage import Storage
from tests.infra.ledger.test_ab_tests import ab_test, phase


def test_a_person_changes_the_shares_by_the_form(airflow_database: None, shop: Storage) -> None:
    from dags.change_ab_test import change_ab_test

    add_ab_record(shop, lambda _: ab_test(phase=phase(layer=(0, 500))))
    form = {"test": "content-first none", "traffic": 30, "treatment_share": 50, "reason": "grow it"}
    assert str(change_ab_test().test(run_conf=form).state) == "success"
    change = read_ab_tests(shop).tests[1].changes[0]
    assert (change.phase.layer, change.by, change.reason) == ((0, 3_000), "dag_test", "grow it")
