"""The DAG of the alarm in this process: a fall is told, and the task stays green."""

from __future__ import annotations

from datetime import timedelta

from infra.ledger.alarms import alarm_of
from infra.ledger.live_pointer import point
from infra.storage import Storage
from tests.models.publishing.test_watch_release import LIVE, land, world
from tests.models.release.test_ab_tested import pointer


def test_a_fall_is_noted_and_nothing_moves(airflow_database: None, shop: Storage) -> None:
    from dags.watch_release import watch_release

    point(shop, pointer(0, "content", number=1))
    land(shop, world({"clicks": 0.7}), LIVE + timedelta(days=7))
    finished = watch_release().test()
    assert {str(each.state) for each in finished.get_task_instances()} == {"success"}
    noted = alarm_of(shop, 1)
    assert noted is not None and [change.kpi for change in noted.fallen] == ["ctr"]
    assert len(shop.published.list("live")) == 1
