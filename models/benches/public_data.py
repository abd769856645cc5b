"""Reads public data sets as if they were tables of a run, for the benchmarks."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from infra.errors import InputError
from models.data.pairs import pairs_of, past_of
from models.data.run_tables import RunTables, interactions, item_features

PLACES = (Path("../shared/data"), Path("data"))
PRODUCT = re.compile(r"\d{5}[A-Za-z]*")  # POST, DOT, M, BANK CHARGES are no products
HOLDOUT = timedelta(days=14)  # three days leave 200 customers, and intervals that tell nothing
HALF_LIFE_DAYS = 30.0
_TIME = pa.timestamp("us", tz="UTC")
PAIR_TYPES = pa.schema(
    [
        ("user_key", pa.string()),
        ("item_id", pa.string()),
        ("part", pa.string()),
        ("weight", pa.float32()),
        ("successes", pa.int32()),
        ("purchases", pa.int32()),
        ("last_time", _TIME),
        ("bought_time", _TIME),
    ]
)
Row = dict[str, Any]


def data_folder(named: str | None) -> Path:
    """Return the folder that holds `crossvalidated` and `online_retail`.

    Raises
    ------
    InputError
        It is not there.
    """
    places = [Path(named)] if named else [Path(__file__).parents[2] / place for place in PLACES]
    for place in places:
        if (place / "crossvalidated").is_dir():
            return place.resolve()
    looked = ", ".join(map(str, places))
    raise InputError(f"There is no crossvalidated data in {looked}.", "Give its folder.")


def crossvalidated(folder: Path) -> RunTables:
    """Read who answered which question, by LightFM's own published split; tags are attributes."""
    part = {row["event_id"]: row["lightfm"] for row in _json_rows(folder / "splits.jsonl.gz")}
    names = {"train": "train", "test": "holdout"}
    rows = [
        _pair(row["user_id"], row["item_id"], names[part[row["event_id"]]], row["timestamp"])
        for row in _json_rows(folder / "events.jsonl.gz")
        if part[row["event_id"]] in names
    ]
    end = max(row["last_time"] for row in rows)  # the split is by question, not by time
    items = [_item(row["item_id"]) for row in _items(folder)]
    tables = _tables(_once(rows), items, cut=end, as_of=end)
    tags = {row["item_id"]: row["tags"] for row in _items(folder)}
    return _with_tags(tables, [tags.get(str(item), []) for item in tables.items.items])


def online_retail(folder: Path) -> RunTables:
    """Read a year of a UK gift shop: purchases by known customers, the last 14 days held out."""
    bought = [row for file in sorted(folder.glob("*.csv.gz")) for row in purchases(file)]
    end = max(row["time"] for row in bought)
    rows: dict[tuple[str, str, str], Row] = {}
    for line in bought:
        part = "holdout" if line["time"] > end - HOLDOUT else "train"
        pair = _pair(line["user"], line["item"], part, line["time"].isoformat(), weight=0.0)
        row = rows.setdefault((line["user"], line["item"], part), pair)
        row["weight"] += 0.5 ** ((end - HOLDOUT - line["time"]).days / HALF_LIFE_DAYS)
        row["last_time"] = row["bought_time"] = max(row["last_time"], pair["last_time"])
    titles = {line["item"]: line["title"] for line in bought if line["time"] <= end - HOLDOUT}
    items = [_item(name, title=title) for name, title in titles.items()]
    return _tables(rows.values(), items, cut=end - HOLDOUT, as_of=end)


def _json_rows(file: Path) -> Iterator[Row]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _items(folder: Path) -> Iterator[Row]:
    return _json_rows(folder / "items.jsonl.gz")


def purchases(file: Path) -> Iterator[Row]:
    """Give the lines of known customers who bought a product: user, item, title and time."""
    with gzip.open(file, "rt", encoding="utf-8", errors="replace") as lines:
        for row in csv.DictReader(lines):
            sold = float(row["Quantity"]) > 0 and float(row["UnitPrice"]) > 0
            if row["CustomerID"] and sold and PRODUCT.fullmatch(row["StockCode"]):
                yield {
                    "user": row["CustomerID"].removesuffix(".0"),
                    "item": row["StockCode"],
                    "title": row["Description"],
                    "time": datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC),
                }


def _pair(user: str, item: str, part: str, time: str, weight: float = 1.0) -> Row:
    moment = datetime.fromisoformat(time)
    return {
        "user_key": user,
        "item_id": item,
        "part": part,
        "weight": weight,
        "successes": 1,
        "purchases": 1,
        "last_time": moment,
        "bought_time": moment,
    }


def _item(name: str, title: str | None = None) -> Row:
    nothing = dict.fromkeys(("brand", "category", "colour", "price"))
    return {"item_id": name, "title": title, **nothing, "has_picture": True, "in_stock": True}


def _once(rows: Iterable[Row]) -> Iterable[Row]:
    return {(row["user_key"], row["item_id"], row["part"]): row for row in rows}.values()


def _tables(
    rows: Iterable[Row],
    items: list[Row],
    cut: datetime,
    as_of: datetime,
) -> RunTables:
    train = [row for row in rows if row["part"] == "train"]
    holdout = [row for row in rows if row["part"] == "holdout"]
    every_item = np.array(sorted({row["item_id"] for row in (*items, *train)}), dtype=np.str_)
    pairs, after = (pa.Table.from_pylist(part, PAIR_TYPES) for part in (train, holdout))
    known = interactions(pairs, every_item)
    text_types = {"brand": pa.string(), "category": pa.string(), "colour": pa.string()}
    text_types |= {"title": pa.string(), "price": pa.float64()}
    schema = [(name, text_types.get(name)) for name in items[0]]
    types = [
        pa.field(name, kind or (pa.string() if name == "item_id" else pa.bool_()))
        for name, kind in schema
    ]
    return RunTables(
        train=known,
        past=past_of(pairs, known),
        items=item_features(pa.Table.from_pylist(items, pa.schema(types)), every_item),
        holdout=pairs_of(after),
        cut=cut,
        as_of=as_of,
    )


def _with_tags(tables: RunTables, tags: list[list[str]]) -> RunTables:
    """Replace the attributes by tags, of which an item has several."""
    every = np.array([tag for some in tags for tag in some], dtype=np.str_)
    distinct, columns = np.unique(every, return_inverse=True)
    starts = np.concatenate([[0], np.cumsum([len(some) for some in tags])])
    ones = np.ones(len(every), dtype=np.float32)
    matrix = csr_matrix((ones, columns, starts), shape=(len(tags), len(distinct)))
    names = tuple(f"tag={name}" for name in distinct)
    return replace(tables, items=replace(tables.items, names=names, matrix=matrix))
