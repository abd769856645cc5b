"""Sorts parsed rows: clean, quarantined with a reason, or ignored by a rule of the source."""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from infra.schemas import EVENT_TYPES, EVENTS, KEYS, Reason
from jobs.cleaning.typed_rows import is_blank, named, typed
from jobs.cleaning.user_keys import user_key, visitor_key
from jobs.landing.masking import MASKED, mask
from jobs.landing.reading import ARRIVED, BROKEN, FILE, RAW, SIZE
from jobs.landing.sources import PERSON_IDS, EventFeed
from jobs.landing.unknown_columns import UNKNOWN

CLEAN, QUARANTINED, IGNORED = "clean", "quarantined", "ignored"
# events before the ids of persons become keys
_WITH_IDS = EVENTS.ddl.replace("user_key STRING", "user_id STRING").replace(
    "visitor_key ", "visitor_id "
)
_DAY = 86_400_000_000  # microseconds: interval arithmetic goes by the calendar and takes longer
_AHEAD = 5 * 60_000_000  # how far a clock of the shop may be before ours


def sort_rows(parsed: DataFrame, feed: EventFeed, secret: str) -> DataFrame:
    """Give every row its outcome and, unless it is clean, the reason; keep only Catwalk's columns.

    Raw text stays on quarantined rows alone; ids of users and visitors leave here as keys.
    """
    readable = F.col(BROKEN).isNull()  # the fields of a broken row mean nothing: it is quarantined
    marked = parsed.withColumn("_ignored_by", F.when(readable, named(feed.not_events)))
    table = StructType.fromDDL(_WITH_IDS)
    kept = (RAW, FILE, SIZE, ARRIVED, UNKNOWN, "_ignored_by")
    typed_rows = (
        marked.transform(typed, feed, table, EVENTS.required, kept, PERSON_IDS)
        .transform(_rename_types, feed)
        .withColumn("_reason", _reason(feed))
        .transform(mask, EVENTS)
    )
    ignored_by, reason = F.col("_ignored_by"), F.col("_reason")
    outcome = (
        F.when(ignored_by.isNotNull(), IGNORED)
        .when(reason.isNotNull(), QUARANTINED)
        .otherwise(CLEAN)
    )
    return typed_rows.select(
        *(F.col(name) for name in EVENTS.columns if name not in KEYS),
        *_keys(feed, parsed.sparkSession, secret),
        outcome.alias("outcome"),
        F.coalesce(ignored_by, reason).alias("reason"),
        F.when(outcome == QUARANTINED, F.col(RAW).cast("binary")).alias("raw"),
        F.col(FILE).alias("file"),
        F.col(SIZE).alias("file_size"),
        F.col(MASKED).alias("masked"),
        F.col(UNKNOWN).alias("unknown"),
    )


def _keys(feed: EventFeed, spark: SparkSession, secret: str) -> Iterator[Column]:
    """Give a key for each kind of id: null where a row, or the whole feed, has none."""
    for name, kind, keyed in zip(KEYS, PERSON_IDS, (user_key, visitor_key), strict=True):
        key = keyed(F.col(kind), spark, secret) if kind in feed.columns else F.lit(None)
        yield F.when(~is_blank(F.col(kind)), key.cast("string")).alias(name)


def _rename_types(frame: DataFrame, feed: EventFeed) -> DataFrame:
    word = F.col("event_type")
    if not feed.event_types:
        return frame
    pairs = [F.lit(part) for pair in feed.event_types.items() for part in pair]
    kind = F.coalesce(F.create_map(*pairs)[word], F.lit(""))  # "": a word nobody mapped
    return frame.withColumn("event_type", F.when(word.isNotNull(), kind))


def _reason(feed: EventFeed) -> Column:
    """Return why a row is quarantined: what reading found first, then what its values say."""
    time, arrived = F.unix_micros("event_time"), F.unix_micros(ARRIVED)
    return F.coalesce(
        BROKEN,
        F.when(~F.col("event_type").isin(*EVENT_TYPES), Reason.UNKNOWN_TYPE)
        .when(time > arrived + _AHEAD, Reason.FUTURE_TIME)
        .when(time < arrived - feed.max_age_days * _DAY, Reason.TOO_OLD)
        .when(_is_below_zero(), Reason.NEGATIVE_QUANTITY),
    )


def _is_below_zero() -> Column:
    """Tell a quantity below zero; a shop may write the pieces of a return so."""
    return (F.col("quantity") < 0) & (F.col("event_type") != "return")
