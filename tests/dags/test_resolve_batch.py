"""The form that decides on a stopped batch: what it offers, and what it says in words."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from infra.airflow import choices
from infra.storage import Storage


def fields(monkeypatch: pytest.MonkeyPatch, *waiting: str) -> dict[str, Any]:
    """Return the fields of the form while some batches wait."""
    import dags.resolve_batch as file

    monkeypatch.setattr(choices, "waiting_batches", lambda storage: waiting)
    params = importlib.reload(file).resolve_batch().params
    return {name: params.get_param(name) for name in params}


@pytest.fixture(autouse=True)
def as_it_was(airflow_database: None) -> Any:
    import dags.resolve_batch as file

    yield
    importlib.reload(file)


def test_the_one_batch_that_waits_is_filled_in(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = fields(monkeypatch, "batch=shop-000012")["batch"]
    assert batch.resolve() == "batch=shop-000012"
    assert batch.schema["examples"] == ["batch=shop-000012"]
    assert batch.resolve(value="batch=web-000001") == "batch=web-000001", "also one that just came"


def test_of_several_a_person_chooses(shop: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    batch = fields(monkeypatch, "batch=a-1", "batch=a-2")["batch"]
    assert batch.schema["examples"] == ["batch=a-1", "batch=a-2"]
    with pytest.raises(ParamValidationError):
        batch.resolve()


def test_every_field_says_in_a_sentence_what_it_is_for(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = fields(monkeypatch)
    assert set(found) == {"batch", "decision", "reason"}
    assert all(len(field.description.split()) > 7 for field in found.values())
    assert "A viewer sees this form and may not send it" in found["batch"].description
    assert set(found["decision"].schema["values_display"]) == {"accept", "discard"}
