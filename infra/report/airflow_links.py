"""Where in Airflow people answer and decide, below the address of the Airflow itself."""

from __future__ import annotations

from urllib.parse import quote

from infra.records.release import ApprovalRecord

RELEASE_DAG, ASKS = "release_candidate", "approve_release"
RESOLVE, ROLL_BACK = "/dags/resolve_batch", "/dags/roll_back_release"
START_AB_TEST, DECIDE_AB_TEST = "/dags/start_ab_test", "/dags/decide_ab_test"


def answer_link(record: ApprovalRecord) -> str:
    """Return where a question is answered; empty where an earlier Catwalk did not note it.

    >>> answer_link(ApprovalRecord.model_construct(asked_in="asked__2026:1"))
    '/dags/release_candidate/runs/asked__2026%3A1/tasks/approve_release/required_actions'
    """
    if not record.asked_in:
        return ""
    run = quote(record.asked_in, safe="")
    return f"/dags/{RELEASE_DAG}/runs/{run}/tasks/{ASKS}/required_actions"
