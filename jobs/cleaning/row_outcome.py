"""Sorts parsed rows: clean, quarantined with a reason, or ignored by a rule of the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from infra.schemas import EVENT_TYPES, EVENTS, KEYS, PERSON_IDS, Reason
from jobs.cleaning.clean_ids import clean_ids, is_nobody
from jobs.cleaning.telling_ids import MAY_TELL, tells
from jobs.cleaning.times import comes_twice
from jobs.cleaning.typed_rows import is_readable, named, typed
from jobs.cleaning.user_keys import id_key, user_key, visitor_key
from jobs.landing.masking import MASKED, mask
from jobs.landing.reading import ARRIVED, BROKEN, FILE, RAW, SEEN, SIZE
from jobs.landing.sources import PLACE, EventFeed
from jobs.landing.unknown_columns import UNKNOWN

NOTES = "notes"
CLEAN, QUARANTINED, IGNORED = "clean", "quarantined", "ignored"
# events before the ids of persons become keys
_WITH_IDS = EVENTS.ddl.replace("user_key STRING", "user_id STRING").replace(
    "visitor_key ", "visitor_id "
)
_REFUSED, _NOBODY, _TWICE = "_refused_ids", "_nobody", "_twice"
_COMES_TWICE = "event_time in an hour that comes twice"
_NEEDED = (
    "event_id",
    *PERSON_IDS,
    "item_id",
)  # a wrong one makes the row wrong; another is dropped
_DAY = 86_400_000_000  # microseconds: interval arithmetic goes by the calendar and takes longer
_AHEAD = 5 * 60_000_000  # how far a clock of the shop may be before ours


def sort_rows(
    parsed: DataFrame, feed: EventFeed, secret: str, raw_of: Sequence[str] = (QUARANTINED,)
) -> DataFrame:
    """Give every row its outcome and, unless it is clean, the reason; keep only Catwalk's columns.

    Raw text stays on rows of the outcomes `raw_of` alone: on all, they would fill the disks. Ids of
    users and visitors leave here as keys.
    """
    readable = is_readable(feed)  # the fields of a broken row mean nothing: it is quarantined
    marked = parsed.withColumns(
        {
            "_ignored_by": F.when(readable, named(feed.not_events)),
            _TWICE: comes_twice(F.expr(feed.columns["event_time"]).cast("string"), feed),
        }
    )
    table = StructType.fromDDL(_WITH_IDS)
    place = (PLACE,) if feed.explode else ()
    kept = (RAW, FILE, SIZE, SEEN, ARRIVED, UNKNOWN, "_ignored_by", _TWICE, *place)
    typed_rows = (
        marked.transform(typed, feed, table, EVENTS.required, kept, PERSON_IDS)
        .transform(clean_ids, feed.forms(), _REFUSED)
        .transform(_ids_of_elements, feed)
        .transform(_persons, feed)
        .transform(_only, feed)
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
    telling = _telling(feed)
    hidden = _hidden(telling, parsed.sparkSession, secret)
    return typed_rows.select(
        *(hidden.get(name, F.col(name)).alias(name) for name in EVENTS.columns if name not in KEYS),
        *_keys(feed, parsed.sparkSession, secret),
        outcome.alias("outcome"),
        F.coalesce(ignored_by, reason).alias("reason"),
        F.when(outcome.isin(*raw_of), F.col(RAW).cast("binary")).alias("raw"),
        F.col(FILE).alias("file"),
        F.col(SIZE).alias("file_size"),
        F.col(MASKED).alias("masked"),
        F.col(UNKNOWN).alias("unknown"),
        F.when(outcome == CLEAN, _notes(telling)).alias(NOTES),
    )


def _ids_of_elements(frame: DataFrame, feed: EventFeed) -> DataFrame:
    """Tell the events of a line apart by their places, unless the source's own id does."""
    if feed.explode is None or feed.names_its_elements("event_id"):
        return frame
    id_, place = F.col("event_id"), F.col(PLACE)
    of_element = F.when((id_ != "") & place.isNotNull(), F.concat(id_, F.lit("#"), place))
    return frame.withColumn("event_id", F.coalesce(of_element, id_))


def _telling(feed: EventFeed) -> dict[str, Column]:
    """Tell for each id whether it tells whose event it is."""
    persons = [F.col(name) for name in _mapped(PERSON_IDS, feed)]
    return {name: tells(F.col(name), persons) for name in _mapped(MAY_TELL, feed)}


def _hidden(telling: Mapping[str, Column], spark: SparkSession, secret: str) -> dict[str, Column]:
    """Return those ids, hashed where they tell it."""
    return {
        name: F.when(tell, id_key(F.col(name), spark, secret)).otherwise(F.col(name))
        for name, tell in telling.items()
    }


def _mapped(names: Iterable[str], feed: EventFeed) -> list[str]:
    return [name for name in names if name in feed.columns]


