"""Reading a run for a model that reads the pairs by itself: in batches, and only what judges it.

In memory stay the items, the hold-out, the histories of the users judged, and every id once.
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
from models.data.run_tables import (
    RunTables,
    held_to_schema,
    read_table,
    require_weights,
    run_tables,
    texts,
    written_at,
)


@dataclass(frozen=True)
class Outline:
    """What is known of a run without holding its pairs.

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

    The users to judge by are those of the hold-out of `interactions`, whatever is learnt from.
    """
    facts = storage.lake.manifest(pairs_of.name, run)
    written = written_at(storage, run, pairs_of, items_of)
    items = read_table(storage, items_of, run)
    with storage.scratch() as scratch:
        folder = storage.lake.store.fetch_folder(f"{INTERACTIONS.name}/{run}", scratch)
        holdout = pa.concat_tables(_rows(folder, run, "holdout"))
        folder = storage.lake.store.fetch_folder(f"{pairs_of.name}/{run}", scratch)
        judged, kept, pairs = pc.unique(holdout["user_key"]), [], 0
        users = known = pa.array([], pa.string())
        for rows in _rows(folder, run, "train"):
            kept.append(rows.filter(pc.is_in(rows["user_key"], judged)))
            pairs += rows.num_rows
            users, known = _with(users, rows["user_key"]), _with(known, rows["item_id"])
    _require_enough(pairs, len(users), run)
    every_item = np.union1d(texts(items["item_id"]), texts(known))
    tables = run_tables(pa.concat_tables(kept), items, holdout, every_item, facts)
    return Outline(replace(tables, written=written), pairs, len(users))


def _rows(folder: Path, run: str, part: str) -> Iterator[pa.Table]:
    """Give the rows of one part, a batch at a time; an empty one of each file comes first."""
    for file in sorted(folder.glob("*.parquet")):
        source = pq.ParquetFile(file)
        batches = (pa.Table.from_batches([batch]) for batch in source.iter_batches())
        for batch in chain([source.schema_arrow.empty_table()], batches):
            rows = held_to_schema(batch, INTERACTIONS, INTERACTIONS.name, run)
            require_weights(rows)
            yield rows.filter(pc.equal(rows["part"], part))


def _with(known: pa.Array, column: pa.ChunkedArray) -> pa.Array:
    return pc.unique(pa.chunked_array([known, pc.unique(column)]))


def _require_enough(pairs: int, users: int, run: str) -> None:
    if not pairs:
        raise InputError(
            f"The interactions of {run} have no row before the cut.",
            "Check CATWALK_TRAINING_WINDOW_DAYS and what was ingested.",
        )
    if users < 2:
        raise InputError("Only one user interacted.", "A recommender learns from many users.")
