"""Each gate of one run's tables blocks: broken tables, and no task after the gate runs.

The real DAG runs in this process on prepared tables; the steps before the gate are marked as done.
That of the events is shown through a real scheduler, in tests/test_whole_run.py.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from infra.lake import run_key
from infra.ledger.batches import decide, read_batches
from infra.ledger.live_pointer import live, point
from infra.ledger.run_records import RunRecords
from infra.storage import Storage
from tests.expectations import lake
from tests.infra.report.test_report import published

# Gates that run side by side are broken together: a run of the real DAG costs ten seconds.
BESIDE = [("gate_items", "gate_interactions", "gate_steps"), ("gate_recommendations",)]
NAMES_CANDIDATES = "keep_rules"  # `train` is mapped over what it returns
TRACKED = "track_candidates"  # it runs whatever came before, and publishes nothing


def put_tables(shop: Storage, run: str, broken: tuple[str, ...]) -> None:
    """Write the tables of a run; some hold something that their gate must not let through."""
    future = [lake.pair(1, 1, last_time=lake.CUT)] if "gate_interactions" in broken else []
    twice = [lake.item(0)] if "gate_items" in broken else []
    missing = [99] if "gate_recommendations" in broken else [19]
    lake.put_items(shop, run, lake.items(60), lake.items(60, *twice))
    held_out = [lake.held_out(user, 50) for user in range(100)]
    lake.put_interactions(shop, run, [*lake.pairs(range(100), range(50)), *held_out, *future])
    after_cut = [lake.step(1, position=2, event_time=lake.CUT)] if "gate_steps" in broken else []
    lake.put_steps(shop, run, lake.steps(1000, *after_cut))
    lake.put_lists(shop, run, [lake.top(user, [*range(19), *missing]) for user in range(100)])


@pytest.fixture(scope="module")
def dag(airflow_database: None) -> Any:
    from dags.retrain_recommender import retrain_recommender

    return retrain_recommender()


def run_from(
    dag: Any, gates: tuple[str, ...], shop: Storage, patch: pytest.MonkeyPatch
) -> tuple[str, dict[str, str]]:
    """Run the gates and all that comes after them; return the run's key and the states of all."""
    from infra.airflow import defaults

    prepared: list[str] = []
    current = defaults.current_run

    def with_tables() -> defaults.Run:
        if not prepared:
            prepared.append(current().key)
            put_tables(shop, prepared[0], broken=gates)
        return current()

    patch.setattr(defaults, "current_run", with_tables)
    sleep = time.sleep  # of Airflow's test: a second before it looks at each task left out
    patch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.05)))
    following = {name for gate in gates for name in after(dag, gate)}
    done = {task.task_id for task in dag.tasks} - {*gates, NAMES_CANDIDATES} - following
    pattern = "|".join(f"^{name}$" for name in done)
    finished = dag.test(mark_success_pattern=pattern, run_conf={"as_of": lake.AS_OF.isoformat()})
    states = {one.task_id: str(one.state) for one in finished.get_task_instances()}
    return run_key(finished.run_id), states


def after(dag: Any, gate: str) -> set[str]:
    return set(dag.get_task(gate).get_flat_relative_ids(upstream=False)) - {TRACKED}


@pytest.mark.parametrize("gates", BESIDE, ids=" and ".join)
def test_a_broken_table_stops_all_that_comes_after_its_gate(
    dag: Any, gates: tuple[str, ...], shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = point(shop, published(run="run=before"))
    run, states = run_from(dag, gates, shop, monkeypatch)
    for gate in gates:
        assert states[gate] == "failed"
        assert "publish" in after(dag, gate)
        assert {states[name] for name in after(dag, gate)} == {"upstream_failed"}
        direct = dag.get_task(gate).downstream_list
        assert {one.trigger_rule for one in direct} == {"all_success"}, "each of them suffices"
        record = RunRecords(shop, run).load_gate(gate.removeprefix("gate_"))
        assert record is not None
        assert record.result == "stopped"
    assert "Stopped at the gate" in shop.reports.read(f"{run}/index.html").decode()
    assert live(shop) == before


def test_no_task_of_a_run_replays_the_future(
    dag: Any, shop: Storage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.05)))
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    first = next(task.task_id for task in dag.tasks if not task.upstream_list)
    finished = dag.test(run_conf={"as_of": tomorrow.isoformat()})
    states = {task.task_id: str(task.state) for task in finished.get_task_instances()}
    assert {states.pop(first), states.pop(TRACKED)} == {"failed"}
    assert set(states.values()) == {"upstream_failed"}, "no other task begins"
    assert str(finished.state) == "failed"
    assert not shop.reports.list(run_key(finished.run_id))


def test_no_gate_is_left_out(dag: Any) -> None:
    gates = {task.task_id for task in dag.tasks if task.task_id.startswith("gate_")}
    assert gates == {"gate_events", *chain.from_iterable(BESIDE)}


def test_a_person_decides_by_the_form_and_is_named(airflow_database: None, shop: Storage) -> None:
    from dags.resolve_batch import resolve_batch
    from infra.records.gates import BatchDecision

    batch = "batch=shop-000000"
    lake.put_batch(shop, batch, lake.events(5))
    decide(shop, batch, BatchDecision(decision="stopped", by="gate", written_at=lake.WRITTEN))
    form = {"batch": batch, "decision": "discard", "reason": "delivered again"}
    assert str(resolve_batch().test(run_conf=form).state) == "success"
    decision = read_batches(shop)[batch].decision
    assert decision is not None
    assert (decision.decision, decision.by, decision.why) == (
        "discarded",
        "dag_test",  # whom Airflow names for a run of its own test
        "delivered again",
    )
    assert str(resolve_batch().test(run_conf={**form, "reason": "   "}).state) == "failed"
    with pytest.raises(ParamValidationError, match="reason"):  # Airflow takes no such form
        resolve_batch().test(run_conf={**form, "reason": ""})
