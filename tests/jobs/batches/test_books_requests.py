"""What the jobs ask about batches costs the same with one old batch and with many."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date

from infra.ledger.batches import BatchReader, accepted_batches, read_batches
from infra.storage import Storage
from jobs.batches import books
from jobs.batches.quarantine import Replay, is_landed
from tests.counting_store import count_requests
from tests.expectations.lake import WRITTEN
from tests.expectations.many_batches import OLD, names, put_year

MOST = 15  # pages of listings of 1,500 batches are ten of them
DAY = date.fromisoformat(WRITTEN.date().isoformat())
REPLAY = Replay(batch="b", reason="r", rows=1, by="anna", at=WRITTEN, file="replayed/x.jsonl")


def near(shop: Storage) -> int:
    reader = BatchReader(shop)
    return len(books.near_batches(reader, books.manifests(reader, "shop"), {DAY}))


ASKED: dict[str, tuple[Callable[[Storage], int], int]] = {
    "what build_interactions reads": (lambda shop: len(accepted_batches(read_batches(shop))), OLD),
    "manifests": (lambda shop: len(books.manifests(BatchReader(shop), "shop")), OLD),
    "totals": (lambda shop: books.totals(shop, "run=none")["files"], 0),
    "is_landed": (lambda shop: is_landed(shop, BatchReader(shop), REPLAY), False),
    "near_batches": (near, 31),  # of a day in each quarter from seven days before, and of its own
}


def test_no_request_is_made_for_an_old_batch(shop: Storage) -> None:
    put_year(shop)
    time.sleep(2.1)  # a file that changed just now is not in the index
    read_batches(shop)
    requests = {}
    for name, (ask, answer) in ASKED.items():
        counted = count_requests(shop)
        assert ask(shop) == answer, name
        assert not counted.about("batch="), name
        requests[name] = len(counted.requests)
    assert max(requests.values()) <= MOST, requests


def test_a_second_look_of_one_ingestion_is_a_listing(shop: Storage) -> None:
    batches = names(range(3))
    for batch in batches:
        shop.lake.commit("events", batch, {"files": []})
    time.sleep(2.1)
    counted = count_requests(shop)
    reader = BatchReader(shop)
    books.manifests(reader, "shop")
    counted.requests.clear()
    assert sorted(books.manifests(reader, "shop")) == batches
    assert counted.requests == [("stamps", "events")]
