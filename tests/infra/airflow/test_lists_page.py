"""The page What customers see inside Airflow: who may look, what is noted, and what is not kept."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from infra.person_keys import PersonKeys
from infra.storage import Storage
from tests.infra.airflow.test_pages import analyst, pages, web  # noqa: F401 - fixtures
from tests.models.serving.conftest import publish_first

LISTS = "/catwalk/lists"
BY = "models.serving.show_lists:ListsOnShow"
RAW = "anna@shop.example"


@pytest.fixture
def manager(
    monkeypatch: pytest.MonkeyPatch,
    pages: TestClient,  # noqa: F811
    shop: Storage,
) -> TestClient:
    """Return the browser of a product manager, on a shop with one version."""
    monkeypatch.setenv("CATWALK_SHOW_LISTS_BY", BY)
    publish_first(shop)
    login = {"username": "pm", "password": "pm"}
    token = pages.post("/auth/token", json=login).json()["access_token"]
    pages.cookies.set("_token", token)
    return pages


def test_only_who_may_start_runs_may_look(
    analyst: TestClient,  # noqa: F811
    shop: Storage,
) -> None:
    for answer in (analyst.get(LISTS), analyst.post(LISTS, data={"placement": "home"})):
        assert answer.status_code == 403 and "may not see this page" in answer.text
    analyst.cookies.clear()
    assert analyst.get(LISTS).status_code == analyst.post(LISTS, data={}).status_code == 401
    assert shop.reports.list("looks") == []


def test_who_looks_at_a_person_is_noted_without_the_id(manager: TestClient, shop: Storage) -> None:
    form = manager.get(LISTS)
    assert form.status_code == 200 and '<option value="product_page">' in form.text
    assert "form-action 'self'" in form.headers["content-security-policy"]
    asked = {"placement": "home", "who": "user", "person": RAW}
    page = manager.post(LISTS, data=asked)
    assert page.status_code == 200 and "No version knows this person" in page.text
    (name,) = shop.reports.list("looks")
    record = json.loads(shop.reports.read(name))
    key = PersonKeys(shop.settings.user_key_secret.get_secret_value()).of_user(RAW)
    assert (record["by"], record["about"], record["key_begins"]) == ("pm", "user", key[:8])
    assert record["placement"] == "home" and len(record["versions"]) == 1
    assert "anna" not in page.text + json.dumps(record) and key not in page.text
    known = manager.post(LISTS, data={"placement": "home", "who": "key", "person": "user001"})
    assert "No version knows" not in known.text and "item0" in known.text
    assert len(shop.reports.list("looks")) == 2


def test_items_and_strangers_are_nobody(manager: TestClient, shop: Storage) -> None:
    page = manager.post(LISTS, data={"placement": "product_page", "items": "item001"})
    assert "Like the item" in page.text
    file = manager.post(LISTS, data={"placement": "home", "format": "csv"})
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.text.splitlines()[1].startswith("live now,2")
    assert shop.reports.list("looks") == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"placement": "basket"}, "no such placement"),
        ({"placement": "home", "who": "user"}, "Say both"),
        ({"placement": "home", "person": RAW}, "Say both"),
    ],
)
def test_a_form_that_cannot_be_used_is_refused(
    manager: TestClient, shop: Storage, asked: dict[str, str], said: str
) -> None:
    answer = manager.post(LISTS, data=asked)
    assert answer.status_code == 422 and said in answer.text and RAW not in answer.text
    assert shop.reports.list("looks") == []


def test_nothing_is_shown_where_the_look_cannot_be_noted(
    manager: TestClient, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.reports.write("looks", b"a file in the way of the folder")
    answer = manager.post(LISTS, data={"placement": "home", "who": "key", "person": "user001"})
    assert answer.status_code == 503 and "item0" not in answer.text


def test_an_airflow_without_an_answerer_says_what_to_set(
    manager: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CATWALK_SHOW_LISTS_BY")
    assert "Set CATWALK_SHOW_LISTS_BY" in manager.get(LISTS).text
