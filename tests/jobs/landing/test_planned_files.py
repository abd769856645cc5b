"""Spark's log names every file of a batch, whatever was deleted or killed between."""

from __future__ import annotations

import json

import pytest
from pyspark.sql import Row

from infra.errors import InputError
from infra.storage import Storage
from jobs.batches import books
from jobs.landing.planned_files import planned_files


def log(shop: Storage, name: str, *numbers: int) -> None:
    """Write a log of one file, `/l/a NUMBER.jsonl`, per number."""
    lines = [{"path": f"file:///l/a%20{n}.jsonl", "timestamp": 1, "batchId": n} for n in numbers]
    content = "\n".join(["v1", *map(json.dumps, lines)])
    shop.lake.store.write(f"checkpoints/shop/sources/0/{name}", content.encode())


def reach(shop: Storage, batch: int, number: int) -> None:
    content = f'v1\n{{"conf":{{}}}}\n{{"logOffset":{number}}}'
    shop.lake.store.write(f"checkpoints/shop/offsets/{batch}", content.encode())


def test_a_batch_has_the_files_up_to_where_it_goes(shop: Storage) -> None:
    for number in range(5):
        log(shop, str(number), number)
    log(shop, ".4.crc", 4)
    log(shop, "9.compact", *range(10))  # 5 to 8 were deleted since
    for batch, number in enumerate((0, 1, 3, 6, 9)):  # before the third batch came a kill
        reach(shop, batch, number)
    found = [planned_files(shop.lake, "shop", batch) for batch in range(5)]
    numbers = [[0], [1], [2, 3], [4, 5, 6], [7, 8, 9]]
    assert found == [[f"/l/a {n}.jsonl" for n in batch] for batch in numbers]


def test_a_file_without_rows_must_have_been_there_as_it_is() -> None:
    counted = [Row(file="file:///l/a.jsonl", file_size=9, count=2)]
    planned, before = ["/l/a.jsonl", "/l/b.jsonl"], {"/l/b.jsonl": 3}
    files = books.count_files(counted, planned, before, lambda: before)
    assert [tuple(file.values()) for file in files] == [("/l/a.jsonl", 9, 2), ("/l/b.jsonl", 3, 0)]
    for sizes, now, said in (
        ({}, before, "b.jsonl landed while others were read, and gave no row"),
        ({}, {}, "b.jsonl was planned for this batch and is gone"),
        (before, {}, "b.jsonl was planned for this batch and is gone"),
        (before, {"/l/b.jsonl": 0}, "b.jsonl had 3 bytes before it was read and has 0 now"),
    ):
        with pytest.raises(InputError, match=said):
            books.count_files(counted, planned, sizes, lambda now=now: now)  # type: ignore[misc]
