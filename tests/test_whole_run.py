"""The whole chain through a real Airflow: started on free ports, triggered by REST, waited for.

A run costs three JVMs, so there are few of them: nothing landed, a release, and a gate that stops
the next one.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.airflow.report_links import DAG, RELEASE_DAG
from infra.errors import AirflowError
from infra.lake import run_key
from infra.ledger.batches import read_batches, stopped_batches
from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.records.release import CandidateVerdict, PublishRecord
from infra.shop.airflow_client import FINISHED, AirflowClient, TaskInstance
from infra.shop.airflow_server import client_of
from infra.storage import Storage
from infra.waiting import wait_until
from jobs.simulate_shop import SimulationOptions, simulate
from models.tracking.registry import VERSION_TAG
from tests.conftest import JVM
from tests.message_servers import Inbox

pytestmark = pytest.mark.xdist_group(JVM)  # its tasks start Spark
FIRST_DAY = datetime.now(UTC).date() - timedelta(days=10)
AS_OF = {"as_of": f"{FIRST_DAY + timedelta(days=9)}T00:00:00+00:00"}
PATIENCE = 600.0  # seconds; a run takes 60 on two quiet cores, and ten times that on busy ones
SHOP = SimulationOptions(events=30_000, days=9, first_day=FIRST_DAY, users=1_000, items=400, seed=7)


def retrain(client: AirflowClient) -> tuple[str, dict[str, TaskInstance]]:
    run = client.trigger(DAG, AS_OF)
    wait_for(client, DAG, run)
    return run, {task.name: task for task in client.tasks(DAG, run)}


def wait_for(client: AirflowClient, dag: str, run: str) -> None:
    assert wait_until(lambda: client.run_state(dag, run) in FINISHED, PATIENCE, 1)


def errors(client: AirflowClient, run: str, task: TaskInstance) -> str:
    return json.dumps(client.log(DAG, run, task))


def test_nothing_landed_is_one_red_task_and_no_release(
    airflow: AirflowClient, airflow_shop: Storage
) -> None:
    run, tasks = retrain(airflow)
    assert airflow.run_state(DAG, run) == "failed"
    assert tasks["ingest_events"].state == "failed"
    assert tasks["ingest_events"].try_number == 1, "a person must act; retrying is a waste"
    assert "No file matches" in errors(airflow, run, tasks["ingest_events"])
    assert live(airflow_shop) is None


def test_a_good_run_moves_the_pointer(airflow: AirflowClient, airflow_shop: Storage) -> None:
    simulate(Path(airflow_shop.landing), SHOP)
    run, tasks = retrain(airflow)
    other = {name: task.state for name, task in tasks.items() if task.state != "success"}
    nobody = dict.fromkeys(("ask_person", "replace_question"), "skipped")
    assert other == nobody, "a good model needs nobody"
    pointer = live(airflow_shop)
    assert pointer is not None
    assert (pointer.number, pointer.run) == (1, run_key(run))
    assert _aliased_version(airflow_shop) == pointer.version
    assert airflow_shop.published.exists(f"versions/{pointer.version}/_manifest.json")
    page = airflow_shop.reports.read(f"{run_key(run)}/index.html").decode()
    assert "Released" in page
    _hands_on_no_data(airflow, airflow_shop, run, tasks)


def test_a_person_chooses_another_candidate_of_a_run(
    airflow: AirflowClient, airflow_shop: Storage
) -> None:
    before = live(airflow_shop)
    assert before is not None
    other = _offer_another(airflow_shop, before)
    form = {"run": before.run, "candidate": other, "reason": "it shows more of the catalogue"}
    for user, end in (("ds", "failed"), ("pm", "success")):
        person = client_of(airflow_shop.settings, user)
        run = person.trigger(RELEASE_DAG, form)
        wait_for(airflow, RELEASE_DAG, run)
        tasks = {task.name: task for task in airflow.tasks(RELEASE_DAG, run)}
        said = json.dumps(airflow.log(RELEASE_DAG, run, tasks["choose_candidate"]))
        assert airflow.run_state(RELEASE_DAG, run) == end, {n: t.state for n, t in tasks.items()}
        assert ("ds may not choose" in said) is (user == "ds")
    pointer = live(airflow_shop)
    assert pointer is not None and pointer.decided is not None
    assert (pointer.number, pointer.previous) == (before.number + 1, before.version)
    assert (pointer.candidate, pointer.run) == (other, before.run)
    assert (pointer.decided.by, pointer.decided.why) == ("pm", form["reason"])
    assert _aliased_version(airflow_shop) == pointer.version


def _offer_another(shop: Storage, record: PublishRecord) -> str:
    """Let the verdict of a run doubt what it released, and offer the other candidates."""
    records = RunRecords(shop, record.run)
    verdict, evaluation = records.load_verdict(), records.load_evaluation()
    assert verdict is not None and evaluation is not None
    passed = verdict.judgements[0].model_copy(update={"result": "met", "outcome": "release"})
    doubt = passed.model_copy(update={"result": "missed", "outcome": "review"})
    judged = tuple(
        CandidateVerdict(
            name=score.name,
            outcome=judgement.outcome,
            reason=judgement.reason,
            judgements=(judgement,),
            model_sha256=score.model_sha256,
        )
        for score in evaluation.scores
        for judgement in [doubt if score.name == record.candidate else passed]
        if score.role == "candidate"
    )
    change = {"outcome": "review", "judgements": (doubt,), "candidates": judged}
    records.save_verdict(verdict.model_copy(update=change))
    return next(name for name in ("also_bought", "content") if name != record.candidate)


def _hands_on_no_data(
    client: AirflowClient, shop: Storage, run: str, tasks: dict[str, TaskInstance]
) -> None:
    lists = shop.lake.dataset("recommendations", run_key(run)).to_table(columns=["user_key"])
    handed_on = json.dumps([client.result(DAG, run, task) for task in tasks.values()])
    assert len(handed_on) < 10_000
    assert not any(key in handed_on for key in lists["user_key"].to_pylist())


def test_a_gate_that_fails_stops_the_chain_and_tells(
    airflow: AirflowClient, airflow_shop: Storage, told: Inbox
) -> None:
    before = live(airflow_shop)
    folder = Path(airflow_shop.landing) / "events/shop"
    (folder / "broken.jsonl").write_text('{"event_id": "no more than this"}\n' * 100)
    run, tasks = retrain(airflow)
    assert airflow.run_state(DAG, run) == "failed"
    assert tasks["gate_events"].state == "failed"
    after = {name: task.state for name, task in tasks.items()}
    for name in ("build_interactions", "judge_release", "recommend_users", "publish"):
        assert after[name] == "upstream_failed", name
    told_of_gate = errors(airflow, run, tasks["gate_events"])
    assert "The events gate stopped the run" in told_of_gate
    assert "Skipping registering" not in told_of_gate, "hundreds of lines nobody asked for"
    assert live(airflow_shop) == before
    page = airflow_shop.reports.read(f"{run_key(run)}/index.html").decode()
    assert "Stopped at the gate" in page
    message = told.received[-1]
    assert "gate_events failed. Stopped at the gate" in message["text"]


def test_a_person_decides_on_what_the_gate_stopped(
    airflow: AirflowClient, airflow_shop: Storage
) -> None:
    (batch,) = stopped_batches(read_batches(airflow_shop))
    form = {"batch": batch, "decision": "discard", "reason": "a test upload"}
    run = airflow.trigger("resolve_batch", form)
    assert wait_until(lambda: airflow.run_state("resolve_batch", run) == "success", 60, 0.5)
    decision = read_batches(airflow_shop)[batch].decision
    assert decision is not None
    assert (decision.decision, decision.by, decision.why) == ("discarded", "de", "a test upload")
    with pytest.raises(AirflowError, match="400|422"):
        airflow.trigger("resolve_batch", {**form, "reason": ""})


def _aliased_version(shop: Storage) -> str | None:
    from mlflow import MlflowClient

    client = MlflowClient(shop.settings.mlflow_uri)
    found = client.get_model_version_by_alias("recommender", "champion")
    return dict(found.tags).get(VERSION_TAG)
