"""A question of no consequence, and a DAG that asks it: for answers that come at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from infra.asking import Answer, Question
from infra.storage import Storage

DIGEST = "ab"
DAG_ID = "ask_early"
DAG_FILE = f'''
"""One question in each run."""
from airflow.sdk import dag

from infra.airflow.human_approval import HumanApproval


@dag(schedule=None, max_active_runs=4)
def {DAG_ID}():
    HumanApproval(task_id="ask", about="tests.early_questions", approvers=["pm"], hours=1)


{DAG_ID}()
'''


def replaced(storage: Storage, run: str, asked_in: str, triggered: datetime) -> str:
    """Say that every question counts."""
    return ""


def ask(storage: Storage, run: str, asked_in: str = "") -> Question:
    """Ask."""
    return Question("Early?", "Whoever comes first.", DIGEST)


def record_answer(storage: Storage, run: str, answer: Answer, asked_in: str = "") -> dict[str, Any]:
    """Write down who answered what."""
    storage.reports.write(f"{run}/answer", f"{answer.by}: {answer.why}".encode())
    return {"by": answer.by}
