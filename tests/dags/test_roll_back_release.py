"""The DAG of a roll-back in this process: the pointer moves first, then MLflow follows it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from infra.ledger.live_pointer import live
from infra.storage import Storage
from models.publishing.publish import publish
from models.tracking import registry
from tests.models.conftest import AS_OF, prepare_bundle, write_tables
from tests.models.tracking.test_registry import aliases

pytestmark = pytest.mark.usefixtures("mlflow_tables")
FORM = {"version": "previous", "reason": "the front page shows nothing but socks"}


@pytest.mark.faults  # an MLflow that is down
def test_two_tasks_of_which_each_says_one_thing(
    airflow_database: None, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow is down at first: the roll-back is green all the same, and has moved the pointer."""
    from dags.roll_back_release import roll_back_release

    versions = []
    for place, run in enumerate(("run=older", "run=newer")):
        as_of = AS_OF + timedelta(hours=6 * place)
        prepare_bundle(shop, write_tables(shop, run=run, as_of=as_of))
        versions.append(publish(shop, run).version)

    def down(*_: Any) -> None:
        raise ConnectionError("MLflow is down")

    with monkeypatch.context() as patch:
        patch.setattr(registry, "_registered", down)
        finished = roll_back_release().test(run_conf=FORM)
    states = {each.task_id: str(each.state) for each in finished.get_task_instances()}
    assert states["roll_back_release"] == "success" and states["follow_pointer"] != "success"
    now = live(shop)
    assert now is not None and now.version == versions[0]
    registry.follow_pointer(shop)
    assert aliases(shop)["champion"] == versions[0], "a second try mends it"
