"""Small tables with the real columns, written into a lake as the jobs do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from infra.schemas import (
    CATALOGUE,
    EVENTS,
    INTERACTIONS,
    ITEMS,
    QUARANTINE,
    RECOMMENDATIONS,
    STEPS,
    Table,
)
from infra.storage import Storage

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
CUT = AS_OF - timedelta(days=3)
WRITTEN = AS_OF - timedelta(minutes=30)
SCHEMAS = {table.name: table for table in (INTERACTIONS, ITEMS, STEPS, RECOMMENDATIONS)}
Rows = list[dict[str, Any]]

_ARROW = {
    "STRING": pa.string(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "INT": pa.int32(),
    "DOUBLE": pa.float64(),
    "FLOAT": pa.float32(),
    "BOOLEAN": pa.bool_(),
    "BINARY": pa.binary(),
    "ARRAY<STRING>": pa.list_(pa.string()),
    "ARRAY<FLOAT>": pa.list_(pa.float32()),
}


def put(
    shop: Storage,
    table: Table,
    partition: str,
    rows: Rows,
    facts: Mapping[str, Any] | None = None,
    drop: str = "",
) -> None:
    """Write a partition and its manifest; `drop` names columns to leave out, between spaces."""
    kinds = {name: _ARROW[kind] for name, kind in table.kinds.items() if name not in drop.split()}
    folder = Path(shop.lake.begin(table.name, partition))
    folder.mkdir(parents=True)
    content = pa.Table.from_pylist(rows, schema=pa.schema(kinds))
    pq.write_table(content, folder / "part-00000.parquet")
    counts = {} if table is EVENTS else {"rows": len(rows)}  # books of events have "clean"
    shop.lake.commit(table.name, partition, {**counts, **(facts or {})})


def event(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "event_id": f"e{number}",
        "event_time": WRITTEN - timedelta(minutes=1),
        "event_type": "view",
        "user_key": f"u{number % 3}",
        "item_id": f"i{number % 5}",
    }
    return {**row, **changes}


def events(count: int, *more: dict[str, Any]) -> Rows:
    """Return so many good events, and more."""
    return [*(event(number) for number in range(count)), *more]


def put_batch(shop: Storage, batch: str, rows: Rows, drop: str = "", **facts: Any) -> None:
    """Write a batch of events as ingestion does; `facts` change its books, which add up."""
    times = [row["event_time"] for row in rows if row["event_time"]]
    quarantined = facts.get("quarantined", {})
    manifest = {
        "source": batch.removeprefix("batch=").rsplit("-", 1)[0],
        "run": "run=ingesting",
        "rows_read": len(rows) + sum(quarantined.values()),
        "quarantined": quarantined,
        "duplicates": 0,
        "not_events": {},
        "last_event": max(times, default=None),
        "written_at": WRITTEN,
    }
    refused = [
        {"reason": reason, "raw": b"raw", "file": "/landing/bad.jsonl", "source": "shop"}
        for reason in quarantined
    ]
    put(shop, QUARANTINE, batch, refused)
    books = {**manifest, **facts}
    others = (*books["quarantined"].values(), *books["not_events"].values())
    books.setdefault("clean", books["rows_read"] - books["duplicates"] - sum(others))
    put(shop, EVENTS, batch, rows, books, drop)


def item(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "item_id": f"i{number}",
        "title": f"Coat {number}",
        "brand": None,
        "category": "coats",
        "colour": "red",
        "price": 10.0,
        "has_picture": True,
        "in_stock": True,
        "updated_at": CUT - timedelta(days=1),
    }
    return {**row, **changes}


def items(count: int, *more: dict[str, Any]) -> Rows:
    return [*(item(number) for number in range(count)), *more]


def put_items(
    shop: Storage,
    run: str,
    rows: Rows,
    catalogue: Rows | None = None,
    drop: str = "",
    about: Mapping[str, Any] | None = None,
    **facts: Any,
) -> None:
    """Write the items of a run, and its catalogue: the same unless given; `about` is told of it."""
    facts |= {"catalogue": about} if about else {}
    known = {"cut": CUT, "as_of": AS_OF, "refused": {}, "rows_read": len(rows), **facts}
    put(shop, ITEMS, run, rows, known, drop)
    put(shop, CATALOGUE, run, rows if catalogue is None else catalogue, known)


def pair(user: int, item: int, **changes: Any) -> dict[str, Any]:
    row = {
        "user_key": f"u{user}",
        "item_id": f"i{item}",
        "part": "train",
        "weight": 1.0,
        "events": 1,
        "successes": 1,
        "purchases": 0,
        "last_time": CUT - timedelta(hours=1),
    }
    return {**row, **changes}


def held_out(user: int, item: int, **changes: Any) -> dict[str, Any]:
    return pair(user, item, part="holdout", last_time=CUT, **changes)


def pairs(users: Iterable[int], items: Iterable[int]) -> Rows:
    """Return one pair per user and item."""
    chosen = list(items)
    return [pair(user, item) for user in users for item in chosen]


def put_interactions(
    shop: Storage, run: str, rows: Rows, drop: str = "", **more: Mapping[str, int]
) -> None:
    facts = {"cut": CUT, "as_of": AS_OF, **more}
    put(shop, INTERACTIONS, run, rows, facts, drop)


def step(number: int, **changes: Any) -> dict[str, Any]:
    """Return the second step of a visit of two events before the cut; even numbers: the first."""
    row = {
        "person_key": f"u{number // 2}",
        "session": "visit 1",
        "position": number % 2,
        "item_id": f"i{number % 5}",
        "event_type": "view",
        "event_time": CUT - timedelta(hours=1) + timedelta(minutes=number % 2),
        "part": "train",
    }
    return {**row, **changes}


def steps(count: int, *more: dict[str, Any]) -> Rows:
    """Return so many events of visits of two, and more."""
    return [*(step(number) for number in range(count)), *more]


def put_steps(shop: Storage, run: str, rows: Rows, drop: str = "") -> None:
    put(shop, STEPS, run, rows, {"cut": CUT, "as_of": AS_OF}, drop)


def top(user: int, ids: Iterable[int], **changes: Any) -> dict[str, Any]:
    """Return the list of a user, with falling scores."""
    shown = [f"i{number}" for number in ids]
    scores = [float(len(shown) - place) for place in range(len(shown))]
    row = {"placement": "home", "user_key": f"u{user}", "item_ids": shown, "scores": scores}
    return {**row, **changes}


def put_lists(shop: Storage, run: str, rows: Rows, drop: str = "") -> None:
    put(shop, RECOMMENDATIONS, run, rows, drop=drop)
