"""The list of questions: which one waits, and when people were last told of any."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infra.errors import StorageError
from infra.ledger.questions import (
    TOLD,
    approval_of,
    is_to_be_told,
    note_question,
    note_told,
    questions,
    waiting_question,
)
from infra.ledger.run_records import RunRecords
from infra.records.release import ApprovalRecord
from infra.storage import Storage
from infra.stores.numbered import key, numbers
from tests.infra.report.test_report import NOON as AT


def save(shop: Storage, run: str, asked_in: str, answer: str = "waiting") -> ApprovalRecord:
    of = {"run": run, "candidate": "c", "manifest_sha256": "m", "asked": ("pm",), "asked_at": AT}
    record = ApprovalRecord.model_validate({**of, "asked_in": asked_in, "answer": answer})
    RunRecords(shop, run).save_approval(record)
    return record


@pytest.mark.parametrize(("fails", "told"), [(-1, [0, 24, 48]), (0, [0, 6, 30]), (24, [0, 24, 30])])
def test_people_are_told_once_a_day_however_many_questions_there_are(
    shop: Storage, fails: int, told: list[int]
) -> None:
    """A message that could not be sent does not count."""
    tried = []
    for hour in (0, 6, 12, 18, 24, 30, 48):
        note_question(shop, f"run={hour}", f"in {hour}", AT + timedelta(hours=hour))
        if is_to_be_told(shop, f"in {hour}"):
            tried.append(hour)
            if hour != fails:
                note_told(shop, f"in {hour}")
    assert tried == told
    hours = [0, 6, 12, 18, 24, 30, 48]
    sent = [hours.index(hour) + 1 for hour in told if hour != fails]
    assert numbers(shop.reports, TOLD) == sent


def test_a_question_is_written_once_also_if_people_are_told_twice(shop: Storage) -> None:
    note_question(shop, "run=1", "first", AT)
    [place] = shop.reports.list("questions")
    before = shop.reports.read(place)
    note_told(shop, "first")
    notice = shop.reports.read(key(TOLD, 1))
    note_told(shop, "first")
    assert shop.reports.read(place) == before and shop.reports.read(key(TOLD, 1)) == notice
    assert [question.asked_in for question in questions(shop)] == ["first"]


def test_a_message_that_an_earlier_catwalk_sent_counts(shop: Storage) -> None:
    """It wrote so into the question itself."""
    told = note_question(shop, "run=1", "first", AT).model_copy(update={"told": True})
    shop.reports.write("questions/0000000001.json", told.model_dump_json().encode())
    note_question(shop, "run=2", "second", AT + timedelta(hours=6))
    assert not is_to_be_told(shop, "second")


def test_a_question_without_a_number_is_told(shop: Storage) -> None:
    assert is_to_be_told(shop, "unknown")
    note_told(shop, "unknown")
    assert not list(questions(shop))


def test_the_newest_question_waits_until_it_is_answered(shop: Storage) -> None:
    assert waiting_question(shop) is None
    for run in ("run=1", "run=2"):
        save(shop, run, f"about {run}")
        note_question(shop, run, f"about {run}", AT)
    assert waiting_question(shop) == RunRecords(shop, "run=2").load_approval()
    save(shop, "run=2", "about run=2", "rejected")
    assert waiting_question(shop) is None, "the one before was replaced, whatever it says"


def test_a_run_that_asked_again_says_nothing_of_its_first_question(shop: Storage) -> None:
    first = note_question(shop, "run=1", "first", AT)
    save(shop, "run=1", "second")
    second = note_question(shop, "run=1", "second", AT)
    assert approval_of(shop, first) is None
    assert approval_of(shop, second) == RunRecords(shop, "run=1").load_approval()
    assert list(questions(shop)) == [second, first], "the newest first"


def test_a_question_that_cannot_be_read_is_an_error(shop: Storage) -> None:
    shop.reports.write("questions/0000000001.json", b"{}")
    with pytest.raises(StorageError, match="questions/0000000001.json cannot be read"):
        waiting_question(shop)
