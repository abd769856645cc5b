"""The Spark job behind `spark_als`: fits the pairs of a Parquet folder, and writes their vectors.

Grain of what it writes: `users`, one row per user with a vector and what they had; `items`, one
row per item with a vector; `ages`, one row per item and days since users last touched it. Items
are numbered by their order as text.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pyspark.ml.feature import StringIndexer
from pyspark.ml.recommendation import ALS, ALSModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from infra.spark import session as spark_session
from infra.spark.submit import run_submitted
from models.recommenders.bestsellers import AGES

PAIRS_PER_BLOCK = 250_000  # ten blocks, Spark's default, take four times as long on a small shop
BLOCKS_PER_CORE = 4
DAY_MICROS = 24 * 60 * 60 * 1_000_000
ITERATIONS_PER_CHECKPOINT = 4  # ten iterations on end overflowed the stack of a task's reader


def read_pairs(rows: DataFrame) -> DataFrame:
    """Keep what models learn from: rows with a weight, of the train part if there are parts."""
    learnt = rows.filter("part = 'train'") if "part" in rows.columns else rows
    return learnt.filter("weight > 0").select("user_key", "item_id", "weight", "last_time")


def numbered(pairs: DataFrame) -> DataFrame:
    """Add `user` and `item`, numbers in the order of the ids: ALS asks for integers."""
    indexer = StringIndexer(
        inputCols=["user_key", "item_id"],
        outputCols=["user", "item"],
        stringOrderType="alphabetAsc",
    )
    coded = indexer.fit(pairs).transform(pairs)
    return coded.select(
        "user_key",
        "item_id",
        "weight",
        "last_time",
        F.col("user").cast("int"),
        F.col("item").cast("int"),
    )


def fit(pairs: DataFrame, chosen: argparse.Namespace) -> ALSModel:
    """Factorise numbered pairs; the confidence in a pair is 1 + alpha * weight ** power."""
    cores = pairs.sparkSession.sparkContext.defaultParallelism
    blocks = max(1, min(pairs.count() // PAIRS_PER_BLOCK, cores * BLOCKS_PER_CORE))
    als = ALS(
        rank=chosen.components,
        maxIter=chosen.iterations,
        regParam=chosen.regularisation,
        alpha=chosen.alpha,
        implicitPrefs=True,
        checkpointInterval=ITERATIONS_PER_CHECKPOINT,
        seed=chosen.seed,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
        userCol="user",
        itemCol="item",
        ratingCol="strength",
    )
    return als.fit(pairs.withColumn("strength", F.pow("weight", F.lit(chosen.power))))


def user_rows(pairs: DataFrame, vectors: DataFrame) -> DataFrame:
    """Put beside each user's vector what they had, as sorted item numbers."""
    had = pairs.groupBy("user", "user_key").agg(F.sort_array(F.collect_list("item")).alias("had"))
    return had.join(_named(vectors, "user"), "user").select("user_key", "vector", "had")


def item_rows(pairs: DataFrame, vectors: DataFrame) -> DataFrame:
    """Put beside each item's id its vector."""
    ids = pairs.select("item", "item_id").distinct()
    return ids.join(_named(vectors, "item"), "item").select("item_id", "vector")


def age_rows(pairs: DataFrame) -> DataFrame:
    """Count users by item and the age of their last touch, see `bestsellers.takers_by_age`."""
    end = pairs.select(F.max("last_time").alias("end"))
    micros = F.unix_micros("end") - F.unix_micros("last_time")
    age = F.least(F.floor(micros / F.lit(DAY_MICROS)), F.lit(AGES)).cast("int")
    aged = pairs.crossJoin(F.broadcast(end)).select("item_id", age.alias("age"))
    return aged.groupBy("item_id", "age").agg(F.count("*").alias("takers"))


def _named(vectors: DataFrame, name: str) -> DataFrame:
    return vectors.select(F.col("id").alias(name), F.col("features").alias("vector"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--pairs", required=True, help="Parquet: user_key, item_id, weight, last_time[, part]"
    )
    parser.add_argument(
        "--into", required=True, help="folder to write `users`, `items` and `ages` below"
    )
    parser.add_argument("--components", type=int, required=True)
    parser.add_argument("--iterations", type=int, required=True)
    parser.add_argument("--regularisation", type=float, required=True)
    parser.add_argument("--alpha", type=float, required=True)
    parser.add_argument("--power", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    chosen = parser.parse_args(arguments)
    spark = spark_session.session("spark_als")
    spark.sparkContext.setCheckpointDir(f"{chosen.into}/checkpoints")
    pairs = spark.read.parquet(chosen.pairs).transform(read_pairs).transform(numbered).persist()
    model = fit(pairs, chosen)
    parts = {"users": (user_rows, model.userFactors), "items": (item_rows, model.itemFactors)}
    for name, (rows, vectors) in parts.items():
        rows(pairs, vectors).write.mode("overwrite").parquet(f"{chosen.into}/{name}")
    age_rows(pairs).write.mode("overwrite").parquet(f"{chosen.into}/ages")
    pairs.unpersist()


if __name__ == "__main__":
    sys.exit(run_submitted())
