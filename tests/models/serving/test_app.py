"""The API over real HTTP: every route, every error, and what they leave behind."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.ledger.live_pointer import live
from infra.ledger.tokens import new_token
from infra.person_keys import PersonKeys
from tests.conftest import SECRET
from tests.models.serving.running import Running, eventually

NOW = datetime.now(UTC)


def event(**values: Any) -> dict[str, Any]:
    return {
        "event_type": "click",
        "event_time": NOW.isoformat(),
        "user_id": "customer 7",
        "item_id": "item001",
        **values,
    }


def test_an_answer_says_what_is_shown_and_why(server: Running) -> None:
    answer = server.ask("home", visitor_id="somebody", k=5)
    pointer = live(server.shop)
    assert pointer is not None
    assert answer["version"] == pointer.version
    assert answer["placement"] == "home"
    assert uuid.UUID(answer["request_id"]).version == 4
    assert [item["position"] for item in answer["items"]] == [1, 2, 3, 4, 5]
    assert {item["source"] for item in answer["items"]} == {"bestseller"}
    assert len({item["item_id"] for item in answer["items"]}) == 5
    assert "test" not in answer  # none runs; absent, not null
    assert "reason" not in answer["items"][0]
    explained = server.ask("home", visitor_id="somebody", k=1, explain=True)["items"][0]
    assert set(explained["reason"]) == {"text", "item_id", "event"}


def test_what_is_absent_has_its_default(server: Running) -> None:
    length = {place["name"]: place["length"] for place in placements(server)}["home"]
    assert len(server.ask("home")["items"]) == length


def placements(server: Running) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = server.client.get("/v1/placements").json()["placements"]
    return listed


def test_every_placement_answers(server: Running) -> None:
    names = [place["name"] for place in placements(server)]
    assert "home" in names
    for name in names:
        answer = server.ask(name, user_id="user001", item_ids=["item003"], category="coats", k=3)
        ids = [item["item_id"] for item in answer["items"]]
        assert ids
        assert len(set(ids)) == len(ids) <= 3


def test_the_served_log_has_a_line_for_each_answer_and_no_id(server: Running) -> None:
    asked = [server.ask("home", user_id=f"customer {n}", market="AT", k=2) for n in range(3)]
    wanted = {answer["request_id"] for answer in asked}

    def lines() -> list[dict[str, Any]]:
        every = map(json.loads, server.landed("served"))
        return [line for line in every if line["request_id"] in wanted]

    eventually(lambda: len(lines()) == 3)
    keys = PersonKeys(SECRET)
    for number, (line, answer) in enumerate(zip(lines(), asked, strict=True)):
        assert line["user_key"] == keys.of_user(f"customer {number}")
        assert line["items"] == answer["items"]
        assert line["market"] == "AT"
        assert line["ms"] > 0
    numbers = [line["sequence"] for line in lines()]
    assert numbers == [*range(numbers[0], numbers[0] + 3)]
    assert "customer" not in json.dumps(lines())


def test_events_are_accepted_by_each(server: Running) -> None:
    late = (NOW + timedelta(hours=1)).isoformat()
    sent = [
        event(),
        event(event_type="wink"),
        event(user_id=" "),
        event(event_time=late),
        event(event_id="mine", event_type="purchase", quantity=2, unit_price=9.5, currency="EUR"),
        event(secret="1234"),
        event(quantity=-1),
    ]
    answer = server.client.post("/v1/events", json={"events": sent})
    assert answer.status_code == httpx.codes.ACCEPTED
    told = answer.json()
    assert told["accepted"] == 2
    assert [refused["index"] for refused in told["refused"]] == [1, 2, 3, 5, 6]
    for word in ("wink", "secret", "1234", "customer"):
        assert word not in answer.text
    again = server.client.post("/v1/events", json={"events": sent[:1]})
    assert again.json() == {"accepted": 1, "refused": []}

    def landed() -> list[dict[str, Any]]:
        every = map(json.loads, server.landed("events/rest"))  # other tests send some too
        return [line for line in every if line.get("user_id") == "customer 7"]

    eventually(lambda: len(landed()) == 3)
    first, mine, repeated = landed()
    assert first == repeated  # the same event has the same id, so that it is ingested once
    assert first["event_id"].startswith("rest-")
    assert mine["event_id"] == "mine"
    assert mine["quantity"] == 2


def test_the_stock_is_obeyed_within_five_seconds(server: Running) -> None:
    first = server.ask("home", k=1)["items"][0]["item_id"]

    def is_first() -> bool:
        return bool(server.ask("home", k=1)["items"][0]["item_id"] == first)

    sold_out = {"items": [{"item_id": first, "in_stock": False}]}
    assert server.client.put("/v1/stock", json=sold_out).json() == {"items": 1}
    assert eventually(lambda: not is_first()) < 5
    stock = Path(server.shop.landing) / "stock"
    stock.mkdir(exist_ok=True)
    (stock / ".news").write_text(f"item_id,in_stock\n{first},true\n")
    (stock / ".news").rename(stock / "news.csv")
    assert eventually(is_first) < 5
    eventually(lambda: not (stock / "news.csv").exists())


def test_what_is_live_and_how_it_is(server: Running) -> None:
    pointer = live(server.shop)
    assert pointer is not None
    told = server.client.get("/v1/live").json()
    assert told["version"] == pointer.version
    assert datetime.fromisoformat(told["since"]) == pointer.at
    assert "placements" in told["card"]
    anybody = server.client_with("")
    health = anybody.get("/health/ready").json()
    assert health["status"] == "ok"
    assert health["behind_s"] < 30
    assert anybody.get("/health/live").status_code == httpx.codes.OK
    counted = server.client.get("/metrics").text
    assert 'catwalk_requests_total{route="recommendations",status="200"}' in counted
    assert 'catwalk_items_total{placement="home",source="bestseller"}' in counted


SECRETS = ("customer", "hunter2")  # that come in and never go out
HUGE = b'{"user_id": "customer' + b"x" * 65 * 1024 + b'"}'
DEEP = b'{"events": [' + b"[" * 30_000 + b"]" * 30_000 + b"]}"
REFUSED: list[tuple[str, str, bytes, int, str]] = [
    ("POST", "/v1/recommendations/home", b'{"user_id": "customer', 400, "not JSON"),
    ("POST", "/v1/recommendations/home", b'{"user_id": "customer\xff"}', 400, "not UTF-8"),
    ("POST", "/v1/recommendations/home", b"", 400, "not JSON"),
    ("POST", "/v1/recommendations/home", HUGE, 413, "more than 65536 bytes"),
    ("POST", "/v1/recommendations/home", b'{"hunter2": 1}', 422, "unknown field"),
    ("POST", "/v1/recommendations/home", b'{"user_id": 7}', 422, "Expected `str`"),
    ("POST", "/v1/recommendations/home", b'{"user_id": null}', 422, "got `null`"),
    ("POST", "/v1/recommendations/home", b'{"k": 0}', 422, ">= 1"),
    ("POST", "/v1/recommendations/home", b'{"k": 101}', 422, "<= 100"),
    ("POST", "/v1/recommendations/home", b"[]", 422, "Expected `object`"),
    ("POST", "/v1/recommendations/customer", b"{}", 404, "no placement"),
    ("POST", "/v1/customer", b"{}", 404, "no such path"),
    ("DELETE", "/v1/events", b"", 405, "not have that method"),
    ("POST", "/v1/events", b'{"events": []}', 422, "length >= 1"),
    ("POST", "/v1/events", DEEP, 400, "too deeply"),
    ("PUT", "/v1/stock", b'{"items": [{"item_id": "customer"}]}', 422, "missing required field"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "fact"), REFUSED)
def test_a_wrong_request_is_told_fact_and_cure(
    server: Running, method: str, path: str, body: bytes, status: int, fact: str
) -> None:
    answer = server.client.request(method, path, content=body)
    require_problem(answer, status, fact)
    assert not any(secret in answer.text for secret in SECRETS)


def require_problem(answer: httpx.Response, status: int, fact: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "cure"}
    assert problem["status"] == status
    assert fact in problem["detail"]
    assert problem["cure"].endswith(".")


def test_without_a_token_there_is_no_answer(server: Running) -> None:
    for client, fact in (
        (server.client_with(""), "no token"),
        (server.client_with("test.hunter2"), "not valid"),
    ):
        answer = client.post("/v1/recommendations/home", json={})
        require_problem(answer, 401, fact)
        assert answer.headers["www-authenticate"] == "Bearer"
        require_problem(client.get("/nowhere"), 401, fact)


def test_a_token_of_another_role_may_not(server: Running) -> None:
    client = server.client_with(new_token(server.shop, "listener", ("events",), "a test"))
    eventually(lambda: client.get("/v1/live").status_code == httpx.codes.OK)
    require_problem(client.post("/v1/recommendations/home", json={}), 403, "`recommend`")
    require_problem(client.put("/v1/stock", json={}), 403, "`stock`")
    assert client.post("/v1/events", json={"events": [event()]}).status_code == 202
    boss = server.client_with(new_token(server.shop, "boss", ("admin",), "a test"))
    eventually(lambda: boss.post("/v1/recommendations/home", json={}).status_code == 200)


def test_the_log_holds_no_id_and_no_token(server: Running) -> None:
    server.ask("home", user_id="customer 99")
    said = server.said()
    assert "answers, of pointer 1" in said
    assert "customer" not in said
    assert server.token not in said
    assert "/v1/recommendations" not in said
