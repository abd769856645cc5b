"""Reads the tables of a run into arrays: interactions, items and the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from infra.errors import InputError
from infra.lake import inputs_id
from infra.schemas import INTERACTIONS, ITEMS, Table
from infra.storage import Storage
from infra.utc import in_utc
from models.data.pairs import Pairs, Past, learnt, pairs_of, past_of
from models.data.text_columns import coded, read_coded
from models.recommender import (
    NONE,
    Interactions,
    ItemFeatures,
    ItemIds,
    positions,
    texts,
)

PRICE_BANDS = 5  # equal shares of the catalogue, cheapest to dearest
ATTRIBUTES = ("brand", "category", "colour")
SINCE_ADDED = {  # every pair was wanted, nobody noted what was bought; items are sold everywhere
    "successes": pa.scalar(1, pa.int32()),
    "purchases": pa.scalar(0, pa.int32()),
    "bought_time": pa.scalar(None, pa.timestamp("us", tz="UTC")),
    **{name: pa.scalar(None, pa.string()) for name in ITEMS.added},
}


@dataclass(frozen=True)
class RunTables:
    """What models of one run learn from and are scored on.

    Attributes
    ----------
    train : Interactions
        Before the cut: pairs with a weight.
    past : Past
        Of the users of `train`, over their items.
    items : ItemFeatures
        As known at the cut.
    holdout : Pairs
        After the cut.
    cut, as_of : datetime
        UTC: train is before the cut, the hold-out from there to `as_of`.
    inputs : str
        The id of the tables that were read, see `inputs_of`; empty without a run.
    """

    train: Interactions
    past: Past
    items: ItemFeatures
    holdout: Pairs
    cut: datetime
    as_of: datetime
    inputs: str = ""


def read_run(
    storage: Storage, run: str, pairs: Table = INTERACTIONS, items: Table = ITEMS
) -> RunTables:
    """Read and check the tables of a run: at the cut, or `HISTORY` and `CATALOGUE`, at its end.

    Raises
    ------
    StorageError
        A table was never finished.
    InputError
        A table lacks a column or a required value, has no rows, repeats a pair or an item,
        or holds a weight that is negative or not finite.
    """
    facts = storage.lake.manifest(pairs.name, run)
    inputs = inputs_of(storage, run, pairs, items)
    rows = read_table(storage, pairs, run, by_code=("user_key", "item_id", "part"))
    _require_sound(rows)
    attributes = read_table(storage, items, run)
    past = rows.filter(pc.equal(rows["part"], "train"))
    train = learnt(past)
    if not train.num_rows:
        raise InputError(
            f"The {pairs.name} of {run} have no row before the cut.",
            "Check CATWALK_TRAINING_WINDOW_DAYS and what was ingested.",
        )
    holdout = rows.filter(pc.equal(rows["part"], "holdout"))
    every_item = np.union1d(texts(attributes["item_id"]), texts(pc.unique(train["item_id"])))
    return replace(run_tables(past, attributes, holdout, every_item, facts), inputs=inputs)


def inputs_of(storage: Storage, run: str, *tables: Table) -> str:
    """Return the id of the tables of a run as they are now; who reads rows asks before.

    Raises
    ------
    StorageError
        A table was never finished.
    """
    facts = {table.name: storage.lake.manifest(table.name, run) for table in tables}
    return inputs_id(
        {name: str(manifest.get("written_at", "")) for name, manifest in facts.items()}
    )


def run_tables(
    past: pa.Table, items: pa.Table, holdout: pa.Table, every_item: ItemIds, facts: dict[str, Any]
) -> RunTables:
    """Turn rows into the arrays of a run; `facts` is the manifest of its interactions."""
    train = interactions(learnt(past), every_item)
    return RunTables(
        train=train,
        past=past_of(past, train),
        items=item_features(items, every_item),
        holdout=pairs_of(holdout),
        cut=_moment(facts, "cut"),
        as_of=_moment(facts, "as_of"),
    )


def read_table(
    storage: Storage, table: Table, run: str, name: str = "", by_code: Sequence[str] = ()
) -> pa.Table:
    """Read a finished partition and hold it to its schema; `name` if its folder has another.

    The text columns named in `by_code` are read as dictionaries, see `text_columns`.

    Raises
    ------
    StorageError
        It was never finished.
    InputError
        A column is missing, or a required one holds a null.
    """
    place = name or table.name
    storage.lake.manifest(place, run)
    with storage.scratch() as scratch:
        folder = storage.lake.store.fetch_folder(f"{place}/{run}", scratch)
        files = sorted(folder.glob("*.parquet"))
        rows = read_coded(files, by_code)
    return held_to_schema(rows, table, place, run)


def held_to_schema(rows: pa.Table, table: Table, place: str, run: str) -> pa.Table:
    """Return the columns of a table; raise `InputError` where one is missing or holds a null.

    Columns that earlier versions did not write are filled with what was true then.
    """
    for column, value in SINCE_ADDED.items():
        if column in table.columns and column not in rows.column_names:
            rows = rows.append_column(column, pa.repeat(value, rows.num_rows))
    for column in table.columns:
        if column not in rows.column_names:
            raise InputError(f"{place} of {run} lacks the column {column}.", "Build it again.")
    for column in table.required:
        if rows[column].null_count:
            raise InputError(f"{place} of {run} holds an empty {column}.", "Build it again.")
    return rows.select(table.columns)


def interactions(rows: pa.Table, items: ItemIds) -> Interactions:
    """Turn rows of one part into arrays over the given sorted items."""
    users, user_positions = coded(rows["user_key"])
    ids, codes = coded(rows["item_id"])
    item_positions = positions(items, ids)[codes]
    order = np.lexsort((item_positions, user_positions))
    starts = np.searchsorted(user_positions[order], np.arange(len(users) + 1))
    weights = rows["weight"].to_numpy().astype(np.float32)[order]
    times = rows["last_time"].cast(pa.timestamp("us")).to_numpy()[order]
    shape = (len(users), len(items))
    matrix = csr_matrix((weights, item_positions[order], starts), shape=shape)
    return Interactions(users, items, matrix, times)


def item_features(rows: pa.Table, items: ItemIds) -> ItemFeatures:
    """Turn catalogue rows into one-hot attributes of the given sorted items.

    An item without a row has no attribute, and cannot be shown: nobody knows its picture.

    Raises
    ------
    InputError
        An item has two rows.
    """
    ids = texts(rows["item_id"])
    if len(np.unique(ids)) != len(ids):
        raise InputError("An item is in the catalogue twice.", "Build the items again.")
    places = positions(items, ids)
    blocks = [_one_hot(name, rows[name], places, len(items)) for name in ATTRIBUTES]
    blocks.append(_one_hot("price", price_bands(rows["price"]), places, len(items)))
    return ItemFeatures(
        items=items,
        names=tuple(name for names, _ in blocks for name in names),
        matrix=csr_matrix(hstack([matrix for _, matrix in blocks]), dtype=np.float32),
        has_picture=_flags(rows["has_picture"], places, len(items)),
        in_stock=_flags(rows["in_stock"], places, len(items)),
        titles=_titles(rows["title"], places, len(items)),
    )


def price_bands(prices: pa.ChunkedArray) -> pa.Array:
    """Name the band of each price by equal shares; null, negative and not finite have none.

    Examples
    --------
    >>> price_bands(pa.chunked_array([[1.0, 2.0, 3.0, 4.0, None]])).to_pylist()
    ['1', '2', '4', '5', None]
    """
    values = prices.to_numpy().astype(np.float64)
    usable = np.isfinite(values) & (values >= 0)
    if not usable.any():
        return pa.nulls(len(values), pa.string())
    edges = np.quantile(values[usable], np.linspace(0, 1, PRICE_BANDS + 1)[1:-1])
    bands = np.searchsorted(edges, values, side="right") + 1
    return pa.array([str(band) for band in bands], mask=~usable)


def _moment(facts: dict[str, Any], name: str) -> datetime:
    """Read a time of a manifest."""
    return in_utc(datetime.fromisoformat(str(facts[name])))


def require_weights(rows: pa.Table) -> None:
    """Raise `InputError` that counts the weights which are negative or not finite."""
    weights = rows["weight"].to_numpy()
    bad = int((~(np.isfinite(weights) & (weights >= 0))).sum())
    if bad:
        raise InputError(
            f"{bad} interaction weights are negative or not finite.",
            "Check jobs/event_weights.yaml and build the interactions again.",
        )


def _require_sound(rows: pa.Table) -> None:
    if not rows.num_rows:
        raise InputError("The interactions have no row.", "Check the window and the ingest.")
    require_weights(rows)
    _, places = coded(rows["user_key"])
    for column in ("item_id", "part"):
        values, codes = coded(rows[column])
        places = places * len(values) + codes
    places.sort()
    if (places[1:] == places[:-1]).any():
        raise InputError("A pair of user and item is there twice.", "Build the interactions again.")


def _one_hot(
    name: str, column: pa.ChunkedArray | pa.Array, places: NDArray[np.int64], n_items: int
) -> tuple[tuple[str, ...], csr_matrix]:
    values = np.asarray([value or "" for value in column.to_pylist()], dtype=np.str_)
    distinct = np.unique(values[values != ""])
    codes = positions(distinct, values)
    has_value = codes != NONE
    marks = np.ones(int(has_value.sum()), dtype=np.float32)
    where = (places[has_value], codes[has_value])
    matrix = csr_matrix((marks, where), shape=(n_items, len(distinct)))
    return tuple(f"{name}={value}" for value in distinct), matrix


def _flags(column: pa.ChunkedArray, places: NDArray[np.int64], n_items: int) -> NDArray[np.bool_]:
    flags = np.zeros(n_items, dtype=np.bool_)
    flags[places] = column.to_numpy()
    return flags


def _titles(column: pa.ChunkedArray, places: NDArray[np.int64], n_items: int) -> NDArray[np.str_]:
    titles = np.full(n_items, "", dtype=object)
    titles[places] = [value or "" for value in column.to_pylist()]
    return titles.astype(np.str_)
