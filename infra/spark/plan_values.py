"""Hands a value to a plan as a table of one row, where Spark neither prints it nor compiles it in.

A literal is printed with its plan, and code with another literal in it is compiled anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pyspark.sql import Column, SparkSession


def plan_value(spark: SparkSession, value: bytes | datetime) -> Column:
    """Return a value as a column. Of an Arrow table Spark needs no job to read it."""
    import pyarrow

    return spark.createDataFrame(pyarrow.table({"value": [value]})).scalar()
