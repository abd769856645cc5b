"""Implicit ALS, fitted by Spark: for interactions beyond one machine's memory.

What comes back to this process is a vector per user and item, and 4 bytes per pair. The pairs
themselves pass through it only where somebody gives them as arrays, as an experiment does.
Source: Y. Hu, Y. Koren, C. Volinsky, Collaborative Filtering for Implicit Feedback Datasets, 2008.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from infra.errors import InputError
from infra.rules import Strict
from infra.settings import load_settings
from infra.storage import Storage
from models.recommender import (
    Interactions,
    ItemFeatures,
    ItemIds,
    positions,
    require_learnable,
    texts,
)
from models.recommenders.bestsellers import AGES, Takers, of_takers
from models.recommenders.factors import Factors
from models.recommenders.top_k import Vectors


class SparkALS(Strict):
    """A factor model of users and items; an item that no user had has no vector and ranks last.

    Spark scales the L2 penalty by the number of pairs of a user or an item. Bit-identical results
    need one block, which is up to 500,000 pairs.
    """

    components: int = Field(32, ge=1, le=1024, description="length of the vectors")
    iterations: int = Field(10, ge=1, le=1000, description="times both sides are solved for")
    regularisation: float = Field(0.05, ge=0, le=1000, description="L2 penalty")
    alpha: float = Field(
        1.0, ge=1e-9, le=10_000, description="the confidence in a pair is 1 + alpha * weight"
    )
    weight_power: float = Field(
        0.5, ge=0, le=1, description="weights are raised to this power before; 0 makes all equal"
    )
    random_state: int = Field(7, ge=0, le=2**32 - 1, description="seed")

    def fit(self, train: Interactions, items: ItemFeatures) -> Factors:
        """See `models.recommender.Recipe.fit`; writes the pairs where Spark can read them."""
        require_learnable(train, items)
        storage = Storage(load_settings())
        with storage.scratch() as scratch, storage.lake_scratch() as key:
            _write_pairs(train, scratch)
            storage.lake.store.put_folder(scratch, key)
            return self.fit_table(storage.lake.address(key), items)

    def fit_table(self, pairs: str, items: ItemFeatures) -> Factors:
        """See `models.recommenders.capabilities.LearnsFromTable`."""
        from infra.spark.submit import submit
        from models.recommenders import spark_als_job

        storage = Storage(load_settings())
        with storage.lake_scratch() as key:
            submit(spark_als_job, ["--pairs", pairs, *self._arguments(storage.lake.address(key))])
            with storage.scratch() as scratch:
                folder = storage.lake.store.fetch_folder(key, scratch)
                return _assembled(folder, items)

    @classmethod
    def load(cls, folder: Path) -> Factors:
        """See `models.recommender.Recipe.load`."""
        return Factors.load(folder)

    def _arguments(self, into: str) -> list[str]:
        words = {"weight_power": "power", "random_state": "seed"}
        values = {**self.model_dump(), "into": into}
        pairs = ((words.get(name, name), value) for name, value in values.items())
        return [word for name, value in pairs for word in (f"--{name}", str(value))]


def _write_pairs(train: Interactions, folder: Path) -> None:
    pairs = train.weights.tocoo()
    table = pa.table(
        {
            "user_key": pa.array(train.users).take(pa.array(pairs.row)),
            "item_id": pa.array(train.items).take(pa.array(pairs.col)),
            "weight": pa.array(pairs.data, pa.float32()),
            "last_time": pa.array(train.last_times, pa.timestamp("us", tz="UTC")),
        }
    )
    pq.write_table(table, folder / "pairs.parquet")


def _assembled(folder: Path, items: ItemFeatures) -> Factors:
    """Read what the job wrote; items it does not know keep zeros."""
    users = _sorted_rows(folder / "users", "user_key")
    had_by_users = _sorted_rows(folder / "items", "item_id")
    places = positions(items.items, texts(had_by_users["item_id"]))
    if (places < 0).any():
        lost = texts(had_by_users["item_id"])[places < 0][0]
        raise InputError(f"Item '{lost}' has interactions and no place.", "Read them together.")
    vectors = _vectors(had_by_users)
    item_vectors = np.zeros((len(items.items), vectors.shape[1]), dtype=np.float32)
    item_vectors[places] = vectors
    had = users["had"].combine_chunks()
    lengths = np.diff(had.offsets.to_numpy())
    return Factors(
        users=texts(users["user_key"]),
        items=items.items,
        user_vectors=_vectors(users),
        item_vectors=item_vectors,
        popularity=of_takers(_takers(folder / "ages", items.items)),
        recommendable=items.recommendable,
        seen_starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        seen_items=places[had.flatten().to_numpy()].astype(np.int32),
    )


def _takers(folder: Path, items: ItemIds) -> Takers:
    rows = _sorted_rows(folder, "item_id")
    by_age = np.zeros((AGES + 1, len(items)), dtype=np.int64)
    columns = positions(items, texts(rows["item_id"]))
    by_age[rows["age"].to_numpy(), columns] = rows["takers"].to_numpy()
    return by_age


def _sorted_rows(folder: Path, name: str) -> pa.Table:
    files = sorted(folder.glob("*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files]).sort_by(name)


def _vectors(rows: pa.Table) -> Vectors:
    flat = rows["vector"].combine_chunks().flatten().to_numpy()
    return np.ascontiguousarray(flat.reshape(rows.num_rows, -1), dtype=np.float32)
