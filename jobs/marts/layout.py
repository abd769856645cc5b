"""Reads and writes days of the marts: of this build, and of earlier ones where it has none."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from infra.records.marts import MartsRecord, build_of, partition_of
from infra.schemas import Table
from infra.spark import session as spark_session
from infra.storage import Storage

# given by number, as Spark would merge parts by their size: then bytes would differ
_PARTS, _PARTS_OF_SPREAD = 4, 16


class Build:
    """A build of the marts on top of the one that counts.

    Parameters
    ----------
    before : MartsRecord or None
        What counts now; None to begin anew.
    number : int
        Of this build.
    """

    def __init__(
        self, spark: SparkSession, storage: Storage, before: MartsRecord | None, number: int
    ) -> None:
        self.spark, self.storage, self.number = spark, storage, number
        shown = before.partitions if before else {}
        self.partitions = {table: dict(days) for table, days in shown.items()}

    def read(self, table: Table, days: Iterable[date]) -> DataFrame:
        """Read some days of a mart; those that it does not have are empty."""
        present = self.partitions.get(table.name, {})
        names = sorted({day.isoformat() for day in days} & present.keys())
        folders = [partition_of(present[name], name) for name in names]
        places = [self.storage.lake.address(table.name, folder) for folder in folders]
        return spark_session.read_table(self.spark, table, places)

    def write(
        self,
        table: Table,
        frame: DataFrame,
        names: Iterable[str],
        by: tuple[str, ...],
        spread: str = "",
        **facts: Any,
    ) -> None:
        """Write days (or tests, with a column `of`) of a mart, in an order that fixes its bytes.

        Parameters
        ----------
        names : iterable of str
            All that this build makes anew; those without rows are gone then.
        by : tuple of str
            A full order of the rows.
        spread : str
            A column by which the rows of a day are spread over four files.
        """
        lake, build = self.storage.lake, build_of(self.number)
        address = lake.begin(table.name, build)
        named = (
            frame if "of" in frame.columns else frame.withColumn("of", F.col("day").cast("string"))
        )
        parts = [F.col("of"), *([F.pmod(F.xxhash64(spread), F.lit(4))] if spread else [])]
        rows = named.select(*table.columns, "of").repartition(
            _PARTS_OF_SPREAD if spread else _PARTS, *parts
        )
        sorted_ = rows.sortWithinPartitions("of", *by)
        sorted_.write.partitionBy("of").mode("overwrite").parquet(address)
        written = self._written(table)
        kept = self.partitions.setdefault(table.name, {})
        for name in names:
            kept.pop(name, None)
        kept.update(dict.fromkeys(written, self.number))
        lake.commit(table.name, build, {**facts, "of": sorted(written)})

    def _written(self, table: Table) -> set[str]:
        prefix = f"{table.name}/{build_of(self.number)}/of="
        keys = self.storage.lake.store.list(prefix.rpartition("/")[0])
        parts = (key.removeprefix(prefix) for key in keys if key.startswith(prefix))
        return {part.partition("/")[0] for part in parts if part.endswith(".parquet")}
