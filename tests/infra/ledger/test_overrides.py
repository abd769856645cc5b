"""Overrides and tokens: written once, ended by themselves or by a person, read on by servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from infra.errors import InputError, StorageError
from infra.ledger.overrides import add_override, end_override, read_overrides, standing
from infra.ledger.tokens import add_token, read_tokens, revoke_token, valid_tokens
from infra.records.serving import Ending, Override, Token
from infra.storage import Storage
from tests.counting_store import CountingStore

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def override(**fields: Any) -> Override:
    """Return an override in force from noon for an hour; it blocks an item everywhere."""
    of = {"at": NOON, "by": "eva", "action": "block", "item_ids": ("i1",), "reason": "it is torn"}
    return Override.model_validate({**of, "since": NOON, "until": NOON + HOUR, **fields})


def ending(number: int, at: datetime = NOON) -> Ending:
    return Ending(at=at, by="max", ends=number, reason="it is mended")


def test_an_override_is_in_force_between_its_times(shop: Storage) -> None:
    now, later = add_override(shop, override()), add_override(shop, override(since=NOON + HOUR / 2))
    known = read_overrides(shop)
    assert (now.number, later.number, known.last) == (1, 2, 2)
    before, end = NOON - HOUR, NOON + HOUR
    assert standing(known, before) == standing(known, end - HOUR / 4) == (now, later), "or to come"
    assert standing(known, end) == (), "it ends by itself"
    assert [now.in_force(at) for at in (before, NOON, end)] == [False, True, False]


def test_who_is_ended_early_ends_then(shop: Storage) -> None:
    add_override(shop, override())
    end_override(shop, ending(1, NOON + HOUR / 2))
    known = read_overrides(shop)
    assert [found.until for found in standing(known, NOON)] == [NOON + HOUR / 2]
    assert standing(known, NOON + HOUR / 2) == ()
    assert (known.endings[1].by, known.endings[1].number, known.last) == ("max", 2, 2)


@pytest.mark.parametrize(("number", "says"), [(1, "max ended 1"), (2, "no record 2"), (9, "9")])
def test_only_what_is_there_and_not_ended_can_be_ended(
    shop: Storage, number: int, says: str
) -> None:
    add_override(shop, override())
    end_override(shop, ending(1))
    with pytest.raises(InputError, match=says):
        end_override(shop, ending(number))


def test_what_ended_by_itself_is_not_ended_again(shop: Storage) -> None:
    over = add_override(shop, override())
    with pytest.raises(InputError, match="ended by itself"):
        end_override(shop, ending(1, over.until))
    assert not read_overrides(shop).endings
    assert standing(read_overrides(shop), over.until) == ()


def test_a_server_reads_only_what_is_new(shop: Storage) -> None:
    add_override(shop, override())
    known = read_overrides(shop)
    counting = CountingStore(shop.published)
    shop.published = counting  # type: ignore[assignment]
    assert read_overrides(shop, known) is known
    added = add_override(shop, override(item_ids=("i2",)))
    counting.requests.clear()
    assert read_overrides(shop, known).records[2] == added
    assert [name for name, _ in counting.requests] == ["list", "read"]


@pytest.mark.parametrize("content", [b"{}", b"no JSON", b'{"ends": 1}', b'{"number": 1}'])
def test_what_cannot_be_read_is_an_error(shop: Storage, content: bytes) -> None:
    shop.published.write("overrides/0000000001.json", content)
    with pytest.raises(StorageError, match=r"overrides/0000000001.json cannot be read"):
        read_overrides(shop)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"action": "pin"}, "a pin needs a 'place'"),
        ({"place": 1}, "nothing else has one"),
        ({"action": "pin", "place": 0}, "place"),
        ({"item_ids": ("i1", "i1")}, "named twice"),
        ({"item_ids": ()}, "item_ids"),
        ({"item_ids": ("",)}, "item_ids"),
        ({"until": NOON}, "later than 'since'"),
        ({"since": datetime(2026, 1, 1)}, "since"),
        ({"reason": ""}, "reason"),
        ({"action": "hide"}, "action"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        override(**fields)


@pytest.mark.parametrize(
    ("scope", "asked", "concerns"),
    [
        ({}, ("home", "AT", "shoes"), True),
        ({"placement": "home"}, ("home", "", ""), True),
        ({"placement": "home"}, ("cart", "", ""), False),
        ({"market": "AT"}, ("home", "AT", "shoes"), True),
        ({"market": "AT"}, ("home", "", ""), False),
        ({"market": "AT", "category": "shoes"}, ("home", "AT", "shirts"), False),
    ],
)
def test_an_override_concerns_the_questions_of_its_scope(
    scope: dict[str, str], asked: tuple[str, str, str], concerns: bool
) -> None:
    assert override(**scope).concerns(*asked) == concerns


def token(name: str) -> Token:
    return Token(at=NOON, by="ops", name=name, roles=("recommend",), sha256="0" * 64)


def test_a_revoked_token_is_no_longer_valid(shop: Storage) -> None:
    for name in ("shop", "mail"):
        add_token(shop, token(name))
    revoke_token(shop, ending(1))
    assert [(kept.number, kept.name) for kept in valid_tokens(read_tokens(shop))] == [(2, "mail")]
    with pytest.raises(InputError, match="already"):
        revoke_token(shop, ending(1))
