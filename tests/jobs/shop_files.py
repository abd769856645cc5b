"""What lands in a test's shop, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from infra.ledger.batches import BatchReader
from infra.ledger.run_records import RunRecords
from infra.storage import Storage
from jobs import ingest_events
from jobs.batches import batch_files, books
from jobs.cleaning.row_outcome import sort_rows
from jobs.landing.reading import parse
from jobs.landing.sources import EventFeed

RUN = "run=test"
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def ago(days: int, hour: int = 10) -> str:
    """Write a time of a day before today as the shop does."""
    return f"{TODAY - timedelta(days=days):%Y-%m-%d}T{hour:02}:00:00Z"


HEADER = "Nr;Art;Zeit;Kunde;Artikel;Menge;Preis;Notiz"
WEBSHOP = """
webshop:
  events:
    files: events/webshop/*.csv*
    format: csv
    separator: ";"
    time_zone: Europe/Berlin
    max_age_days: 400
    fields: [Nr, Art, Zeit, Kunde, Artikel, Menge, Preis, Notiz]
    columns:
      event_id: Nr
      event_type: Art
      event_time: Zeit
      user_id: Kunde
      item_id: Artikel
      quantity: Menge
      unit_price: replace(Preis, ',', '.')
      placement: Notiz
    event_types: {angesehen: view, gekauft: purchase}
  items:
    files: items/webshop/*.csv*
    format: csv
    time_zone: Europe/Berlin
    fields: [Artikel]
    columns: {item_id: Artikel, has_picture: "true", in_stock: "true", updated_at: "''"}
"""

GOOD = {
    "event_id": "e1",
    "event_type": "view",
    "event_time": ago(4),
    "user_id": "anna",
    "item_id": "i1",
}


def event(**changes: object) -> str:
    """Write a good event as a line of JSON, changed; `...` leaves a field out."""
    row = {**GOOD, **changes}
    return json.dumps({name: value for name, value in row.items() if value is not ...})


FIRST: list[str | bytes] = [
    event(),
    event(event_id="e2"),
    event(event_id="odd", event_time=ago(300)),  # the days up to the others stay free
]


def land(
    shop: Storage, lines: list[str | bytes], name: str = "one.jsonl", source: str = "shop"
) -> Path:
    """Put a file of lines where the shop would."""
    file = Path(shop.landing) / "events" / source / name
    file.parent.mkdir(parents=True, exist_ok=True)
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    file.write_bytes(b"".join(line + b"\n" for line in raw))
    return file


def opened(spark: SparkSession, **files: Sequence[str | bytes]) -> DataFrame:
    """Return lines as `open_feed` gives those of files that landed just now."""
    lines = [
        (raw, f"file:///landing/{name}")
        for name, lines in files.items()
        for raw in (line if isinstance(line, bytes) else line.encode() for line in lines)
    ]
    frame = spark.createDataFrame(lines, "value BINARY, _file STRING")
    arrived = {
        "_size": F.lit(1).cast("long"),
        **dict.fromkeys(("_seen", "_arrived"), F.current_timestamp()),
    }
    return frame.withColumn("value", F.col("value").cast("string")).withColumns(arrived)


def sorted_rows(
    spark: SparkSession, feed: EventFeed, **files: Sequence[str | bytes]
) -> list[dict[str, Any]]:
    """Return the rows of files as ingestion sorts them, in any order."""
    rows = sort_rows(parse(opened(spark, **files), feed), feed, "secret").collect()
    return [row.asDict() for row in rows]


def ingest(shop: Storage, run: str = RUN) -> dict[str, object]:
    """Ingest what landed and return the counts that the run shows."""
    ingest_events.main(["--run", run])
    record = RunRecords(shop, run).load_ingest()
    assert record is not None
    return record


def files_read(shop: Storage, source: str = "shop") -> dict[str, int]:
    """Return the bytes of the files that are in batches, by their names below landing."""
    manifests = books.manifests(BatchReader(shop), source).values()
    return batch_files.files_read(
        manifests, shop.landing, [f"events/{source}", f"replayed/{source}"]
    )


def rows(shop: Storage, table: str) -> list[dict[str, object]]:
    """Return all rows of the finished partitions of a table."""
    partitions = shop.lake.partitions(table)
    return shop.lake.dataset(table, *partitions).to_table().to_pylist()
