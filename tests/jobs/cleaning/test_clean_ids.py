"""Spark cleans ids as the server does."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from infra.ids import IdForm, clean_id
from jobs.cleaning.clean_ids import clean_ids
from tests.infra.nasty_ids import NASTY, PLAIN


def test_spark_cleans_ids_as_the_server_does(spark: SparkSession) -> None:
    texts = [*NASTY, *PLAIN]
    rows = [("raw", text, text, text, "plain") for text in texts]
    frame = spark.createDataFrame(
        rows, "_raw STRING, a STRING, number STRING, text STRING, b STRING"
    )
    forms: dict[str, IdForm] = {"a": "plain", "number": "number", "text": "text", "b": "plain"}
    without_numbers: dict[str, IdForm] = {"a": "plain", "b": "plain"}  # only odd rows are cleaned
    for asked in (forms, without_numbers):
        cleaned = frame.withColumn("came", F.col("a")).transform(clean_ids, asked, "refused")
        found = {
            row["came"]: ([row[name] for name in asked], row["refused"] or [])
            for row in cleaned.collect()
        }
        wanted = {}
        for text in texts:
            ids = {name: clean_id("plain" if name == "b" else text, asked[name]) for name in asked}
            wanted[text] = ([*ids.values()], [name for name, id_ in ids.items() if id_ is None])
        assert found == wanted
