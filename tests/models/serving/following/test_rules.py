"""Tokens, overrides and the stock are obeyed from the next look on, and remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.errors import StorageError
from infra.ledger.overrides import add_override
from infra.ledger.stock import change_stock
from infra.ledger.tokens import new_token, read_tokens, revoke_token
from infra.records.serving import Ending, Override, StockChange
from infra.storage import Storage
from infra.stores.opening import open_store
from models.merchandising.shop_rules import NO_RULES
from models.serving.following.remembered import Remembered
from models.serving.following.rules import RulesFollower
from models.serving.following.state import State
from models.serving.following.stock_files import StockFiles
from models.serving.home import known, stock_lock
from models.serving.metrics import Metrics

NOW = datetime.now(UTC)
BLOCK = Override(
    at=NOW,
    by="a curator",
    action="block",
    item_ids=("dress",),
    since=NOW - timedelta(hours=1),
    until=NOW + timedelta(hours=1),
    reason="recalled",
)


def follower(shop: Storage, metrics: Metrics | None = None) -> tuple[RulesFollower, State]:
    state = State()
    landing = open_store(shop.landing, shop.settings)
    files = StockFiles(shop, landing, stock_lock(shop.settings))
    kept = Remembered(known(shop.settings))
    return RulesFollower(shop, state, kept, files, metrics or Metrics()), state


def test_what_is_new_counts_from_the_next_look_on(shop: Storage) -> None:
    follow, state = follower(shop)
    follow.look()
    token = new_token(shop, "shop", ("recommend",), "a test").encode()
    assert state.tokens.find(token) is None
    add_override(shop, BLOCK)
    change_stock(shop, StockChange(at=NOW, by="a test", in_stock={"coat": False}))
    follow.look()
    found = state.tokens.find(token)
    assert found
    assert found.name == "shop"
    assert state.rules
    assert [rule.action for rule in state.rules.in_force(NOW)] == ["block"]
    assert state.rules.in_stock == {"coat": False}
    (number,) = read_tokens(shop).records
    revoke_token(shop, Ending(at=NOW, by="a test", ends=number, reason="lost"))
    before = state.rules
    follow.look()
    assert state.tokens.find(token) is None
    assert state.rules is before  # nothing is computed anew where nothing changed


def test_what_was_known_counts_after_a_restart_without_the_storage(shop: Storage) -> None:
    token = new_token(shop, "shop", ("recommend",), "a test").encode()
    add_override(shop, BLOCK)
    change_stock(shop, StockChange(at=NOW, by="a test", in_stock={"coat": False}))
    follower(shop)[0].look()
    published = Path(shop.published.address)
    published.rename(published.with_name("away"))
    published.write_text("no folder")
    follow, state = follower(shop)
    follow.look()
    assert state.tokens.find(token)
    assert state.rules
    assert len(state.rules.in_force(NOW)) == 1
    assert state.rules.in_stock == {"coat": False}


def test_a_damaged_memory_is_no_memory(shop: Storage) -> None:
    folder = known(shop.settings)
    folder.mkdir(parents=True)
    for name in ("tokens.json", "overrides.json", "stock.json", "live.json"):
        (folder / name).write_text("{")
    _, state = follower(shop)
    assert state.rules is None
    assert Remembered(folder).live() is None


@pytest.mark.parametrize("unread", ["overrides", "stock"])
def test_nothing_counts_before_all_that_hides_items_was_read(shop: Storage, unread: str) -> None:
    add_override(shop, BLOCK)
    change_stock(shop, StockChange(at=NOW, by="a test", in_stock={"coat": False}))
    record = Path(shop.published.address) / unread / "0000000001.json"
    content, metrics = record.read_bytes(), Metrics()
    record.write_text("{")
    follow, state = follower(shop, metrics)
    follow.look()
    assert state.rules is None
    age = "catwalk_last_look_timestamp_seconds"
    assert metrics.registry.get_sample_value(age, {"what": unread}) == 0  # an alert sees that
    record.write_bytes(content)
    follow.look()
    assert state.rules
    assert state.rules.in_stock == {"coat": False} and len(state.rules.in_force(NOW)) == 1


def test_that_nothing_is_wanted_and_sold_out_is_remembered_too(shop: Storage) -> None:
    follower(shop)[0].look()
    assert follower(shop)[1].rules == NO_RULES


@pytest.mark.parametrize("restarted", [False, True])
def test_no_news_of_the_stock_are_lost_in_a_folder_that_is_not_mounted(
    shop: Storage, restarted: bool
) -> None:
    change_stock(shop, StockChange(at=NOW, by="a test", in_stock={"coat": False}))
    follow, state = follower(shop)
    follow.look()
    published = Path(shop.published.address)
    published.rename(published.with_name("away"))
    published.mkdir()
    if restarted:
        follow, state = follower(shop)
    file = Path(shop.landing) / "stock" / "1.csv"
    file.parent.mkdir()
    file.write_text("item_id,in_stock\nhat,false\n")
    follow.look()
    follow.look_at_files()
    assert file.exists() and not any(published.iterdir())
    with pytest.raises(StorageError):
        change_stock(shop, StockChange(at=NOW, by="a", in_stock={"hat": False}), follow.stock)
    published.rmdir()
    published.with_name("away").rename(published)
    for _ in range(2):
        follow.look()
        follow.look_at_files()
    follow.look()
    assert state.rules
    assert state.rules.in_stock == {"coat": False, "hat": False}
