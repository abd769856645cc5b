"""Streams a run's interactions and keeps only what evaluation needs.

For models that read the table themselves. In memory stay the items, the hold-out, the histories of
the users who are scored on it, and every id once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.errors import InputError
from infra.schemas import INTERACTIONS, ITEMS, Table
from infra.storage import Storage
from models.data.pairs import learnt
from models.data.run_tables import (
    RunTables,
    held_to_schema,
    inputs_of,
    read_table,
    require_weights,
    run_tables,
)
from models.recommender import texts


@dataclass(frozen=True)
class Outline:
    """A run without its pairs.

    Attributes
    ----------
    tables : RunTables
        Its `train` has the users of the hold-out alone; its items are complete.
    pairs, users : int
        Of the whole train part.
    """

    tables: RunTables
    pairs: int
    users: int


def read_outline(
    storage: Storage, run: str, pairs_of: Table = INTERACTIONS, items_of: Table = ITEMS
) -> Outline:
    """Read a run in batches; raises as `read_run`, but sees no pair that repeats.

    The users to score on are those of the hold-out of `interactions`, whatever is learnt from.
    """
    facts = storage.lake.manifest(pairs_of.name, run)
    inputs = inputs_of(storage, run, pairs_of, items_of)
    items = read_table(storage, items_of, run)
    with storage.scratch() as scratch:
        folder = storage.lake.store.fetch_folder(f"{INTERACTIONS.name}/{run}", scratch)
        holdout = pa.concat_tables(_rows(folder, run, "holdout"))
        folder = storage.lake.store.fetch_folder(f"{pairs_of.name}/{run}", scratch)
        scored, kept, pairs = pc.unique(holdout["user_key"]), [], 0
        users = item_ids = pa.array([], pa.string())
        for rows in _rows(folder, run, "train"):
            kept.append(rows.filter(pc.is_in(rows["user_key"], scored)))
            rows = learnt(rows)
            pairs += rows.num_rows
            users, item_ids = _with(users, rows["user_key"]), _with(item_ids, rows["item_id"])
    _require_enough(pairs, len(users), run)
    every_item = np.union1d(texts(items["item_id"]), texts(item_ids))
    tables = run_tables(pa.concat_tables(kept), items, holdout, every_item, facts)
    return Outline(replace(tables, inputs=inputs), pairs, len(users))


def _rows(folder: Path, run: str, part: str) -> Iterator[pa.Table]:
    """Give the rows of one part, a batch at a time; an empty one of each file comes first."""
    for file in sorted(folder.glob("*.parquet")):
        source = pq.ParquetFile(file)
        batches = (pa.Table.from_batches([batch]) for batch in source.iter_batches())
        for batch in chain([source.schema_arrow.empty_table()], batches):
            rows = held_to_schema(batch, INTERACTIONS, INTERACTIONS.name, run)
            require_weights(rows)
            yield rows.filter(pc.equal(rows["part"], part))


def _with(distinct: pa.Array, column: pa.ChunkedArray) -> pa.Array:
    return pc.unique(pa.chunked_array([distinct, pc.unique(column)]))


def _require_enough(pairs: int, users: int, run: str) -> None:
    if not pairs:
        raise InputError(
            f"The interactions of {run} have no row before the cut.",
            "Check CATWALK_TRAINING_WINDOW_DAYS and what was ingested.",
        )
    if users < 2:
        raise InputError("Only one user interacted.", "A recommender learns from many users.")
