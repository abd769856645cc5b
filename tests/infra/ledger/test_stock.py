"""The stock feed: its last word on each item counts, and few records have to be read for it."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime

import pytest

from infra.errors import StorageError
from infra.ledger.stock import NOTHING, WHOLE_EVERY, change_stock, read_stock
from infra.records.serving import StockChange
from infra.storage import Storage
from infra.stores.numbered import numbers
from tests.counting_store import CountingStore

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def change(**in_stock: bool) -> StockChange:
    return StockChange(at=NOON, by="feed", in_stock=in_stock)


def test_the_last_word_on_each_item_counts(shop: Storage) -> None:
    assert read_stock(shop) is NOTHING
    for told in (change(a=False, b=True), change(a=True), change(b=False, c=True)):
        change_stock(shop, told)
    stock = read_stock(shop)
    assert (stock.last, dict(stock.in_stock)) == (3, {"a": True, "b": False, "c": True})
    assert read_stock(shop, stock) is stock


def test_what_is_known_is_not_written_again(shop: Storage) -> None:
    assert change_stock(shop, change(a=False, b=True)) == 1
    assert change_stock(shop, change(b=True)) == 1
    assert change_stock(shop, change(a=False, b=False), read_stock(shop)) == 2
    assert b'"in_stock":{"b":false}' in shop.published.read("stock/0000000002.json")


def test_a_reader_of_any_age_reads_few_records_and_knows_all(shop: Storage) -> None:
    dice, truth, stages = random.Random(1), dict[str, bool](), [NOTHING]
    for _ in range(2 * WHOLE_EVERY + 30):
        item = str(dice.randrange(40))
        truth[item] = not truth.get(item, False)
        number = change_stock(shop, change(**{item: truth[item]}), stages[-1])
        stages.append(read_stock(shop, stages[-1]))
        assert stages[-1].last == number
    assert numbers(shop.published, "stock")[0] == WHOLE_EVERY, "older ones are deleted"
    for known in stages:
        assert dict(read_stock(shop, known).in_stock) == truth
    shop.published = counting = CountingStore(shop.published)  # type: ignore[assignment]
    read_stock(shop)
    assert len(counting.requests) == 1 + 31


def test_writers_at_the_same_moment_lose_nothing(shop: Storage) -> None:
    def write(name: str) -> None:
        for number in range(40):
            change_stock(shop, change(**{f"{name}{number}": True}))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_stock(shop).in_stock) == 120


def test_what_cannot_be_read_is_an_error(shop: Storage) -> None:
    shop.published.write("stock/0000000001.json", b'{"in_stock": {"a": 1}}')
    with pytest.raises(StorageError, match=r"stock/0000000001.json cannot be read"):
        read_stock(shop)
