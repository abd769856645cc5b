"""A source may have ids that look rounded: questions and the stock may name them too."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from infra.person_keys import PersonKeys
from models.serving.api import wire
from models.serving.api.guard import BODY, TOKEN
from models.serving.routes import Routes
from tests.conftest import SECRET

ROUNDED = "5863.0"


def routes(**parts: Any) -> Routes:
    names = ("state", "served", "events", "stock", "event_secret", "metrics")
    return Routes(**{**dict.fromkeys(names), "keys": PersonKeys(SECRET), **parts})


def test_a_question_may_name_any_id() -> None:
    many = [f" {ROUNDED}", "A\0", ""]
    ask = wire.Ask(ROUNDED, ROUNDED, item_ids=many, session_items=many, exclude=many)
    asked = routes()._question("home", ask)
    assert asked.user_key == PersonKeys(SECRET).of_user(ROUNDED)
    assert asked.visitor_key == PersonKeys(SECRET).of_visitor(ROUNDED)
    assert asked.item_ids == asked.session_items == asked.exclude == (ROUNDED,)


def test_a_question_of_nobody_has_no_key() -> None:
    asked = routes()._question("home", wire.Ask(user_id="undefined", visitor_id="A\0"))
    assert (asked.user_key, asked.visitor_key) == ("", "")


def test_the_stock_may_name_any_id() -> None:
    taken = []

    async def add(item: Any) -> None:
        taken.append(item)

    body = (
        b'{"items":[{"item_id":" 5863.0","in_stock":false},{"item_id":"\\u00a0","in_stock":true}]}'
    )
    request: Any = SimpleNamespace(scope={BODY: body, TOKEN: SimpleNamespace(name="till")})
    asyncio.run(routes(stock=SimpleNamespace(add=add)).change_stock(request))
    assert taken == [("till", {ROUNDED: False})]
