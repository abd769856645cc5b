"""Reads public logs of shops into what a run has: pairs before and after a cut, items, and steps.

Dunnhumby's "The Complete Journey" is a year of groceries, where households buy the same again.
Retail Rocket's log has views, carts and purchases of visitors, most of whom come once. Both are
read from a folder that nobody redistributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from infra.errors import InputError
from models.benches.public_data import online_retail, purchases
from models.data.pairs import pairs_of, past_of
from models.data.run_steps import steps_of
from models.data.run_tables import RunTables, interactions, item_features
from models.recommender import texts
from models.steps import Steps

HOLDOUT = np.timedelta64(14, "D")
HALF_LIFE = np.timedelta64(60, "D")
PAUSE = np.timedelta64(30, "m")  # a longer one ends a visit, where the log has no sessions
DAY = np.timedelta64(1, "D")
WEIGHTS = {"view": 1.0, "cart": 4.0, "purchase": 5.0}  # as jobs/event_weights.yaml has them
SUCCESS = ("cart", "purchase")
WORDS = {"addtocart": "cart", "transaction": "purchase"}
CATALOGUE = ("title", "brand", "category", "colour", "price")


@dataclass(frozen=True)
class PublicShop:
    """A public data set as the tables of a run.

    Attributes
    ----------
    tables : RunTables
    steps, later : Steps
        Before the cut, and from it on.
    """

    tables: RunTables
    steps: Steps
    later: Steps


def dunnhumby(folder: Path) -> PublicShop:
    """Read a year of groceries; lines without a quantity are no purchases."""
    files = _files(folder, "events/**/*.parquet")
    rows = pa.concat_tables([pq.read_table(file, partitioning=None) for file in files])
    rows = rows.filter(pc.greater_equal(rows["quantity"].cast(pa.float64()), 1))
    events = {
        "person_key": rows["household_id"].cast(pa.string()),
        "session": rows["basket_id"].cast(pa.string()),
        "item_id": rows["product_id"].cast(pa.string()),
        "event_type": pa.repeat("purchase", rows.num_rows),
        "event_time": rows["transaction_timestamp"].cast(pa.timestamp("us")),
    }
    (file,) = _files(folder, "items/**/*.parquet")
    products = pq.read_table(file, partitioning=None)
    category = pc.coalesce(products["product_category"], products["department"])
    return shop_of(
        pa.table(events),
        pa.table(
            {
                "item_id": products["product_id"].cast(pa.string()),
                "title": products["product_type"],
                "brand": products["manufacturer_id"].cast(pa.string()),
                "category": category,
            }
        ),
    )


def retailrocket(folder: Path) -> PublicShop:
    """Read views, carts and purchases of visitors; the log has no catalogue and no sessions."""
    kinds = {"visitorid": pa.string(), "itemid": pa.string(), "timestamp": pa.int64()}
    options = pa_csv.ConvertOptions(column_types=kinds)
    rows = pa.concat_tables(
        [
            pa_csv.read_csv(file, convert_options=options).select([*kinds, "event"])
            for file in _files(folder, "events/**/*.csv*")
        ]
    )
    words = [WORDS.get(word, word) for word in rows["event"].to_pylist()]
    events = {
        "person_key": rows["visitorid"],
        "item_id": rows["itemid"],
        "event_type": pa.array(words),
        "event_time": rows["timestamp"].cast(pa.timestamp("ms")).cast(pa.timestamp("us")),
    }
    return shop_of(pa.table(events), pa.table({"item_id": pc.unique(rows["itemid"])}))


def online_retail_shop(folder: Path) -> PublicShop:
    """Read the gift shop of `public_data`, and the visits of its known customers."""
    tables = online_retail(folder)
    rows = [row for file in _files(folder, "*.csv.gz") for row in purchases(file)]
    events = {
        "person_key": [row["user"] for row in rows],
        "item_id": [row["item"] for row in rows],
        "event_type": ["purchase"] * len(rows),
        "event_time": pa.array(
            [row["time"].replace(tzinfo=None) for row in rows], pa.timestamp("us")
        ),
    }
    steps = steps_of(_with_visits(pa.table(events)), tables.items.items)
    late = steps.times > np.datetime64(tables.cut.replace(tzinfo=None))
    return PublicShop(tables, steps.of_steps(~late), steps.of_steps(late))


def shop_of(events: pa.Table, catalogue: pa.Table) -> PublicShop:
    """Split events 14 days before the last of them; an item is known once an event names it.

    Parameters
    ----------
    events : pa.Table
        `person_key`, `item_id`, `event_type`, `event_time`; `session` where the log has it.
    catalogue : pa.Table
        `item_id` and whatever is known of the items of `CATALOGUE`.
    """
    times = events["event_time"].to_numpy().astype("datetime64[us]")
    cut = times.max() - HOLDOUT
    train = pairs(events.filter(pa.array(times < cut)), cut, "train")
    after = pairs(events.filter(pa.array(times >= cut)), cut, "holdout")
    every_item = np.unique(texts(pc.unique(train["item_id"])))
    known = interactions(train, every_item)
    tables = RunTables(
        train=known,
        past=past_of(train, known),
        items=item_features(_items(catalogue, every_item), every_item),
        holdout=pairs_of(after),
        cut=_moment(cut),
        as_of=_moment(times.max()),
    )
    steps = steps_of(_with_visits(events), every_item)
    return PublicShop(tables, steps.of_steps(steps.times < cut), steps.of_steps(steps.times >= cut))


def pairs(events: pa.Table, cut: np.datetime64, part: str) -> pa.Table:
    """Weigh events as `build_interactions` does: once a day, halved with age, added by pair."""
    days = pc.floor_temporal(events["event_time"], unit="day")
    keys = ["person_key", "item_id", "event_type"]
    once = events.append_column("day", days).group_by([*keys, "day"])
    rows = once.aggregate([("event_time", "max")])
    words, times = rows["event_type"], rows["event_time_max"].to_numpy()
    weights = np.array([WEIGHTS[word] for word in words.to_pylist()])
    weights *= 0.5 ** ((cut - times.astype("datetime64[us]")) / HALF_LIFE)
    bought = np.array(pc.equal(words, "purchase"))
    success = np.array(pc.is_in(words, pa.array(SUCCESS)))
    columns = {
        "user_key": rows["person_key"],
        "item_id": rows["item_id"],
        "weight": weights,
        "successes": success.astype(np.int32),
        "purchases": bought.astype(np.int32),
        "last_time": rows["event_time_max"],
        "bought_time": pc.if_else(pa.array(bought), rows["event_time_max"], None),
    }
    added = {"weight": "sum", "successes": "sum", "purchases": "sum"}
    added |= {"last_time": "max", "bought_time": "max"}
    summed = pa.table(columns).group_by(["user_key", "item_id"]).aggregate(list(added.items()))
    summed = summed.rename_columns(
        [name.removesuffix("_sum").removesuffix("_max") for name in summed.column_names]
    )
    return summed.append_column("part", pa.repeat(part, summed.num_rows))


def _with_visits(events: pa.Table) -> pa.Table:
    """Return the columns of the table `steps`; a pause begins a visit where the log has none."""
    order = [("person_key", "ascending"), ("event_time", "ascending"), ("item_id", "ascending")]
    rows = events.sort_by(order)
    if "session" not in rows.column_names:
        rows = rows.append_column("session", pa.array(_visits(rows).astype(str)))
    nothing = pa.nulls(rows.num_rows, pa.float64())
    columns = {
        "position": pa.array(np.arange(rows.num_rows, dtype=np.int32)),
        "quantity": nothing,
        "unit_price": nothing,
    }
    for name, column in columns.items():
        rows = rows.append_column(name, column)
    return rows


def _visits(rows: pa.Table) -> NDArray[np.int64]:
    """Give sorted rows the number of their visit."""
    persons = rows["person_key"].dictionary_encode().unify_dictionaries().combine_chunks()
    changed = np.diff(persons.indices.to_numpy()) != 0
    pauses = np.diff(rows["event_time"].to_numpy()) > PAUSE
    return np.concatenate([[0], np.cumsum(changed | pauses)])


def _items(catalogue: pa.Table, known: NDArray[np.str_]) -> pa.Table:
    rows = catalogue.filter(pc.is_in(catalogue["item_id"], pa.array(known.tolist())))
    types: dict[str, Any] = dict.fromkeys(CATALOGUE, pa.string()) | {"price": pa.float64()}
    for name, kind in types.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, kind))
    for flag in ("has_picture", "in_stock"):
        rows = rows.append_column(flag, pa.repeat(True, rows.num_rows))
    return rows


def _files(folder: Path, pattern: str) -> list[Path]:
    files = sorted(folder.glob(pattern))
    if not files:
        raise InputError(f"{folder} has no {pattern}.", "Give the folder of the data set.")
    return files


def _moment(time: np.datetime64) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(time.astype(np.int64)))
