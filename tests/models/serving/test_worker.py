"""What a worker writes for requests that come together."""

from __future__ import annotations

from infra.ledger.stock import read_stock
from infra.storage import Storage
from models.serving.metrics import Metrics
from models.serving.worker import Worker


def test_of_what_tokens_say_of_an_item_at_once_the_last_counts(shop: Storage) -> None:
    worker = Worker(shop.settings, Metrics())
    said = [("shop", True), ("warehouse", False), ("shop", True)]
    worker._change_stock([(name, {"coat": is_in, "hat": True}) for name, is_in in said])
    assert read_stock(shop).in_stock == {"coat": True, "hat": True}
