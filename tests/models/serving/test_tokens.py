"""The program that makes, lists and revokes tokens."""

from __future__ import annotations

import sys

import pytest

from infra.errors import InputError
from infra.ledger.tokens import read_tokens, valid_tokens
from infra.storage import Storage
from models.serving import tokens
from models.serving.api.guard import TokenBook

Said = pytest.CaptureFixture[str]


def run(patch: pytest.MonkeyPatch, *arguments: str) -> None:
    patch.setattr(sys, "argv", ["tokens", *arguments])
    assert tokens.main() == 0


def test_a_token_is_shown_once_and_kept_as_a_hash(
    shop: Storage, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    run(monkeypatch, "list")
    assert "There are no tokens." in capsys.readouterr().out
    run(monkeypatch, "new", "shop-backend", "recommend", "events", "recommend")
    text = capsys.readouterr().out.splitlines()[0]
    assert text.startswith("shop-backend.")
    kept = shop.published.read("tokens/0000000001.json").decode()
    assert text.partition(".")[2] not in kept
    found = TokenBook(valid_tokens(read_tokens(shop))).find(text.encode())
    assert found
    assert found.roles == ("recommend", "events")
    run(monkeypatch, "list")
    assert "shop-backend" in capsys.readouterr().out
    run(monkeypatch, "revoke", "1", "the laptop was stolen")
    assert valid_tokens(read_tokens(shop)) == ()
    with pytest.raises(InputError):
        run(monkeypatch, "revoke", "1", "again")


def test_a_name_that_is_none_is_refused(shop: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="small letters"):
        run(monkeypatch, "new", "The Shop", "recommend")
