"""The batches of events and answers that a build reads, and which of them are new."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from infra.ledger.batches import Batches, read_batches
from infra.ledger.served import served_manifests
from infra.mart_schemas import SERVED
from infra.records.marts import MartsRecord
from infra.schemas import EVENTS, Table
from infra.spark import session as spark_session
from infra.storage import Storage
from jobs.marts.days import News, days_of

Manifests = Mapping[str, Mapping[str, Any]]


class Batched:
    """The accepted batches of events, and all of answers."""

    def __init__(self, spark: SparkSession, storage: Storage) -> None:
        self._spark, self._storage = spark, storage
        self.all: Batches = read_batches(storage)
        self.served: Manifests = served_manifests(storage)
        self.accepted: Manifests = {
            name: batch.manifest for name, batch in self.all.items() if batch.word == "accepted"
        }

    def news(self, before: MartsRecord | None) -> News:
        """Return all days with rows, and those of batches that are new, rewritten or discarded."""
        events, served = (before.events, before.served) if before else ({}, {})
        manifests = {name: batch.manifest for name, batch in self.all.items()}
        return News(
            events=_days(self.accepted.values()),
            served=_days(self.served.values()),
            new_events=_days(_changed(manifests, stamps(self.accepted), events)),
            new_served=_days(_changed(self.served, stamps(self.served), served)),
        )

    def gone(self, before: MartsRecord) -> list[str]:
        """Return the batches that a build was made of and that are there no longer.

        Nobody knows their days any more. No task deletes a batch; people do, to read it anew.
        """
        made_of = before.events.keys() | before.served.keys()
        return sorted(made_of - self.all.keys() - self.served.keys())

    def events(self, days: Collection[date]) -> DataFrame:
        """Return the accepted events of some days."""
        return self._read(EVENTS, self.accepted, days, "event_time")

    def answers(self, days: Collection[date]) -> DataFrame:
        """Return the answers of some days."""
        return self._read(SERVED, self.served, days, "served_at")

    def _read(
        self, table: Table, manifests: Manifests, days: Collection[date], time: str
    ) -> DataFrame:
        near = [name for name, manifest in manifests.items() if days_of(manifest) & {*days}]
        places = [self._storage.lake.address(table.name, name) for name in sorted(near)]
        rows = spark_session.read_table(self._spark, table, places)
        if not near:
            return rows
        ends = F.to_date(F.lit(min(days))), F.date_add(F.lit(max(days)), 1)
        inside = (F.col(time) >= ends[0]) & (F.col(time) < ends[1])  # Parquet skips by it
        return rows.filter(inside).filter(F.to_date(time).isin(*days))


def stamps(manifests: Manifests) -> dict[str, str]:
    """Return when each batch was written."""
    return {name: str(manifest.get("written_at")) for name, manifest in manifests.items()}


def _changed(
    manifests: Manifests, now: Mapping[str, str], before: Mapping[str, str]
) -> Iterator[Mapping[str, Any]]:
    """Give the batches that are new, written anew, or no longer accepted."""
    for name in now.keys() | before.keys():
        if now.get(name) != before.get(name) and name in manifests:
            yield manifests[name]


def _days(manifests: Iterable[Mapping[str, Any]]) -> set[date]:
    return {day for manifest in manifests for day in days_of(manifest)}