def _persons(frame: DataFrame, feed: EventFeed) -> DataFrame:
    """Make the ids of persons null where nobody is meant, and note that; blank ones too."""
    found = {name: is_nobody(F.col(name), feed.nobody) for name in _mapped(PERSON_IDS, feed)}
    known = {name: F.when(~no & (F.col(name) != ""), F.col(name)) for name, no in found.items()}
    nobody = reduce(Column.__or__, (F.coalesce(no, F.lit(False)) for no in found.values()))
    return frame.withColumns({**known, _NOBODY: nobody})


def _only(frame: DataFrame, feed: EventFeed) -> DataFrame:
    """Make a text null that is not as its source says it is, and note that."""
    if not feed.only:
        return frame
    wrong = {name: ~F.col(name).rlike(f"^(?:{pattern})$") for name, pattern in feed.only.items()}
    names = F.array_compact(F.array(*(F.when(no, F.lit(name)) for name, no in wrong.items())))
    dropped = F.concat(F.coalesce(_REFUSED, F.array().cast("array<string>")), names)
    fitting = {name: F.when(~no, F.col(name)) for name, no in wrong.items()}
    return frame.withColumns({**fitting, _REFUSED: F.when(F.size(dropped) > 0, dropped)})


def _notes(telling: Mapping[str, Column]) -> Column:
    """Name what of a row that stays is not as it came; null where all is."""
    words = [
        F.when(F.col(_NOBODY), F.lit(f"{PERSON_IDS[0]} of nobody")),
        F.when(F.col(_TWICE), F.lit(_COMES_TWICE)),
    ]
    words += [F.when(tell, F.lit(f"{name} hashed")) for name, tell in telling.items()]
    dropped = F.expr(f"transform({_REFUSED}, name -> concat(name, ' dropped'))")
    changed = reduce(Column.__or__, telling.values(), F.col(_NOBODY) | F.col(_TWICE))
    changed = changed | F.col(_REFUSED).isNotNull()
    every = F.concat(F.array(*words), F.coalesce(dropped, F.array().cast("array<string>")))
    return F.when(changed, F.array_compact(every))


def _keys(feed: EventFeed, spark: SparkSession, secret: str) -> Iterator[Column]:
    """Give a key for each kind of id: null where a row, or the whole feed, has none."""
    for name, kind, keyed in zip(KEYS, PERSON_IDS, (user_key, visitor_key), strict=True):
        key = keyed(F.col(kind), spark, secret) if kind in feed.columns else F.lit(None)
        yield key.cast("string").alias(name)


def _rename_types(frame: DataFrame, feed: EventFeed) -> DataFrame:
    word = F.col("event_type")
    if not feed.event_types:
        return frame
    pairs = [F.lit(part) for pair in feed.event_types.items() for part in pair]
    own = F.when(word.isin(*EVENT_TYPES), word)  # a partial mapping leaves Catwalk's own words
    kind = F.coalesce(F.create_map(*pairs)[word], own, F.lit(""))  # "": a word nobody mapped
    return frame.withColumn("event_type", F.when(word.isNotNull(), kind))


def _reason(feed: EventFeed) -> Column:
    """Return why a row is quarantined: what reading found first, then what its values say."""
    time, seen = F.unix_micros("event_time"), F.unix_micros(SEEN)
    return F.coalesce(
        BROKEN,
        F.when(F.arrays_overlap(_REFUSED, F.array(*map(F.lit, _NEEDED))), Reason.WRONG_ID)
        .when((F.col("event_id") == "") | (F.col("item_id") == ""), Reason.MISSING_FIELD)
        .when(_has_no_person() & F.col(_NOBODY), Reason.NO_USER)
        .when(_has_no_person(), Reason.MISSING_FIELD)
        .when(~F.col("event_type").isin(*EVENT_TYPES), Reason.UNKNOWN_TYPE)
        .when(time > seen + _AHEAD, Reason.FUTURE_TIME)
        .when(time < _delivered(time, seen) - feed.max_age_days * _DAY, Reason.TOO_OLD)
        .when(_is_below_zero(), Reason.NEGATIVE_QUANTITY),
    )


def _has_no_person() -> Column:
    return reduce(Column.__and__, (F.col(name).isNull() for name in PERSON_IDS))


def _delivered(time: Column, seen: Column) -> Column:
    """Return when an event was delivered at the latest, in microseconds.

    A file of a backfill is older than the run that sees it first, and its own time says so. A copy,
    an unpacked archive or a bucket may say 1980: a time before its event means nothing.
    """
    own = F.unix_micros(ARRIVED)
    return F.when(own + _AHEAD >= time, F.least(seen, own)).otherwise(seen)


def _is_below_zero() -> Column:
    """Tell a quantity below zero; a shop may write the pieces of a return so."""
    return (F.col("quantity") < 0) & (F.col("event_type") != "return")
