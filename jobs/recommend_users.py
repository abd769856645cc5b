"""The winner's top-N list for every user, scored by Spark's workers in blocks of users.

Grain: one row per user of the run's interactions. What is unavailable by now is left out, though
it was available at the cut. The manifest of the lists names the manifest of the model that made
them, by its hash: the same name trained again is another model.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from infra.errors import InputError
from infra.loading import load_named
from infra.schemas import CATALOGUE, INTERACTIONS, ITEMS, RECOMMENDATIONS
from infra.settings import load_settings
from infra.spark import session as spark_session
from infra.spark.submit import run_submitted
from infra.storage import Storage
from infra.stores.object_store import MANIFEST

if TYPE_CHECKING:
    import pandas as pd

    Score = Callable[[list[str]], pd.DataFrame]


def top_lists(users: DataFrame, score: Score) -> DataFrame:
    """Give every user (column `user_key`) the list that `score` makes for blocks of users."""

    def by_block(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for block in blocks:
            yield score(block["user_key"].to_list())

    return users.select("user_key").mapInPandas(by_block, RECOMMENDATIONS.ddl)


def scorer(loader: str, folder: str, k: int, gone: frozenset[str]) -> Score:
    """Return the function a worker scores with; it loads the model once per process.

    Parameters
    ----------
    loader : str
        `package.module:function` from a model's folder to its recommender.
    folder : str
        Name of the folder Spark has shipped to the workers.
    k : int
        Length of a list.
    gone : frozenset of str
        Items the model may name and customers may not see any more.
    """

    def score(users: list[str]) -> pd.DataFrame:
        import numpy as np
        import pandas as pd

        model = _load_once(loader, folder)
        found = model.recommend(np.array(users, dtype=np.str_), k + len(gone))
        rows = (_first(found, row, k, gone) for row in range(len(users)))
        return pd.DataFrame(
            ((user, *row) for user, row in zip(users, rows, strict=True)),
            columns=list(RECOMMENDATIONS.columns),
        )

    return score


@cache
def _load_once(loader: str, folder: str) -> Any:
    return load_named(loader)(Path(SparkFiles.get(folder)))


def _first(found: Any, row: int, k: int, gone: frozenset[str]) -> tuple[list[str], list[float]]:
    pairs = zip(found.item_ids(row), found.scores[row].tolist(), strict=False)
    kept = [pair for pair in pairs if pair[0] not in gone][:k]
    return [item for item, _ in kept], [score for _, score in kept]


def gone_since(items: DataFrame, catalogue: DataFrame) -> frozenset[str]:
    """Return the items that could be recommended at the cut and can not be now."""
    shown = F.col("has_picture") & F.col("in_stock")
    before = items.filter(shown).select("item_id")
    now = catalogue.filter(shown).select("item_id")
    return frozenset(row["item_id"] for row in before.subtract(now).collect())


def recommend(
    spark: SparkSession, storage: Storage, run: str, model: str, place: str, loader: str
) -> None:
    """Write the table `recommendations` of a run with the model that stands at `place`."""
    lake, settings = storage.lake, storage.settings
    with storage.scratch() as scratch:
        folder = lake.store.fetch_folder(place, scratch)
        sha256 = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        spark.sparkContext.addFile(str(folder), recursive=True)
        tables = {
            table.name: spark_session.read_table(spark, table, [lake.address(table.name, run)])
            for table in (INTERACTIONS, ITEMS, CATALOGUE)
        }
        gone = gone_since(tables["items"], tables["catalogue"])
        score = scorer(loader, folder.name, settings.recommendations_per_user, gone)
        users = tables["interactions"].select("user_key").distinct()
        address = lake.begin("recommendations", run)
        top_lists(users, score).write.mode("overwrite").parquet(address)
    rows = spark.read.parquet(address).count()
    if rows == 0:
        raise InputError("No user got a list.", "Look at the interactions of the run.")
    made = {"model": model, "model_manifest_sha256": sha256, "written_at": datetime.now(UTC)}
    lake.commit("recommendations", run, {"rows": rows, **made})
    print(f"recommendations: {rows:,} lists of {settings.recommendations_per_user}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Score every user of one run with one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="folder name of the run: run=...")
    parser.add_argument("--model", required=True, help="name of the candidate that won")
    parser.add_argument("--folder", required=True, help="where it stands in the lake")
    parser.add_argument("--loader", required=True, help="package.module:function, folder to model")
    given = parser.parse_args(arguments)
    spark = spark_session.session("recommend_users")
    storage = Storage(load_settings())
    recommend(spark, storage, given.run, given.model, given.folder, given.loader)


if __name__ == "__main__":
    sys.exit(run_submitted())
