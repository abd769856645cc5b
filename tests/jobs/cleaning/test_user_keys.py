"""Spark and the server make the same keys of the same ids."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from infra.person_keys import PersonKeys
from jobs.cleaning.user_keys import user_key, visitor_key
from tests.conftest import SECRET

IDS = ["7", "Jörg", "a customer of 🛒", " ", "x" * 200]


def test_spark_makes_the_keys_that_the_server_makes(spark: SparkSession) -> None:
    for secret in (SECRET, "a secret longer than a block of the hash " * 3):
        frame = spark.createDataFrame([(each,) for each in IDS], "id STRING")
        made = frame.select(
            user_key(F.col("id"), spark, secret), visitor_key(F.col("id"), spark, secret)
        ).collect()
        keys = PersonKeys(secret)
        assert [tuple(row) for row in made] == [
            (keys.of_user(each), keys.of_visitor(each)) for each in IDS
        ]
