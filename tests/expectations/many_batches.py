"""A lake that ingested every six hours for a year, made in a second: its batches share one file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from infra.records.gates import GATE
from infra.schemas import CATALOGUE, EVENTS, QUARANTINE
from infra.storage import Storage
from tests.expectations.lake import AS_OF, WRITTEN, event, events, items, put, put_batch

OLD = 1500


def names(numbers: Iterable[int]) -> list[str]:
    return [f"batch=shop-{number:06d}" for number in numbers]


def put_year(shop: Storage) -> None:
    """Write old batches, six hours apart, all accepted by their gates, and catalogues of runs."""
    put(shop, EVENTS, "first", [event(n, event_id=f"old{n}") for n in range(10)])
    put(shop, QUARANTINE, "first", [])
    put(shop, CATALOGUE, "first", items(5))
    for number, batch in enumerate(names(range(OLD))):
        written = WRITTEN - timedelta(hours=6 * (OLD - number))
        bound = {"run": f"run={number}", "written_at": written}
        _finish(shop, "events", batch, number, {**_facts(number, written), **bound})
        _finish(shop, "quarantine", batch, number, {})
        _finish(shop, "catalogue", f"run={number}", number, {"as_of": written, "rows": 5})
        decision = {"decision": "accepted", "by": GATE, "at": written, **bound}
        _write(shop, f"decisions/events_by_gate/{batch}.json", decision)
    for table in ("events", "quarantine", "catalogue"):
        shop.lake.store.delete_folder(f"{table}/first")


def _facts(number: int, written: datetime) -> dict[str, Any]:
    return {
        "source": "shop",
        "files": [{"file": f"/landing/{number}.jsonl", "bytes": 1, "rows": 10}],
        "rows_read": 10,
        "clean": 10,
        "not_events": {},
        "quarantined": {},
        "duplicates": 0,
        "last_event": written,
        "days": [written.date().isoformat()],
    }


def put_new(shop: Storage, batches: Iterable[str], run: str) -> None:
    """Write new batches as one run ingests them."""
    for number, batch in enumerate(batches):
        time = AS_OF - timedelta(hours=1)
        rows = events(10, event(11, event_id=f"{batch}{number}", event_time=time))
        put_batch(shop, batch, rows, run=run, written_at=AS_OF - timedelta(minutes=20))


def _finish(
    shop: Storage, table: str, partition: str, number: int, manifest: dict[str, Any]
) -> None:
    """Write a manifest, and for the batches that a gate opens, the newest, a table beside it."""
    _write(shop, f"{table}/{partition}/_manifest.json", manifest)
    if number > OLD - 60:
        first = Path(shop.lake.address(table, "first", "part-00000.parquet"))
        os.link(first, Path(shop.lake.address(table, partition, "part-00000.parquet")))


def _write(shop: Storage, key: str, facts: dict[str, Any]) -> None:
    """Write as the store does, without a hidden name first: that would take ten seconds."""
    path = Path(shop.lake.address(key))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, default=datetime.isoformat))
