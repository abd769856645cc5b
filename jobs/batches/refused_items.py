"""Shows a few refused rows of the catalogue, as `examples` does those of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.batches.examples import MOST, example_of
from jobs.batches.quarantine import Group
from jobs.landing.reading import ARRIVED, BROKEN_REASONS, FILE, RAW
from jobs.landing.sources import Source


def refused_items(items: DataFrame, of: str, sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Return up to ten refused rows per reason, of the newest files first.

    Parameters
    ----------
    items : DataFrame
        All catalogue rows of the sources, each with its raw text.
    of : str
        Column with the place of a row's source among `sources`.
    sources : sequence of Source
        Those that have a catalogue; their events say what makes a person.
    """
    newest = Window.partitionBy("reason").orderBy(F.desc(ARRIVED), FILE, RAW)
    refused = items.filter(F.col("reason").isin(*BROKEN_REASONS))
    first = refused.withColumn("_turn", F.row_number().over(newest)).filter(f"_turn <= {MOST}")
    columns = ("reason", F.col(of).alias("of"), FILE, F.col(RAW).cast("binary").alias("raw"))
    rows = first.orderBy("reason", "_turn").select(*columns).collect()
    shown = []
    for row in rows:
        source = sources[row["of"]]
        file = unquote(row[FILE]).rpartition("/")[2]
        group = Group(file, row["reason"], 1)
        example = example_of(group, bytes(row["raw"]), source.items or source.events, source.events)
        told = {"reason": example.reason, "file": file, "fields": example.fields}
        shown.append({**told, "shape": example.shape})
    return shown
