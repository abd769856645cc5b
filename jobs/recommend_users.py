"""Writes the lists of every user: the winner's top N, scored in blocks of users, and own items.

Grain: one row per user of the run's interactions and personal placement of the shop; placements
that show customers their own items have a row for each user who has any. Placements that need more
of a question, such as an item, have no lists. Left out are, as of the run and hold-out included,
what `models/placements.yaml` says, and items that are unavailable by now, also those that were
available at the cut. The manifest of the lists names the manifest of the model that made them, by
its hash: the same name trained again is another model.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from infra.errors import InputError
from infra.ledger.run_rules import placements_of
from infra.loading import load_named
from infra.placements import LOOKED_AT, ListRule, Placement, Placements
from infra.schemas import CATALOGUE, HISTORY, INTERACTIONS, RECOMMENDATIONS, Table
from infra.settings import load_settings
from infra.spark import session as spark_session
from infra.spark.cluster import ship_folder, shipped_folder
from infra.spark.submit import run_submitted
from infra.storage import Storage
from infra.stores.object_store import MANIFEST
from infra.utc import in_utc

if TYPE_CHECKING:
    import pandas as pd

    Score = Callable[[list[str], list[Any]], pd.DataFrame]


def left_out_of(interactions: DataFrame, rules: Sequence[ListRule], as_of: datetime) -> DataFrame:
    """Say of every user what lists leave out: `user_key`, and `left_out` with ids by rule.

    Both parts of the interactions count: lists are shown after the hold-out.
    """
    ids = [F.collect_set(F.when(_is_left_out(rule, as_of), F.col("item_id"))) for rule in rules]
    return interactions.groupBy("user_key").agg(F.array(*ids).alias("left_out"))


def _is_left_out(rule: ListRule, as_of: datetime) -> Column:
    if rule.leave_out == "bought":
        return F.col("bought_time") >= F.lit(rule.bought_since(as_of))
    return F.lit(rule.leave_out == "seen")


def own_lists(
    history: DataFrame, placements: Mapping[str, Placement], as_of: datetime
) -> DataFrame:
    """Give users their own items, by the placements that show them: rows of `recommendations`.

    What a user has bought (`again`), or looked at and never bought (`looked_at`); not what was sent
    back. The most wanted comes first, of equal ones the first id, as in a bundle's histories.
    """
    shows = (F.when(_is_own(place, as_of), F.lit(name)) for name, place in placements.items())
    by_placement = history.filter("weight > 0").select(
        F.explode(F.array_compact(F.array(*shows))).alias("placement"),
        *("user_key", "item_id", "weight"),
    )
    lengths = {name: place.length for name, place in placements.items()}
    length = F.create_map(*(F.lit(word) for pair in lengths.items() for word in pair))
    best = Window.partitionBy("placement", "user_key").orderBy(F.desc("weight"), "item_id")
    first = by_placement.withColumn("_place", F.row_number().over(best)).filter(
        F.col("_place") <= length[F.col("placement")]
    )
    ordered = F.sort_array(F.collect_list(F.struct("_place", "item_id", "weight")))
    lists = first.groupBy("placement", "user_key").agg(ordered.alias("_best"))
    columns = {"item_ids": F.col("_best.item_id"), "scores": F.col("_best.weight")}
    return lists.select("placement", "user_key", *(c.alias(name) for name, c in columns.items()))


def _is_own(placement: Placement, as_of: datetime) -> Column:
    never = F.col("bought_time").isNull()
    own = never if placement.answers == LOOKED_AT else ~never
    return own & ~F.coalesce(_is_left_out(placement.rule, as_of), F.lit(False))


def top_lists(users: DataFrame, score: Score) -> DataFrame:
    """Give every user of `left_out_of` the lists that `score` makes for blocks of users."""

    def by_block(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for block in blocks:
            yield score(block["user_key"].to_list(), block["left_out"].to_list())

    return users.mapInPandas(by_block, RECOMMENDATIONS.ddl)


def scorer(
    loader: str, folder: str, lengths: Sequence[Mapping[str, int]], shown: frozenset[str]
) -> Score:
    """Return the function a worker scores with; it loads the model once per process.

    Parameters
    ----------
    loader : str
        `package.module:function`, from a model's folder and the sorted ids of the items that
        customers may be shown, to what answers with these alone.
    folder : str
        Name of the folder Spark has shipped to the workers.
    lengths : sequence of mapping of str to int
        By rule of what is left out, in the order of `left_out_of`: the placements that share it,
        and the length of their lists. They are one list, cut to length.
    shown : frozenset of str
    """

    def score(users: list[str], left_out: list[Any]) -> pd.DataFrame:
        import pandas as pd

        model = _load_once(loader, folder, shown)
        rows = [
            (name, user, ids[:length], scores[:length])
            for place, names in enumerate(lengths)
            for user, ids, scores in _lists(
                model, users, [ids[place] for ids in left_out], max(names.values())
            )
            for name, length in names.items()
        ]
        return pd.DataFrame(rows, columns=list(RECOMMENDATIONS.columns))

    return score


def _lists(
    model: Any, users: list[str], left_out: list[Any], k: int
) -> Iterator[tuple[str, list[str], list[float]]]:
    """Give every user's items and their scores, best first, without what is left out."""
    import numpy as np

    asked = np.array(users, dtype=np.str_)
    lists = model.recommend(asked, k, exclude_seen=False, seen=model.marks(left_out))
    for row, user in enumerate(users):
        ids = lists.item_ids(row)
        yield user, ids, lists.scores[row, : len(ids)].tolist()


