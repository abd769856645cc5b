"""A task that asks a person in the Airflow UI, and waits without a worker for the answer.

The answer is what Airflow itself hands to the task that asked: who was logged in when the form
was sent. It never passes an XCom, which any user may write, and marking the task as
success leaves no record of an answer.

Airflow deletes an answer when a task asks again. So a try that follows a crash does not ask: it
goes on waiting, and gets the answer if one has come. Only clearing the task asks anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from infra.airflow.defaults import Counts, task_run
from infra.airflow.report_links import report_link
from infra.asking import Answer
from infra.loading import load_named

APPROVE, REJECT = "Approve", "Reject"
REASON, DIGEST = "reason", "bundle"
ASKED = "asked"  # what a try leaves to those after it
RETRIES = 3  # after crashes, whatever other tasks get: an answer may have come


class HumanApproval(HITLOperator):
    """Is green if nobody is needed or somebody approved, and red after any other answer.

    If the question was replaced, it is skipped, and so is what follows: nobody has to do anything.

    Parameters
    ----------
    about : str
        A module with three functions of a storage, a run's folder name and the id of the run of
        Airflow that asks: `replaced`, also given when that was triggered, says why the question
        counts no longer, if so; `ask` returns a `Question`, or None if nobody is needed;
        `record_answer`, also given an `Answer`, writes it down, raises `CatwalkError` unless it
        approves, and returns what Airflow shows.
    approvers : sequence of str
        The users who may answer; Airflow refuses all others.
    hours : float
        After this time without an answer, it is a rejection by nobody.
    """

    template_fields = ()  # the question holds text from data, not templates

    def __init__(
        self, *, about: str, approvers: Sequence[str], hours: float, **options: Any
    ) -> None:
        mine: dict[str, Any] = {
            "subject": "Release?",
            "options": [APPROVE, REJECT],
            "defaults": REJECT,
            "params": _form(""),  # not those of the DAG, which Airflow would add
            "assigned_users": [{"id": name, "name": name} for name in approvers],
            "response_timeout": timedelta(hours=hours),
            "retries": RETRIES,
            "retry_delay": timedelta(seconds=5),
        }
        super().__init__(**{**options, **mine})
        self._about = about

    def execute(self, context: Context) -> Any:
        """Ask, unless nobody is needed."""
        with task_run() as run:
            replaced = load_named(f"{self._about}:replaced")
            if by := replaced(run.storage, run.key, run.id, run.triggered):
                raise AirflowSkipException(by)
            question = load_named(f"{self._about}:ask")(run.storage, run.key, run.id)
        if question is None:
            return {"answer": "nobody is needed"}
        instance = context["ti"]
        link = report_link("", instance.dag_id, instance.run_id)
        self.subject = question.subject
        self.body = f"{question.body}\n\n[The full report of this run]({link})"
        self.params = _form(question.digest)
        return self._wait(context)

    def _wait(self, context: Context) -> Any:
        """Put the form up, unless a try before this one did, and end this worker."""
        tries = context["task_state_store"]
        if _follows_a_crash(context["ti"]) and tries.get(ASKED):
            raise TaskAwaitingInput(method_name="execute_complete", timeout=self.response_timeout)
        try:
            return super().execute(context)
        except TaskAwaitingInput:
            tries.set(ASKED, True)
            raise

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Counts:
        """Write the answer down; fail unless it approves."""
        record_answer = load_named(f"{self._about}:record_answer")
        with task_run() as run:
            counts: Counts = record_answer(run.storage, run.key, answer_of(event), run.id)
        return counts


def _follows_a_crash(ti: Any) -> bool:
    """Tell whether the task ran since it was triggered or cleared, which sets the tries anew."""
    return bool(ti.try_number > ti.max_tries - RETRIES + 1)


def answer_of(event: dict[str, Any]) -> Answer:
    """Read what Airflow hands over when a form was sent, or its time is over.

    Whatever is missing or strange in it makes a rejection.
    """
    sent = event.get("params_input")
    fields = sent if isinstance(sent, dict) else {}
    person = event.get("responded_by_user")
    timed_out = bool(event.get("timedout")) or "error" in event
    return Answer(
        approved=event.get("chosen_options") == [APPROVE] and not timed_out,
        by=None if timed_out or not person else str(person["id"]),
        at=event.get("responded_at") or datetime.now(UTC),
        why=_text(fields.get(REASON)),
        digest=_text(fields.get(DIGEST)),
    )


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _form(digest: str) -> ParamsDict:
    """Return the fields of the form; the field of the digest offers no choice."""
    return ParamsDict(
        {
            REASON: Param(
                "",
                type="string",
                title="Reason",
                description="Why, in a sentence: it is kept beside your name. An approval without "
                "a reason counts as a rejection.",
            ),
            DIGEST: Param(
                digest,
                type="string",
                enum=[digest],
                title="Bundle",
                description="Leave it: your answer counts for these bytes only.",
            ),
        }
    )
