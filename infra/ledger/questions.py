"""The questions that runs put to people, numbered: the newest may wait, all others are over.

What a person answered is in the record of the run that asked. This list says which run that is,
without looking through all of them. That a message about a question went out is a record of its
own, of the same number in the folder `told`: each is written once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from pydantic import AwareDatetime

from infra.ledger.run_records import RunRecords
from infra.places import QUESTIONS
from infra.records.release import ApprovalRecord
from infra.rules import Strict, parse_json
from infra.storage import Storage
from infra.stores.numbered import append, key, numbers
from infra.stores.object_store import AlreadyExistsError

CURE = "Restore it from a backup of the reports."
TOLD = f"{QUESTIONS}/told"
TELL_EVERY = timedelta(hours=24)


class QuestionRecord(Strict):
    """A question as it was put to people, and by which run.

    `asked_in` is that of the `ApprovalRecord` of the run, which has the answer. Only an earlier
    Catwalk wrote here whether a message went out, `told`.
    """

    run: str
    asked_in: str
    at: AwareDatetime
    told: bool = False


class NoticeRecord(Strict):
    """That a message about a question went out to people, and when."""

    asked_in: str
    at: AwareDatetime


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
    told, earliest = set(numbers(storage.reports, TOLD)), question.at - TELL_EVERY
    before = takewhile(lambda numbered: numbered[1].at > earliest, _numbered(storage))
    return not any(other.told or number in told for number, other in before)


def note_told(storage: Storage, asked_in: str) -> None:
    """Write down that a message about the question of a run of Airflow went out."""
    number, question = _asked_in(storage, asked_in)
    if question is not None:
        notice = NoticeRecord(asked_in=asked_in, at=datetime.now(UTC))
        with suppress(AlreadyExistsError):  # the task ran again
            storage.reports.create(key(TOLD, number), notice.model_dump_json(indent=1).encode())


def approval_of(storage: Storage, question: QuestionRecord) -> ApprovalRecord | None:
    """Return what became of a question; None if its run has asked another one since."""
    approval = RunRecords(storage, question.run).load_approval()
    return approval if approval and approval.asked_in == question.asked_in else None


def waiting_question(storage: Storage) -> ApprovalRecord | None:
    """Return the question that waits for a person; None if none does."""
    question = next(questions(storage), None)
    approval = approval_of(storage, question) if question else None
    return approval if approval and approval.answer == "waiting" else None


def _numbered(storage: Storage) -> Iterator[tuple[int, QuestionRecord]]:
    for number in reversed(numbers(storage.reports, QUESTIONS)):
        place = key(QUESTIONS, number)
        content = storage.reports.read(place)
        yield number, parse_json(content, QuestionRecord, f"The question {place}", CURE)


def _asked_in(storage: Storage, asked_in: str) -> tuple[int, QuestionRecord | None]:
    """Return the newest question of a run of Airflow, and its number."""
    mine = ((number, asked) for number, asked in _numbered(storage) if asked.asked_in == asked_in)
    return next(mine, (0, None))
