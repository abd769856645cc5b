"""Ends the question that waits for a person, when a later decision has made it void.

A later question, the choice of another candidate, and a release each do. What waited was judged
against what was live then, on older data: nobody should approve it beside what is newer.
"""

from __future__ import annotations

from datetime import UTC, datetime

from infra.ledger.questions import QuestionRecord, approval_of, questions
from infra.ledger.run_records import RunRecords
from infra.records.release import ApprovalRecord
from infra.storage import Storage


def replace_question(
    storage: Storage, run: str, before: datetime, asked_in: str = ""
) -> QuestionRecord | None:
    """Write down that a run replaces every question that waits and was asked before a moment.

    Parameters
    ----------
    run : str
        The run that asks, was chosen from, or went live.
    before : datetime
        When it did. A task that is run again later replaces nothing that was asked since.
    asked_in : str
        The id that Airflow has for the run that asks on its behalf, if one does: its own question
        stays.

    Returns
    -------
    QuestionRecord or None
        The newest question that this run has replaced, now or at an earlier try: the task that
        asks it is to be ended. None if nothing waited.
    """
    ended = None
    for question in questions(storage):
        approval = approval_of(storage, question)
        if approval is None or question.asked_in == asked_in or question.at >= before:
            continue
        if approval.answer == "waiting":
            _replace(storage, approval, run)
        elif (approval.answer, approval.replaced_by) != ("replaced", run):
            break  # answered, or replaced by another: so were all before it
        ended = ended or question
    return ended


def _replace(storage: Storage, approval: ApprovalRecord, by: str) -> None:
    change = {
        "answer": "replaced",
        "at": datetime.now(UTC),
        "why": f"Replaced by {by}.",
        "replaced_by": by,
    }
    RunRecords(storage, approval.run).save_approval(approval.model_copy(update=change))