@cache
def _load_once(loader: str, folder: str, shown: frozenset[str]) -> Any:
    import numpy as np

    return load_named(loader)(shipped_folder(folder), np.array(sorted(shown), dtype=np.str_))


def shown_now(catalogue: DataFrame) -> DataFrame:
    """Return the ids of items that customers may be shown: with a picture and in stock."""
    return catalogue.filter(F.col("has_picture") & F.col("in_stock")).select("item_id")


def recommend(
    spark: SparkSession, storage: Storage, run: str, model: str, place: str, loader: str
) -> None:
    """Write the table `recommendations` of a run with the model that lies at `place`."""
    lake, placements = storage.lake, placements_of(storage, run)
    with storage.scratch() as scratch:
        folder = lake.store.fetch_folder(place, scratch)
        sha256 = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        shipped = ship_folder(spark, folder, scratch)
        lists = lists_of(spark, storage, run, placements, loader, shipped)
        address = lake.begin("recommendations", run)
        lists.write.mode("overwrite").parquet(address)
        # here: an executor that does its first task asks for the model, whatever the task
        rows = spark.read.parquet(address).count()
    if rows == 0:
        raise InputError("No user got a list.", "Look at the interactions of the run.")
    made = {"model": model, "model_manifest_sha256": sha256, "written_at": datetime.now(UTC)}
    lake.commit("recommendations", run, {"rows": rows, **made})
    print(f"recommendations: {rows:,} lists of {len(placements.listed)} placements", flush=True)


def lists_of(
    spark: SparkSession,
    storage: Storage,
    run: str,
    placements: Placements,
    loader: str,
    folder: str,
) -> DataFrame:
    """Return the lists of all listed placements, computed when they are written."""

    def table(name: Table) -> DataFrame:
        return spark_session.read_table(spark, name, [storage.lake.address(name.name, run)])

    facts = storage.lake.manifest(INTERACTIONS.name, run)
    as_of = in_utc(datetime.fromisoformat(facts["as_of"]))
    shown = shown_now(table(CATALOGUE))
    users = left_out_of(table(INTERACTIONS), list(placements.by_rule), as_of)
    ids = frozenset(row["item_id"] for row in shown.collect())
    lists = top_lists(users, scorer(loader, folder, list(placements.by_rule.values()), ids))
    if not placements.of_history:
        return lists
    storage.lake.manifest(HISTORY.name, run)
    own = table(HISTORY).join(shown, "item_id", "left_semi")
    return lists.unionByName(own.transform(own_lists, placements.of_history, as_of))


def main(arguments: Sequence[str] | None = None) -> None:
    """Score every user of one run with one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="folder name of the run: run=...")
    parser.add_argument("--model", required=True, help="name of the candidate that won")
    parser.add_argument("--folder", required=True, help="its folder in the lake")
    parser.add_argument("--loader", required=True, help="package.module:function, see `scorer`")
    chosen = parser.parse_args(arguments)
    spark = spark_session.session("recommend_users")
    storage = Storage(load_settings())
    recommend(spark, storage, chosen.run, chosen.model, chosen.folder, chosen.loader)


if __name__ == "__main__":
    sys.exit(run_submitted())
