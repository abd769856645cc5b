"""The questions that runs put to people, numbered: the newest may wait, all others are over.

What a person answered is in the record of the run that asked. This list says which run that is,
without looking through all of them, and when a message about a question last went out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from pydantic import AwareDatetime

from infra.ledger.run_records import RunRecords
from infra.places import QUESTIONS
from infra.records.release import ApprovalRecord
from infra.rules import Strict, parse_json
from infra.storage import Storage
from infra.stores.numbered import append, key, numbers

CURE = "Restore it from a backup of the reports."
TELL_EVERY = timedelta(hours=24)


class QuestionRecord(Strict):
    """A question as it was put to people: by which run, and whether a message about it went out.

    `asked_in` is that of the `ApprovalRecord` of the run, which has the answer.
    """

    run: str
    asked_in: str
    at: AwareDatetime
    told: bool = False


def note_question(storage: Storage, run: str, asked_in: str, now: datetime) -> QuestionRecord:
    """Add a question to the list; nobody was told of it yet.

    Raises
    ------
    StorageError
        The list cannot be read or written.
    """
    record = QuestionRecord(run=run, asked_in=asked_in, at=now)
    content = record.model_dump_json(indent=1).encode()
    append(storage.reports, QUESTIONS, lambda _: content)
    return record


def questions(storage: Storage) -> Iterator[QuestionRecord]:
    """Give all questions, the newest first, each read when it is asked for.

    Raises
    ------
    StorageError
        One of them cannot be understood.
    """
    yield from (question for _, question in _numbered(storage))


def is_to_be_told(storage: Storage, asked_in: str) -> bool:
    """Tell whether people get a message about a question of a run of Airflow.

    They do unless one about a question went out within the 24 hours before it.
    """
    _, question = _asked_in(storage, asked_in)
    if question is None:
        return True
    return not any(other.told for other in _since(storage, question.at - TELL_EVERY))


def note_told(storage: Storage, asked_in: str) -> None:
    """Write down that a message about the question of a run of Airflow went out."""
    place, question = _asked_in(storage, asked_in)
    if question is not None:
        content = question.model_copy(update={"told": True}).model_dump_json(indent=1).encode()
        storage.reports.write(place, content)


def approval_of(storage: Storage, question: QuestionRecord) -> ApprovalRecord | None:
    """Return what became of a question; None if its run has asked another one since."""
    approval = RunRecords(storage, question.run).load_approval()
    return approval if approval and approval.asked_in == question.asked_in else None


def waiting_question(storage: Storage) -> ApprovalRecord | None:
    """Return the question that waits for a person; None if none does."""
    question = next(questions(storage), None)
    approval = approval_of(storage, question) if question else None
    return approval if approval and approval.answer == "waiting" else None


def _numbered(storage: Storage) -> Iterator[tuple[str, QuestionRecord]]:
    for number in reversed(numbers(storage.reports, QUESTIONS)):
        place = key(QUESTIONS, number)
        content = storage.reports.read(place)
        yield place, parse_json(content, QuestionRecord, f"The question {place}", CURE)


def _asked_in(storage: Storage, asked_in: str) -> tuple[str, QuestionRecord | None]:
    """Return the newest question of a run of Airflow, and its key."""
    mine = ((place, asked) for place, asked in _numbered(storage) if asked.asked_in == asked_in)
    return next(mine, ("", None))


def _since(storage: Storage, moment: datetime) -> Iterator[QuestionRecord]:
    for question in questions(storage):
        if question.at <= moment:
            return
        yield question
