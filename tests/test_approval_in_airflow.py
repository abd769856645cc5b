"""Approving a release in a running Airflow, over REST: by whom, by nobody, and walked around.

One run of the real DAG, whose records are prepared and whose earlier tasks are marked as done: only
`approve_release` and `publish` work, again and again.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from infra.airflow.report_links import DAG
from infra.errors import AirflowError
from infra.lake import run_key
from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.records.release import ApprovalRecord
from infra.shop.airflow_client import AirflowClient, TaskInstance
from infra.shop.airflow_server import client_of
from infra.storage import Storage
from infra.waiting import wait_until
from tests.models.conftest import prepare_bundle, write_tables

RUN = "doubtful"
ASK, PUBLISH = "approve_release", "publish"
PATH = f"/dags/{DAG}/dagRuns/{RUN}"
REVIEW = "ndcg_at_10: {min: 0.01, why: w}\ntraining_minutes: {max: 0, if_missed: review, why: w}\n"
PARKED = "final_state=awaiting_input"  # the worker that asked is gone, says the scheduler's log


class Approvals:
    """The doubtful run, as somebody sees it who answers, waits, or meddles."""

    def __init__(self, shop: Storage, airflow: AirflowClient) -> None:
        self.shop, self.airflow = shop, airflow
        self.records = RunRecords(shop, run_key(RUN))
        self._log = shop.settings.airflow_home / "logs/scheduler.log"
        self._parked = self._log.read_text().count(PARKED)

    def start(self) -> None:
        """Trigger the run with everything before the approval marked as done."""
        pause = f"/dags/{DAG}?update_mask=is_paused"
        self.airflow._call("PATCH", pause, {"is_paused": True})
        asked = {"dag_run_id": RUN, "logical_date": None}
        self.airflow._call("POST", f"/dags/{DAG}/dagRuns", asked)
        self.mark("check_serving", include_upstream=True)
        self.mark("track_candidates")
        self.airflow._call("PATCH", pause, {"is_paused": False})

    def mark(self, task: str, **more: bool) -> None:
        """Mark a task as success, as a user may."""
        self.airflow._call(
            "PATCH", f"{PATH}/taskInstances/{task}", {"new_state": "success", **more}
        )

    def clear(self, task: str = ASK) -> None:
        """Ask again, as a person does who clears the task of a failed run in the UI."""
        assert wait_until(lambda: self.airflow.run_state(DAG, RUN) == "failed", 30)
        body = {"dry_run": False, "dag_run_id": RUN, "task_ids": [task], "only_failed": False}
        body |= {"include_downstream": True, "reset_dag_runs": True}
        self.airflow._call("POST", f"/dags/{DAG}/clearTaskInstances", body)

    def wait_for_the_question(self) -> dict[str, Any]:
        """Return the form; an answer before the asking worker is gone would count as a crash."""
        assert self.wait_for(ASK, "awaiting_input")
        assert wait_until(lambda: self._log.read_text().count(PARKED) > self._parked, 60)
        self._parked += 1
        time.sleep(1)
        return self.airflow._call("GET", f"{PATH}/taskInstances/{ASK}/-1/hitlDetails")

    def wait_for(self, task: str, *states: str) -> bool:
        """Wait until a task is in one of some states."""
        return wait_until(lambda: self.tasks()[task].state in states, 60)

    def answer(self, user: str, option: str, reason: str) -> None:
        """Send the form."""
        given = {"chosen_options": [option], "params_input": {"reason": reason}}
        given["params_input"]["bundle"] = self.record().manifest_sha256
        client = client_of(self.shop.settings, user)
        client._call("PATCH", f"{PATH}/taskInstances/{ASK}/-1/hitlDetails", given)

    def let_time_pass(self) -> None:
        """Make the time for an answer be over; Airflow itself then finds out."""
        database = self.shop.settings.airflow_home / "airflow.db"
        with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
            connection.execute(
                "UPDATE task_instance SET trigger_timeout = '2020-01-01 00:00:00.000000' "
                "WHERE state = 'awaiting_input'"
            )

    def tasks(self) -> dict[str, TaskInstance]:
        """Return the tasks of the run by name."""
        return {task.name: task for task in self.airflow.tasks(DAG, RUN)}

    def error(self, task: str) -> str:
        """Return the log of a task."""
        return json.dumps(self.airflow.log(DAG, RUN, self.tasks()[task]))

    def record(self) -> ApprovalRecord:
        """Return what was written down."""
        found = self.records.load_approval()
        assert found is not None
        return found

    def nothing_is_live(self) -> bool:
        """Tell whether nothing went live."""
        return live(self.shop) is None and self.records.load_published() is None


@pytest.fixture
def approvals(airflow_shop: Storage, airflow: AirflowClient, tmp_path: Path) -> Iterator[Approvals]:
    """Give a run whose verdict is review; afterwards nothing of it is live or running."""
    rules = tmp_path / "release.yaml"
    rules.write_text(REVIEW)
    prepare_bundle(airflow_shop, write_tables(airflow_shop, run=run_key(RUN)), rules)
    found = Approvals(airflow_shop, airflow)
    found.start()
    yield found
    if airflow.run_state(DAG, RUN) not in {"success", "failed"}:
        airflow.give_up(DAG, RUN)
    for key in ("live", "claims", "versions"):
        airflow_shop.published.delete_folder(key)


def test_an_approval_is_the_only_way(approvals: Approvals) -> None:
    _asks_with_all_that_matters(approvals)
    _marking_it_as_success_publishes_nothing(approvals)
    _a_rejection_is_red_and_final(approvals)
    _marking_it_after_a_rejection_publishes_nothing(approvals)
    _no_answer_is_a_rejection(approvals)
    _an_approval_publishes(approvals)


def _asks_with_all_that_matters(approvals: Approvals) -> None:
    form = approvals.wait_for_the_question()
    assert form["subject"] == "Release also_bought?"
    assert "training\\_minutes" in form["body"] and "at most 0" in form["body"]
    assert "Nothing is live yet" in form["body"]
    assert f"/dags/{DAG}/runs/{RUN}/plugin/catwalk-report" in form["body"]
    assert [user["id"] for user in form["assigned_users"]] == ["pm"]
    assert approvals.record().answer == "waiting"
    assert approvals.record().manifest_sha256 in json.dumps(form["params"])


def _marking_it_as_success_publishes_nothing(approvals: Approvals) -> None:
    """Also with an answer written where tasks leave theirs, which any user may do."""
    approvals.mark(ASK)
    forged = {"chosen_options": ["Approve"], "responded_by_user": {"id": "pm", "name": "pm"}}
    path = f"{PATH}/taskInstances/{ASK}/xcomEntries"
    approvals.airflow._call("POST", path, {"key": "return_value", "value": forged})
    assert approvals.wait_for(PUBLISH, "failed", "success")
    assert "needs an approval: nobody has answered" in approvals.error(PUBLISH)
    assert approvals.nothing_is_live()


def _a_rejection_is_red_and_final(approvals: Approvals) -> None:
    approvals.clear()
    approvals.wait_for_the_question()
    with pytest.raises(AirflowError, match="403"):
        approvals.answer("ds", "Approve", "I am not asked")
    with pytest.raises(AirflowError, match="403"):
        approvals.answer("admin", "Approve", "I may do everything, but this")
    approvals.answer("pm", "Reject", "wait for the sale to end")
    assert approvals.wait_for(ASK, "failed")
    assert approvals.wait_for(PUBLISH, "upstream_failed")
    record = approvals.record()
    assert (record.answer, record.by, record.why) == ("rejected", "pm", "wait for the sale to end")
    assert approvals.tasks()[ASK].try_number == 2, "a rejection is not tried again"
    with pytest.raises(AirflowError, match="409"):
        approvals.answer("pm", "Approve", "second thoughts")
    assert approvals.nothing_is_live()


def _marking_it_after_a_rejection_publishes_nothing(approvals: Approvals) -> None:
    approvals.mark(ASK)
    approvals.clear(PUBLISH)
    assert approvals.wait_for(PUBLISH, "failed", "success")
    assert "needs an approval: rejected: wait for the sale to end" in approvals.error(PUBLISH)
    assert approvals.tasks()[ASK].state == "success" and approvals.nothing_is_live()


def _no_answer_is_a_rejection(approvals: Approvals) -> None:
    approvals.clear()
    approvals.wait_for_the_question()
    approvals.let_time_pass()
    assert approvals.wait_for(ASK, "failed")
    record = approvals.record()
    assert (record.answer, record.by, record.why) == ("rejected", None, "no answer in time")
    assert approvals.nothing_is_live()


def _an_approval_publishes(approvals: Approvals) -> None:
    approvals.clear()
    approvals.wait_for_the_question()
    approvals.answer("pm", "Approve", "slow, but better")
    assert approvals.wait_for(PUBLISH, "success", "failed")
    assert approvals.wait_for(ASK, "success")
    record, published = approvals.record(), approvals.records.load_published()
    assert (record.answer, record.by, record.why) == ("approved", "pm", "slow, but better")
    assert published is not None and published == live(approvals.shop)
    assert published.manifest_sha256 == record.manifest_sha256
