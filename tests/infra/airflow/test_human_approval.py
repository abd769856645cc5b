"""What Airflow hands over when somebody answered: whatever is strange in it is no approval."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.airflow.human_approval import HumanApproval, answer_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "chosen_options": ["Approve"],
    "params_input": {"reason": " better\n lists ", "bundle": "ab"},
    "responded_at": NOON,
    "responded_by_user": {"id": "pm", "name": "pm"},
    "timedout": False,
}


def test_an_approval() -> None:
    found = answer_of(GOOD)
    assert (found.approved, found.by, found.at) == (True, "pm", NOON)
    assert (found.why, found.digest) == ("better lists", "ab")


STRANGE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"chosen_options": ["Reject"]}, {"approved": False, "by": "pm"}),
    ({"chosen_options": []}, {"approved": False}),
    ({"chosen_options": ["Approve", "Reject"]}, {"approved": False}),
    ({"chosen_options": None}, {"approved": False}),
    ({"timedout": True, "responded_by_user": None}, {"approved": False, "by": None}),
    ({"timedout": True}, {"approved": False, "by": None}),
    ({"error": "x", "error_type": "timeout"}, {"approved": False, "by": None}),
    ({"responded_by_user": None}, {"by": None}),
    ({"params_input": None}, {"why": "", "digest": ""}),
    ({"params_input": {"reason": None, "bundle": ["ab"]}}, {"why": "", "digest": ""}),
]


@pytest.mark.parametrize(("change", "expected"), STRANGE)
def test_a_strange_answer(change: dict[str, Any], expected: dict[str, Any]) -> None:
    found = answer_of({**GOOD, **change})
    assert {name: getattr(found, name) for name in expected} == expected


def test_the_form_has_a_default_that_rejects(airflow_database: None) -> None:
    asked = HumanApproval(
        task_id="ask", about="models.release.approve_release", approvers=("pm", "ada"), hours=2
    )
    assert asked.defaults == ["Reject"]
    assert asked.response_timeout is not None
    assert asked.response_timeout.total_seconds() == 7200
    assert [user["id"] for user in asked.assigned_users or []] == ["pm", "ada"]
    assert set(asked.params) == {"reason", "bundle"}
    assert not asked.template_fields, "text from data is no template"
