"""What Airflow hands over when somebody answered: whatever is strange in it is no approval."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from infra.airflow.human_approval import RETRIES, HumanApproval, answer_of

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


class Store(dict[str, Any]):
    """What Airflow keeps for a task over its tries."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self[key] = value


def put(store: Store, try_number: int, max_tries: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Let a try put its question; return how often Airflow was told the form."""
    from airflow.providers.standard.operators import hitl
    from airflow.sdk.exceptions import TaskAwaitingInput

    told: list[Any] = []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **form: told.append(form))
    asked = HumanApproval(task_id="ask", about="nobody", approvers=("pm",), hours=2)
    ti = SimpleNamespace(try_number=try_number, max_tries=max_tries, id="x")
    context: Any = {"ti": ti, "task_instance": ti, "task_state_store": store}
    with pytest.raises(TaskAwaitingInput) as parked:
        asked._wait(context)
    assert parked.value.method_name == "execute_complete"
    return len(told)


def test_only_clearing_asks_anew(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try after a crash waits on: telling Airflow the form again deletes an answer that came."""
    store = Store()
    assert put(store, 1, RETRIES, monkeypatch) == 1, "the first try"
    assert put(store, 2, RETRIES, monkeypatch) == 0, "the first one crashed"
    assert put(store, 3, 2 + RETRIES, monkeypatch) == 1, "it was cleared after two tries"
    assert put(store, 4, 2 + RETRIES, monkeypatch) == 0
    assert put(Store(), 2, RETRIES, monkeypatch) == 1, "it crashed before it could ask"
