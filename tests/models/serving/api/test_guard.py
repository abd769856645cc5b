"""The guard by itself: before an application that says what reached it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256

import httpx
import pytest

from infra.records.serving import Role, Token
from models.serving.api import guard
from models.serving.api.answers import Bytes
from models.serving.api.guard import BODY, Guard, Message, Receive, Send, TokenBook
from models.serving.metrics import Metrics

ASK = "/v1/recommendations/home"


def token(text: str, *roles: Role) -> Token:
    name = text.partition(".")[0]
    digest = sha256(text.encode()).hexdigest()
    return Token(at=datetime.now(UTC), by="a test", name=name, roles=roles, sha256=digest)


BOOK = TokenBook(
    [token("shop.a", "recommend"), token("shop.b", "events"), token("boss.c", "admin")]
)


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0.05)
    await Bytes(scope.get(BODY, b"nothing"))(scope, receive, send)


async def failing(scope: Message, receive: Receive, send: Send) -> None:
    raise KeyError("customer 7")


def client(app: guard.App = echo, most: int = 8, text: str = "shop.a") -> httpx.AsyncClient:
    guarded = Guard(app, lambda: BOOK, Metrics(), most)
    transport = httpx.ASGITransport(guarded)  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {text}"}
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


def test_tokens_are_told_by_their_hash_and_two_may_have_one_name() -> None:
    assert BOOK.find(b"shop.a") != BOOK.find(b"shop.b")
    for wrong in (b"", b"shop", b"shop.", b"shop.c", b"boss.a", b"\xff.a", b"shop.a "):
        assert BOOK.find(wrong) is None


def test_what_comes_beyond_the_bound_is_told_to_come_later() -> None:
    async def all_at_once() -> list[int]:
        async with client(most=8) as asking:
            answers = await asyncio.gather(*(asking.post(ASK, content=b"x") for _ in range(20)))
            later = await asking.post(ASK, content=b"x")
            assert all(a.headers["retry-after"] == "1" for a in answers if a.status_code == 429)
            return [answer.status_code for answer in [*answers, later]]

    statuses = asyncio.run(all_at_once())
    assert statuses[-1] == 200  # the queue is empty again
    assert statuses.count(429) >= 12
    assert statuses.count(200) >= 1


def test_health_is_told_however_much_comes() -> None:
    async def busy() -> int:
        async with client(most=1) as asking:
            work = asyncio.gather(*(asking.post(ASK, content=b"x") for _ in range(9)))
            await asyncio.sleep(0.01)
            status = (await asking.get("/health/live")).status_code
            await work
            return status

    assert asyncio.run(busy()) == 200


def test_a_wrong_token_waits_and_a_right_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "WRONG_TOKEN_SECONDS", 0.4)
    monkeypatch.setattr(guard, "MOST_WRONG_TOKENS", 3)

    async def attack() -> tuple[list[int], float, float]:
        async with client(text="shop.wrong", most=1) as wrong:
            began = time.monotonic()
            attempts = []
            for _ in range(5):
                attempts.append(asyncio.ensure_future(wrong.post(ASK, content=b"x")))
                await asyncio.sleep(0.01)
            right = {"Authorization": "Bearer shop.a"}
            assert (await wrong.post(ASK, headers=right)).status_code == 200
            quick = time.monotonic() - began
            statuses = [(await answer).status_code for answer in attempts]
            return statuses, quick, time.monotonic() - began

    statuses, quick, slow = asyncio.run(attack())
    assert sorted(statuses) == [401, 401, 401, 429, 429]
    assert quick < 0.35 < slow


async def slow_body(pieces: int, sent: list[int] | None = None) -> AsyncIterator[bytes]:
    for number in range(pieces):
        if sent is not None:
            sent.append(number)
        yield b"x" * 1024
        await asyncio.sleep(0.01)


def test_a_body_is_bounded_also_if_it_does_not_say_its_length() -> None:
    sent: list[int] = []

    async def send(pieces: int) -> httpx.Response:
        async with client() as asking:
            return await asking.post(ASK, content=slow_body(pieces, sent))

    assert len(asyncio.run(send(64)).content) == 64 * 1024
    sent.clear()
    assert asyncio.run(send(100)).status_code == 413
    assert len(sent) < 70  # nobody reads what is too much


def test_nobody_waits_for_a_body_that_comes_without_a_token() -> None:
    async def send(path: str) -> httpx.Response:
        async with client(text="") as anybody:
            return await anybody.post(path, content=slow_body(5))

    for path in ("/", "/health/live", "/openapi.json"):
        assert asyncio.run(send(path)).content == b"nothing"
    assert asyncio.run(send(ASK)).status_code == httpx.codes.UNAUTHORIZED


def test_a_body_that_does_not_arrive_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)

    async def send() -> httpx.Response:
        async with client() as asking:
            return await asking.post(ASK, content=slow_body(50))

    assert "did not arrive" in asyncio.run(send()).json()["detail"]


def test_an_error_is_answered_and_its_text_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def send() -> httpx.Response:
        async with client(failing) as asking:
            return await asking.post(ASK, content=b"x")

    answer = asyncio.run(send())
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "KeyError at " in caplog.text
    assert "customer" not in caplog.text + answer.text
