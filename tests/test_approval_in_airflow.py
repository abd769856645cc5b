"""Approving a release in a running Airflow, over REST: by whom, by nobody, and walked around.

Runs of the real DAGs, whose records are prepared: in a retraining all tasks before `ask_person` are
marked as done, so only that and the run of `release_candidate` that it starts work.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from infra.airflow.report_links import DAG, RELEASE_DAG
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

ASK, PUBLISH = "approve_release", "publish"
REVIEW = "ndcg_at_10: {min: 0.01, why: w}\ntraining_minutes: {max: 0, if_missed: review, why: w}\n"
PATIENCE = 180  # seconds; a quiet machine needs 10


class Approvals:
    """A doubtful retraining, as somebody sees it who answers, waits, or meddles.

    `asking` is what Airflow calls the run of `release_candidate` that asks about it.
    """

    def __init__(self, shop: Storage, airflow: AirflowClient, run: str) -> None:
        self.shop, self.airflow, self.run = shop, airflow, run
        self.records = RunRecords(shop, run_key(run))
        self._start()
        self.asking = self._hand_over()

    def _start(self) -> None:
        """Trigger the retraining with everything before the approval marked as done."""
        pause, run = f"/dags/{DAG}?update_mask=is_paused", f"/dags/{DAG}/dagRuns"
        self.airflow._call("PATCH", pause, {"is_paused": True})
        self.airflow._call("POST", run, {"dag_run_id": self.run, "logical_date": None})
        for task, more in (("check_serving", {"include_upstream": True}), ("track_candidates", {})):
            state = {"new_state": "success", **more}
            self.airflow._call("PATCH", f"{run}/{self.run}/taskInstances/{task}", state)
        self.airflow._call("PATCH", pause, {"is_paused": False})

    def _hand_over(self) -> str:
        """Return the run that asks: the retraining is over, and keeps none after it waiting."""
        assert wait_until(lambda: self.airflow.run_state(DAG, self.run) == "success", PATIENCE)
        states = {task.name: task.state for task in self.airflow.tasks(DAG, self.run)}
        assert (states["ask_person"], states[PUBLISH]) == ("success", "skipped"), states
        asking = self.airflow.last_run(RELEASE_DAG)
        assert asking is not None
        return asking

    @property
    def path(self) -> str:
        """The run that asks, in the addresses of Airflow."""
        return f"/dags/{RELEASE_DAG}/dagRuns/{quote(self.asking, safe='')}"

    def state(self) -> str:
        """Return the state of the run that asks."""
        return self.airflow.run_state(RELEASE_DAG, self.asking)

    def mark(self, task: str) -> None:
        """Mark a task as success, as a user may."""
        self.airflow._call("PATCH", f"{self.path}/taskInstances/{task}", {"new_state": "success"})

    def clear(self, *tasks: str) -> None:
        """Let tasks run again, as a person does who clears them in the UI; without a name all."""
        assert wait_until(lambda: self.state() in {"failed", "success"}, 120)
        body: dict[str, Any] = {"dry_run": False, "dag_run_id": self.asking, "only_failed": False}
        body |= {"include_downstream": True, "reset_dag_runs": True}
        named = {"task_ids": list(tasks)} if tasks else {}
        self.airflow._call("POST", f"/dags/{RELEASE_DAG}/clearTaskInstances", body | named)

    def wait_for_the_question(self) -> dict[str, Any]:
        """Return the form, as soon as it waits for an answer."""
        assert self.wait_for(ASK, "awaiting_input")
        return self.airflow._call("GET", f"{self.path}/taskInstances/{ASK}/-1/hitlDetails")

    def wait_for(self, task: str, *states: str) -> bool:
        """Wait until a task is in one of some states."""
        return wait_until(lambda: self.tasks()[task].state in states, PATIENCE)

    def answer(self, user: str, option: str, reason: str) -> None:
        """Send the form."""
        given = {"chosen_options": [option], "params_input": {"reason": reason}}
        given["params_input"]["bundle"] = self.record().manifest_sha256
        client = client_of(self.shop.settings, user)
        client._call("PATCH", f"{self.path}/taskInstances/{ASK}/-1/hitlDetails", given)

    def let_time_pass(self) -> None:
        """Make the time for an answer be over; Airflow itself then finds out."""
        database = self.shop.settings.airflow_home / "airflow.db"
        with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
            connection.execute(
                "UPDATE task_instance SET trigger_timeout = '2020-01-01 00:00:00.000000' "
                "WHERE state = 'awaiting_input'"
            )

    def tasks(self) -> dict[str, TaskInstance]:
        """Return the tasks of the run that asks, by name."""
        return {task.name: task for task in self.airflow.tasks(RELEASE_DAG, self.asking)}

    def error(self, task: str) -> str:
        """Return the log of a task."""
        return json.dumps(self.airflow.log(RELEASE_DAG, self.asking, self.tasks()[task]))

    def record(self) -> ApprovalRecord:
        """Return what was written down."""
        found = self.records.load_approval()
        assert found is not None
        return found

    def nothing_is_live(self) -> bool:
        """Tell whether nothing went live."""
        return live(self.shop) is None and self.records.load_published() is None


@pytest.fixture
def retrain(
    airflow_shop: Storage, airflow: AirflowClient, tmp_path: Path
) -> Iterator[Callable[[str], Approvals]]:
    """Make retrainings whose verdict is review; afterwards nothing of them is live or running."""
    rules = tmp_path / "release.yaml"
    rules.write_text(REVIEW)
    airflow.unpause(RELEASE_DAG)

    def make(run: str) -> Approvals:
        prepare_bundle(airflow_shop, write_tables(airflow_shop, run=run_key(run)), rules)
        return Approvals(airflow_shop, airflow, run)

    yield make
    wait_until(lambda: not airflow.unfinished_runs(RELEASE_DAG), PATIENCE)
    for asking in airflow.unfinished_runs(RELEASE_DAG):
        airflow.give_up(RELEASE_DAG, asking)
    for key in ("live", "claims", "versions"):
        airflow_shop.published.delete_folder(key)


def test_an_approval_is_the_only_way(retrain: Callable[[str], Approvals]) -> None:
    approvals = retrain("doubtful")
    _asks_with_all_that_matters(approvals)
    _marking_it_as_success_publishes_nothing(approvals)
    _a_rejection_is_red_and_final(approvals)
    _marking_it_after_a_rejection_publishes_nothing(approvals)
    _no_answer_is_a_rejection(approvals)
    _an_approval_publishes(approvals)


def _asks_with_all_that_matters(approvals: Approvals) -> None:
    form = approvals.wait_for_the_question()
    assert form["subject"] == "Release also_bought?"
    assert "Training minutes" in form["body"] and "at most 0" in form["body"]
    assert "Nothing is live yet" in form["body"]
    link = f"/dags/{RELEASE_DAG}/runs/{quote(approvals.asking, safe='')}/plugin/catwalk-report"
    assert link in form["body"]
    assert [user["id"] for user in form["assigned_users"]] == ["pm"]
    assert approvals.record().answer == "waiting"
    assert approvals.record().manifest_sha256 in json.dumps(form["params"])


def _marking_it_as_success_publishes_nothing(approvals: Approvals) -> None:
    """Also with an answer written where tasks leave theirs, which any user may do."""
    approvals.mark(ASK)
    forged = {"chosen_options": ["Approve"], "responded_by_user": {"id": "pm", "name": "pm"}}
    path = f"{approvals.path}/taskInstances/{ASK}/xcomEntries"
    approvals.airflow._call("POST", path, {"key": "return_value", "value": forged})
    assert approvals.wait_for(PUBLISH, "failed", "success")
    assert "needs an approval: nobody has answered" in approvals.error(PUBLISH)
    assert approvals.nothing_is_live()


def _a_rejection_is_red_and_final(approvals: Approvals) -> None:
    approvals.clear(ASK)
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
    approvals.clear(ASK)
    approvals.wait_for_the_question()
    approvals.let_time_pass()
    assert approvals.wait_for(ASK, "failed")
    record = approvals.record()
    assert (record.answer, record.by, record.why) == ("rejected", None, "no answer in time")
    assert approvals.nothing_is_live()


def _an_approval_publishes(approvals: Approvals) -> None:
    approvals.clear(ASK)
    approvals.wait_for_the_question()
    approvals.answer("pm", "Approve", "slow, but better")
    assert approvals.wait_for(PUBLISH, "success", "failed")
    assert approvals.wait_for(ASK, "success")
    record, published = approvals.record(), approvals.records.load_published()
    assert (record.answer, record.by, record.why) == ("approved", "pm", "slow, but better")
    assert published is not None and published == live(approvals.shop)
    assert published.manifest_sha256 == record.manifest_sha256


def test_a_newer_question_replaces_the_one_that_waits(retrain: Callable[[str], Approvals]) -> None:
    older = retrain("older")
    older.wait_for_the_question()
    newer = retrain("newer")
    _the_older_one_ends_by_itself(older, newer)
    newer.wait_for_the_question()
    _an_answer_to_it_counts_no_longer(older)
    _clearing_it_neither_asks_nor_replaces(older, newer)
    newer.answer("pm", "Approve", "slow, but better")
    assert newer.wait_for(PUBLISH, "success", "failed")
    pointer = live(newer.shop)
    assert pointer is not None and (pointer.number, pointer.run) == (1, run_key("newer"))
    newer.clear(PUBLISH)
    assert newer.wait_for("retire", "success", "failed")
    assert live(newer.shop) == pointer, "once, however often it is called"


def _the_older_one_ends_by_itself(older: Approvals, newer: Approvals) -> None:
    """Within seconds, and nobody is called for it: nothing has failed."""
    assert wait_until(lambda: older.state() == "success", PATIENCE)
    assert older.tasks()[ASK].state == older.tasks()[PUBLISH].state == "skipped"
    record = older.record()
    assert (record.answer, record.replaced_by) == ("replaced", run_key(newer.run))
    waiting = older.airflow._call("GET", "/dags/~/dagRuns/~/hitlDetails?state=awaiting_input")
    assert older.asking not in json.dumps(waiting), "it is no required action any more"


def _an_answer_to_it_counts_no_longer(older: Approvals) -> None:
    with pytest.raises(AirflowError, match="409.*waits no longer"):
        older.answer("pm", "Approve", "I had the page open since this morning")
    assert older.tasks()[ASK].state == "skipped" and older.record().answer == "replaced"
    older.mark(ASK)
    older.clear(PUBLISH)
    assert older.wait_for(PUBLISH, "failed")
    assert "its question was replaced by run=newer" in older.error(PUBLISH)
    assert older.nothing_is_live()


def _clearing_it_neither_asks_nor_replaces(older: Approvals, newer: Approvals) -> None:
    older.clear()
    assert older.wait_for(ASK, "skipped")
    assert wait_until(lambda: older.state() == "success", PATIENCE)
    assert newer.tasks()[ASK].state == "awaiting_input" and newer.record().answer == "waiting"
