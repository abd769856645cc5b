"""Implicit ALS, fitted by Spark: for interactions beyond one machine's memory.

What comes back to this process is a vector per user and item, and 4 bytes per pair. The pairs
themselves pass through it only where somebody gives them as arrays, as an experiment does.
Source: Y. Hu, Y. Koren, C. Volinsky, Collaborative Filtering for Implicit Feedback Datasets, 2008.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from infra.errors import InputError
from infra.settings import load_settings
from infra.storage import Storage
from models.data.run_tables import texts
from models.recommender import (
    Interactions,
    ItemFeatures,
    ItemIds,
    Recommendations,
    UserIds,
    positions,
    require_learnable,
)
from models.recommenders.capabilities import NOBODY, Sessions, one_each
from models.recommenders.factors import Factors, not_fitted
from models.recommenders.model_files import load_parameters, real, save_parameters, whole
from models.recommenders.top_k import Vectors


class SparkALS:
    """A factor model of users and items; an item nobody had has no vector, so it comes late.

    Parameters
    ----------
    components : int
        Length of the vectors, 1 to 1024.
    iterations : int
        Times both sides are solved for, 1 to 1000.
    regularisation : float
        L2 penalty, 0 to 1000; Spark scales it by the number of pairs of a user or an item.
    alpha : float
        Confidence in a pair is 1 + alpha * weight, above 0 to 10000.
    weight_power : float
        Interaction weights are raised to this power before, 0 to 1; 0 makes all equal.
    random_state : int
        Seed; bit-identical results need one block, which is up to 500,000 pairs.

    Raises
    ------
    SettingsError
        A parameter is out of range; the message names it.
    """

    def __init__(
        self,
        *,
        components: int = 32,
        iterations: int = 10,
        regularisation: float = 0.05,
        alpha: float = 1.0,
        weight_power: float = 0.5,
        random_state: int = 7,
    ) -> None:
        self._parameters: dict[str, Any] = {
            "components": whole("components", components, 1, 1024),
            "iterations": whole("iterations", iterations, 1, 1000),
            "regularisation": real("regularisation", regularisation, 0.0, 1000.0),
            "alpha": real("alpha", alpha, 1e-9, 10_000.0),
            "weight_power": real("weight_power", weight_power, 0.0, 1.0),
            "random_state": whole("random_state", random_state, 0, 2**32 - 1),
        }
        self._factors: Factors | None = None

    def fit(self, train: Interactions, items: ItemFeatures) -> Self:
        """See `models.recommender.Recommender.fit`; writes the pairs where Spark can read them."""
        require_learnable(train, items)
        storage = Storage(load_settings())
        with storage.scratch() as scratch, storage.lake_scratch() as key:
            _write_pairs(train, scratch)
            storage.lake.store.put_folder(scratch, key)
            return self.fit_table(storage.lake.address(key), items)

    def fit_table(self, pairs: str, items: ItemFeatures) -> Self:
        """See `models.recommenders.capabilities.LearnsFromTable`."""
        from infra.spark.submit import submit
        from models.recommenders import spark_als_job

        storage = Storage(load_settings())
        with storage.lake_scratch() as key:
            submit(spark_als_job, ["--pairs", pairs, *self._arguments(storage.lake.address(key))])
            with storage.scratch() as scratch:
                folder = storage.lake.store.fetch_folder(key, scratch)
                self._factors = _assembled(folder, items)
        return self

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """See `models.recommender.Recommender.recommend`."""
        return self._fitted.recommend(users, k, exclude_seen=exclude_seen)

    def recommend_sessions(self, sessions: Sessions, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.AnswersSessions`."""
        return self._alike(np.full(len(sessions), NOBODY), sessions, k)

    def similar_items(self, items: ItemIds, k: int) -> Recommendations:
        """See `models.recommenders.capabilities.FindsSimilar`."""
        return self._alike(items, one_each(items), k)

    def save(self, folder: Path) -> None:
        """See `models.recommender.Recommender.save`."""
        self._fitted.save(folder)
        save_parameters(folder, self._parameters)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """See `models.recommender.Recommender.load`."""
        model = load_parameters(folder, cls)
        model._factors = Factors.load(folder)
        return model

    @property
    def _fitted(self) -> Factors:
        return self._factors or not_fitted(self)

    def _alike(self, asked: NDArray[np.str_], sessions: Sessions, k: int) -> Recommendations:
        return self._fitted.alike(asked, sessions, k, self._fitted.item_vectors)

    def _arguments(self, into: str) -> list[str]:
        chosen = {**self._parameters, "into": into}
        names = {"weight_power": "power", "random_state": "seed"}
        given = ((names.get(name, name), value) for name, value in chosen.items())
        return [word for name, value in given for word in (f"--{name}", str(value))]


def _write_pairs(train: Interactions, folder: Path) -> None:
    pairs = train.weights.tocoo()
    table = pa.table(
        {
            "user_key": pa.array(train.users).take(pa.array(pairs.row)),
            "item_id": pa.array(train.items).take(pa.array(pairs.col)),
            "weight": pa.array(pairs.data, pa.float32()),
        }
    )
    pq.write_table(table, folder / "pairs.parquet")


def _assembled(folder: Path, items: ItemFeatures) -> Factors:
    """Read what the job wrote; items it does not know keep zeros."""
    users = _sorted_rows(folder / "users", "user_key")
    known = _sorted_rows(folder / "items", "item_id")
    places = positions(items.items, texts(known["item_id"]))
    if (places < 0).any():
        lost = texts(known["item_id"])[places < 0][0]
        raise InputError(f"Item '{lost}' has interactions and no place.", "Read them together.")
    found = _vectors(known)
    item_vectors = np.zeros((len(items.items), found.shape[1]), dtype=np.float32)
    item_vectors[places] = found
    popularity = np.zeros(len(items.items), dtype=np.float32)
    popularity[places] = known["sold"].to_numpy()
    had = users["had"].combine_chunks()
    lengths = np.diff(had.offsets.to_numpy())
    return Factors(
        users=texts(users["user_key"]),
        items=items.items,
        user_vectors=_vectors(users),
        item_vectors=item_vectors,
        popularity=popularity,
        recommendable=items.recommendable,
        seen_starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        seen_items=places[had.flatten().to_numpy()].astype(np.int32),
    )


def _sorted_rows(folder: Path, name: str) -> pa.Table:
    files = sorted(folder.glob("*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files]).sort_by(name)


def _vectors(rows: pa.Table) -> Vectors:
    flat = rows["vector"].combine_chunks().flatten().to_numpy()
    return np.ascontiguousarray(flat.reshape(rows.num_rows, -1), dtype=np.float32)
