"""Reads the catalogue, and looks with care at what it says: a wrong row may sell what is sold out.

Of several rows of an item the newest counts, of those of one moment one that is not in stock. An
item that is free, or whose newest row is refused, is not sold by an older row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from infra.schemas import ITEMS, Reason
from infra.storage import Storage
from jobs.cleaning.clean_ids import clean_ids
from jobs.cleaning.typed_rows import is_readable, named, typed
from jobs.landing.contents import require_readable
from jobs.landing.landing_folder import landed_files
from jobs.landing.masking import MASKED, mask
from jobs.landing.parquet_columns import footers
from jobs.landing.reading import (
    ARRIVED,
    BROKEN,
    BROKEN_REASONS,
    FILE,
    RAW,
    open_feed,
    parse,
)
from jobs.landing.sources import ItemFeed
from jobs.landing.unpacking import with_copies

LONGEST_TEXT = 1000  # characters of a title: some arrays give every text the room of the longest
_MOST_NAMED = 10
_REFUSED_IDS, FEED, WITHHELD = "_refused_ids", "_feed", "_withheld"
_REFUSED_AT, _REFUSED_IN, _TOLD_IN = "_refused_at", "_refused_in", "_told_in"
_LONG_AGO = 946_684_800_000_000  # 2000, for a catalogue whose rows were always so
_SHORT = ("title", "brand", "category", "colour")


def read_items(spark: SparkSession, feed: ItemFeed, storage: Storage, copies: str) -> DataFrame:
    """Read the catalogue rows of a source; broken and ignored ones carry a reason.

    Parameters
    ----------
    copies : str
        Key of the lake below which files are unpacked that Spark cannot; needed as long as rows.
    """
    landing = storage.landing
    landed = landed_files(spark, feed, storage.settings)
    packed = require_readable(landed, feed, storage.settings)
    files = with_copies(landed, packed, storage, copies)
    columns = footers(spark, files, feed, storage.settings)
    rows = parse(open_feed(spark, feed, files, landing, columns, datetime.now(UTC)), feed)
    marked = rows.withColumn("_ignored_by", F.when(is_readable(feed), named(feed.not_items)))
    table = StructType.fromDDL(ITEMS.ddl)
    kept = ("_ignored_by", FILE, ARRIVED, RAW)
    clean = marked.transform(typed, feed, table, ITEMS.required, kept)
    clean = clean.transform(clean_ids, feed.forms(), _REFUSED_IDS)
    broken = F.coalesce(
        BROKEN,
        F.when(F.col(_REFUSED_IDS).isNotNull(), Reason.WRONG_ID),
        F.when(F.col("item_id") == "", Reason.MISSING_FIELD),
    )
    texts = {name: F.left(F.col(name), F.lit(LONGEST_TEXT)) for name in _SHORT}
    if feed.timeless:  # of several files the newest counts
        when = F.timestamp_micros(F.lit(_LONG_AGO) + F.unix_seconds(ARRIVED))
        texts["updated_at"] = F.when(F.col("updated_at").isNotNull(), when)
    reasoned = clean.withColumns({**texts, "reason": F.coalesce("_ignored_by", broken)})
    raw = F.when(_is_refused(), F.col(RAW).cast("binary")).alias(RAW)
    return mask(reasoned, ITEMS).select(*ITEMS.columns, "reason", MASKED, FILE, ARRIVED, raw)


def read_feeds(
    spark: SparkSession, feeds: Sequence[ItemFeed], storage: Storage, copies: str
) -> DataFrame:
    """Read the catalogue rows of all sources; `_feed` tells them apart."""
    every = (
        read_items(spark, feed, storage, copies).withColumn(FEED, F.lit(number))
        for number, feed in enumerate(feeds)
    )
    return reduce(DataFrame.unionByName, every)


def as_known_at(items: DataFrame, time: datetime) -> DataFrame:
    """Keep of every item the latest row known before a time: one row per item.

    Of rows of one moment one that is not in stock counts.
    """
    others = (F.col(name).asc_nulls_last() for name in ITEMS.columns)
    latest = Window.partitionBy("item_id").orderBy(F.desc("updated_at"), "in_stock", *others)
    before = items.filter(F.col("updated_at") < F.lit(time))
    return before.withColumn("_turn", F.row_number().over(latest)).filter("_turn = 1").drop("_turn")


def readable(items: DataFrame) -> DataFrame:
    """Keep the catalogue rows that are items and can be read."""
    return items.filter("reason is null").select(*ITEMS.columns)


def catalogue_at(items: DataFrame, end: datetime) -> DataFrame:
    """Return one row per item as known at a time; what must not be sold is out of stock.

    `_withheld` tells those: a price of nothing or less, or a newer row that is refused and that no
    later file has put right.
    """
    known = items.transform(readable).transform(as_known_at, end)
    before = F.coalesce(F.col("updated_at") < F.lit(end), F.lit(True))
    refused = before & _is_refused()
    # the time of a refused row may be what is wrong about it
    time = F.when(refused, F.coalesce("updated_at", ARRIVED))
    arrived = {_REFUSED_IN: refused, _TOLD_IN: before & F.col("reason").isNull()}
    files = (F.max(F.when(of, F.col(ARRIVED))).alias(name) for name, of in arrived.items())
    looked_at = items.filter(F.col("item_id").isNotNull()).groupBy("item_id")
    rows = known.join(looked_at.agg(F.max(time).alias(_REFUSED_AT), *files), "item_id", "left")
    is_free = F.coalesce(F.col("price") <= 0, F.lit(False))
    is_newer = F.col(_REFUSED_AT) >= F.col("updated_at")
    is_old = F.coalesce(is_newer & (F.col(_REFUSED_IN) >= F.col(_TOLD_IN)), F.lit(False))
    return rows.select(
        *(
            {"price": F.when(~is_free, F.col("price")), "in_stock": _kept(is_free | is_old)}.get(
                name, F.col(name)
            ).alias(name)
            for name in ITEMS.columns
        ),
        (is_free | is_old).alias(WITHHELD),
    )


@dataclass(frozen=True)
class Delivery:
    """The newest file of a source, or the parts of one that arrived within an hour."""

    files: tuple[str, ...]
    rows: int
    refused: int
    is_whole: bool  # has at least half of the items that ever landed: else it tells changes
    at: datetime  # when it arrived, or its newest row became known


def newest_deliveries(items: DataFrame, end: datetime) -> dict[int, Delivery]:
    """Return the newest delivery of each source."""
    ids = F.count_distinct("item_id").alias("ids")
    until = F.col("updated_at") < F.lit(end)  # a wrong row may say 2099
    hour = F.floor(F.unix_seconds(ARRIVED) / 3600).alias("hour")
    files = (
        items.groupBy(FEED, hour, FILE)
        .agg(
            F.max(ARRIVED).alias("arrived"),
            F.max(F.when(until, F.col("updated_at"))).alias("updated"),
            F.count("*").alias("rows"),
            F.count_if(_is_refused()).alias("refused"),
            ids,
        )
        .collect()
    )
    ids_of = {
        (row[FEED], row["hour"]): row["ids"] for row in items.rollup(FEED, hour).agg(ids).collect()
    }
    newest = {
        feed: max(row["hour"] for row in files if row[FEED] == feed) for feed in _feeds(files)
    }
    return {
        feed: newest_of(
            [row for row in files if (row[FEED], row["hour"]) == (feed, hour)],
            ids_of[feed, hour],
            ids_of[feed, None],
        )
        for feed, hour in newest.items()
    }


def _feeds(files: Sequence[Row]) -> set[int]:
    return {row[FEED] for row in files}


def newest_of(files: Sequence[Row], ids_of_hour: int, ids_ever: int) -> Delivery:
    """Return the newest delivery among the files of an hour.

    Files that share items are exports one after the other, of which the last by name is the newest.
    Parts of one export share none.
    """
    if sum(row["ids"] for row in files) > ids_of_hour:
        files = [max(files, key=lambda row: str(row[FILE]))]
        ids_of_hour = files[0]["ids"]
    times = [time for row in files for time in (row["arrived"], row["updated"]) if time]
    return Delivery(
        files=tuple(sorted(row[FILE] for row in files)),
        rows=sum(row["rows"] for row in files),
        refused=sum(row["refused"] for row in files),
        is_whole=2 * ids_of_hour >= ids_ever,
        at=max(time.astimezone() for time in times),
    )


def facts_of(items: DataFrame, catalogue: DataFrame, end: datetime) -> dict[str, Any]:
    """Count what the items gate asks of the catalogue, and name up to ten of each kind.

    Parameters
    ----------
    items : DataFrame
        All rows, as `read_feeds` gives them, kept.
    catalogue : DataFrame
        `catalogue_at` of them, kept.
    """
    newest = newest_deliveries(items, end)
    refused = items.filter(_is_refused() & _is_of(newest.values()))
    told = F.concat_ws(" ", "reason", "item_id", F.regexp_extract(FILE, "[^/]+$", 0))
    shares = [each.refused / each.rows for each in newest.values()]
    ages = [(end - each.at) / timedelta(hours=1) for each in newest.values()]
    return {
        "newest_refused_share": max(shares, default=0.0),
        "age_hours": max(0.0, *ages) if ages else 0.0,
        **_named(
            {
                "refused_rows": refused.select(told.alias("name")),
                "withheld_items": _names(catalogue.filter(WITHHELD)),
                "contradicting_items": _names(_contradicting(items, catalogue)),
                "vanished_items": _names(_vanished(items, catalogue, newest)),
            }
        ),
    }


def _contradicting(items: DataFrame, catalogue: DataFrame) -> DataFrame:
    """Return the items of which rows of the newest moment say different things."""
    same = items.filter("reason is null").groupBy("item_id", "updated_at")
    several = same.agg(F.count_distinct(F.xxhash64(*ITEMS.columns)).alias("says"))
    return catalogue.join(several.filter("says > 1"), ["item_id", "updated_at"], "left_semi")


def _vanished(items: DataFrame, catalogue: DataFrame, newest: dict[int, Delivery]) -> DataFrame:
    """Return the items on sale that the newest whole delivery of their source lacks."""
    whole = {feed: each for feed, each in newest.items() if each.is_whole}
    there = F.max(_is_of(whole.values())).alias("there")
    of_changes = F.max(~F.col(FEED).isin([*whole])).alias("of_changes")
    gone = items.groupBy("item_id").agg(there, of_changes).filter("not there and not of_changes")
    return catalogue.filter("in_stock").join(gone, "item_id", "left_semi")


def _is_of(deliveries: Iterable[Delivery]) -> Column:
    """Tell a row of one of some deliveries."""
    return F.col(FILE).isin([file for delivery in deliveries for file in delivery.files])


def _kept(withheld: Column) -> Column:
    return F.col("in_stock") & ~withheld


def _is_refused() -> Column:
    return F.coalesce(F.col("reason").isin(*BROKEN_REASONS), F.lit(False))


def _names(items: DataFrame) -> DataFrame:
    return items.select(F.col("item_id").alias("name"))


def _named(kinds: Mapping[str, DataFrame]) -> dict[str, Any]:
    """Count the names of each kind, and give the first ten of it."""
    every = reduce(
        DataFrame.unionByName,
        (names.withColumn("kind", F.lit(kind)) for kind, names in kinds.items()),
    )
    counted = every.groupBy("kind", "name").count()
    whole = Window.partitionBy("kind")
    place, rows = F.row_number().over(whole.orderBy("name")), F.sum("count").over(whole)
    first = counted.withColumns({"place": place, "rows": rows}).filter(f"place <= {_MOST_NAMED}")
    facts: dict[str, Any] = dict.fromkeys(kinds, 0) | {f"{kind}_named": [] for kind in kinds}
    for row in first.orderBy("place").collect():
        facts[row["kind"]] = row["rows"]
        facts[f"{row['kind']}_named"].append(row["name"])
    return facts
