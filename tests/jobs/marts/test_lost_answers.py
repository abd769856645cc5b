"""Spark puts a unit into the same arm as the server does."""

from __future__ import annotations

import doctest
import hashlib

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from infra.ledger.assignment import arm_of
from jobs.marts import lost_answers
from tests.infra.ledger.test_ab_tests import phase


def test_spark_assigns_as_the_server_does(spark: SparkSession) -> None:
    part = phase("b", layer=(2_000, 9_000), control=(0, 3_000), treatment=(3_000, 8_000))
    units = [hashlib.md5(str(number).encode()).hexdigest() for number in range(500)]
    frame = spark.createDataFrame([(unit,) for unit in units], "unit STRING")
    rows = frame.select("unit", lost_answers.arm_of(part, F.col("unit")).alias("arm")).collect()
    assert {row["unit"]: row["arm"] for row in rows} == {unit: arm_of(part, unit) for unit in units}
    assert {row["arm"] for row in rows} == {"control", "treatment", None}


def test_the_example_is_true() -> None:
    tried = doctest.testmod(lost_answers)
    assert tried.attempted and not tried.failed
