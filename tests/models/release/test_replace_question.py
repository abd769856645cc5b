"""A later decision makes the question that waits void: on the record, and for whoever answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.errors import ReleaseError
from infra.ledger.decision_log import entries
from infra.ledger.questions import waiting_question
from infra.ledger.run_records import RunRecords
from infra.records.release import ApprovalRecord
from infra.storage import Storage
from models.release.approve_release import (
    approval_refusal,
    ask,
    needs_person,
    record_answer,
    replaced,
)
from models.release.replace_question import replace_question
from tests.models.release.test_approve_release import approval, bundle, verdict

OLDER, NEWER = "run=older", "run=newer"


def asked_about(shop: Storage, run: str, in_: str = "", **change: Any) -> str:
    """Let a run ask; return the digest of its bundle."""
    RunRecords(shop, run).save_verdict(verdict(run=run, **change))
    digest = bundle(shop, run.encode(), run)
    assert ask(shop, run, in_ or f"about {run}") is not None
    return digest


def record(shop: Storage, run: str) -> ApprovalRecord:
    found = RunRecords(shop, run).load_approval()
    assert found is not None
    return found


def now() -> datetime:
    return datetime.now(UTC)


def test_the_question_that_waits_is_replaced_and_named(shop: Storage) -> None:
    digest = asked_about(shop, OLDER)
    ended = replace_question(shop, NEWER, now(), "about run=newer")
    assert ended is not None and (ended.run, ended.asked_in) == (OLDER, f"about {OLDER}")
    found = record(shop, OLDER)
    assert (found.answer, found.by, found.replaced_by) == ("replaced", None, NEWER)
    _, decision = next(entries(shop.reports))
    assert (decision.about, decision.outcome) == (OLDER, "replaced")
    assert decision.why == f"Replaced by {NEWER}."
    assert waiting_question(shop) is None
    refusal = approval_refusal(verdict(run=OLDER), found, ("pm",), digest)
    assert refusal is not None and f"its question was replaced by {NEWER}" in refusal.fact


def test_an_answer_to_it_is_refused_and_changes_nothing(shop: Storage) -> None:
    digest = asked_about(shop, OLDER)
    replace_question(shop, NEWER, now())
    with pytest.raises(ReleaseError, match=f"was replaced by {NEWER}. Answer the one that waits"):
        record_answer(shop, OLDER, approval(digest), f"about {OLDER}")
    assert record(shop, OLDER).answer == "replaced" and needs_person(shop, OLDER)


def test_the_one_of_the_run_that_asks_stays(shop: Storage) -> None:
    asked_about(shop, OLDER)
    assert replace_question(shop, OLDER, now(), f"about {OLDER}") is None
    found = waiting_question(shop)
    assert found is not None and found.run == OLDER


def test_a_second_question_of_a_run_replaces_its_first(shop: Storage) -> None:
    asked_about(shop, OLDER)
    ended = replace_question(shop, OLDER, now(), "chosen by pm")
    assert ended is not None and ended.asked_in == f"about {OLDER}"
    assert record(shop, OLDER).replaced_by == OLDER


def test_a_task_that_runs_again_ends_the_same_question(shop: Storage) -> None:
    """It may have died before Airflow ended the task that asks."""
    asked_about(shop, OLDER)
    first = replace_question(shop, NEWER, now(), "new")
    assert first is not None and replace_question(shop, NEWER, now(), "new") == first
    asked_about(shop, NEWER, "new")
    assert replace_question(shop, NEWER, now(), "new") == first


def test_nothing_that_was_asked_since_is_replaced(shop: Storage) -> None:
    """So two runs never replace each other for ever, as the tasks of each are cleared."""
    before = now()
    asked_about(shop, OLDER)
    asked_about(shop, NEWER)
    assert replace_question(shop, OLDER, before, f"about {OLDER}") is None
    assert record(shop, NEWER).answer == "waiting"


@pytest.mark.parametrize("answer", ["approved", "rejected"])
def test_an_answer_that_was_given_stays(shop: Storage, answer: str) -> None:
    asked_about(shop, OLDER)
    change = {"answer": answer, "by": "pm", "at": now(), "why": "because"}
    RunRecords(shop, OLDER).save_approval(record(shop, OLDER).model_copy(update=change))
    assert replace_question(shop, NEWER, now()) is None
    assert record(shop, OLDER).answer == answer


def test_one_that_a_killed_run_left_waiting_is_replaced_too(shop: Storage) -> None:
    asked_about(shop, "run=oldest")
    asked_about(shop, OLDER)
    ended = replace_question(shop, NEWER, now())
    assert ended is not None and ended.run == OLDER
    assert record(shop, "run=oldest").replaced_by == NEWER


def test_an_older_run_asks_no_more_once_a_newer_one_has(shop: Storage) -> None:
    triggered = now()
    asked_about(shop, OLDER)
    here = (shop, OLDER, f"about {OLDER}")
    assert replaced(*here, triggered) == ""
    asked_about(shop, NEWER)
    assert replaced(*here, triggered) == f"Replaced by {NEWER}."
    assert replaced(*here, now() + timedelta(seconds=1)) == "", "somebody asks anew"
    replace_question(shop, NEWER, now(), f"about {NEWER}")
    assert replaced(*here, now()) == f"Replaced by {NEWER}."
