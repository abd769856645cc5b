"""Rolling back in a running Airflow, over REST: the form alone, by whoever triggered it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from infra.errors import AirflowError
from infra.lake import run_key
from infra.ledger.live_pointer import live
from infra.records.release import PublishRecord
from infra.shop.airflow_client import AirflowClient
from infra.shop.airflow_server import client_of
from infra.storage import Storage
from infra.waiting import wait_until
from models.publishing.publish import publish
from models.tracking.registry import VERSION_TAG, follow_pointer
from tests.models.conftest import AS_OF, prepare_bundle, write_tables

DAG = "roll_back_release"
SECONDS = 30.0  # pointer and aliases
WHY = "the front page shows nothing but socks"


@pytest.fixture
def two(airflow_shop: Storage) -> Iterator[tuple[PublishRecord, PublishRecord]]:
    """Publish two versions; afterwards nothing of them is live."""
    found = []
    for place, name in enumerate(("went_live_first", "went_live_then")):
        as_of = AS_OF + timedelta(hours=6 * place)
        prepare_bundle(airflow_shop, write_tables(airflow_shop, run=run_key(name), as_of=as_of))
        found.append(publish(airflow_shop, run_key(name)))
        follow_pointer(airflow_shop)
    yield found[0], found[1]
    for key in ("live", "versions"):
        airflow_shop.published.delete_folder(key)


def test_a_form_puts_the_version_before_live_again(
    airflow: AirflowClient, airflow_shop: Storage, two: tuple[PublishRecord, PublishRecord]
) -> None:
    older, newer = two
    person = client_of(airflow_shop.settings, "pm")
    form = {"version": "previous", "reason": WHY}
    run = person.trigger(DAG, form)
    assert wait_until(lambda: airflow.run_state(DAG, run) in {"success", "failed"}, 60)
    tasks = airflow.tasks(DAG, run)
    logs = json.dumps([airflow.log(DAG, run, task) for task in tasks])
    assert airflow.run_state(DAG, run) == "success", logs
    assert {task.name for task in tasks} == {"roll_back_release", "follow_pointer"}
    now = live(airflow_shop)
    assert now is not None and now.decided is not None
    assert (now.number, now.version, now.previous) == (3, older.version, newer.version)
    assert (now.action, now.decided.by, now.decided.why) == ("roll_back", "pm", WHY)
    assert now.asked_in == run_key(run)
    seconds = [task.seconds for task in tasks]
    assert sum(each or SECONDS for each in seconds) < SECONDS, "says Airflow itself"
    assert [one.version for one in now.withdrawn] == [newer.version]
    aliases = {name: aliased(airflow_shop, name) for name in ("champion", "previous")}
    assert aliases == {"champion": older.version, "previous": newer.version}


def test_who_reads_only_may_not_roll_back(airflow: AirflowClient, airflow_shop: Storage) -> None:
    before = airflow.runs(DAG)
    analyst = client_of(airflow_shop.settings, "analyst")
    with pytest.raises(AirflowError, match="403"):
        analyst.trigger(DAG, {"version": "previous", "reason": WHY})
    assert airflow.runs(DAG) == before


def aliased(shop: Storage, alias: str) -> str | None:
    from mlflow import MlflowClient

    found = MlflowClient(shop.settings.mlflow_uri).get_model_version_by_alias("recommender", alias)
    return dict(found.tags).get(VERSION_TAG)
