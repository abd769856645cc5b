"""Reads times: in the form that the source names, in UTC, null for anything else."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.landing.sources import Feed

# A date and a time, seconds and their fraction optional; Spark's own cast takes far more.
_TIME = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.]\d{1,9})?)?"
_OFFSET = r"(Z|[+-]\d\d:?\d\d)$"
# An offset that stands apart, is short or a word; Java adds the name of the zone in brackets.
_FREE_OFFSET = r" ?(Z|UTC|GMT|([+-]\d\d)(:?(\d\d))?)(\[[\w/+-]+\])?$"
_NUMBER = r"^\d{1,17}([.]\d{1,9})?$"
_OF_DAYS = {"dates": r"^\d{4}-\d\d-\d\d$", "excel": r"^\d{5}([.]\d+)?$"}
_IN_A_SECOND = {"epoch_seconds": 1, "epoch_milliseconds": 1_000, "epoch_microseconds": 1_000_000}
_UTC, _NO_MINUTES = "Z", "00"
_DAYS_OF_EXCEL = 25_569  # before 1970-01-01: it counts from 1899-12-30
_DAY = 86_400


def read_time(text: Column, feed: Feed) -> Column:
    """Return the time that a text says.

    A local time that a change of clocks leaves out is refused. One that comes twice is the first of
    both: see `comes_twice`.
    """
    if feed.times in _IN_A_SECOND:
        return _seconds(text, _IN_A_SECOND[feed.times])
    if feed.time_zone == "in_text":
        return _with_offset(_plain_offset(text) if feed.times == "offset" else text)
    local, utc = _local(text, feed), _in_utc(text, feed)
    return F.when(F.from_utc_timestamp(utc, feed.time_zone) == local, utc)


def written_so(feed: Feed) -> str:
    """Return the pattern of a text that has the form of time which a source names."""
    if feed.times in _IN_A_SECOND:
        return _NUMBER
    if feed.times in _OF_DAYS:
        return _OF_DAYS[feed.times]
    if feed.times == "offset":
        return _TIME + _FREE_OFFSET
    return _TIME + (_OFFSET if feed.time_zone == "in_text" else "$")


def comes_twice(text: Column, feed: Feed) -> Column:
    """Tell a local time of the hour that comes twice when clocks go back."""
    if feed.time_zone == "in_text" or feed.times in _IN_A_SECOND:
        return F.lit(False)
    later = _in_utc(text, feed) + F.expr("interval 1 hour")
    twice = F.from_utc_timestamp(later, feed.time_zone) == _local(text, feed)
    return F.coalesce(twice, F.lit(False))


def _with_offset(text: Column) -> Column:
    # Spark looks the name of a zone up again for every value; a time that ends in Z needs none
    utc = F.left(text, F.length(text) - 1).try_cast("timestamp_ntz").cast("timestamp")
    read = F.when(text.endswith("Z"), utc).otherwise(text.try_cast("timestamp"))
    return F.when(text.rlike(_TIME + _OFFSET), read)


def _plain_offset(text: Column) -> Column:
    """Write ` UTC`, `+00` and ` +0100` as `Z` and `+01:00`."""
    offset = F.regexp_extract(text, _FREE_OFFSET, 2)
    minutes = F.regexp_extract(text, _FREE_OFFSET, 4)
    written = F.when(offset == "", F.lit(_UTC)).otherwise(
        F.concat(offset, F.lit(":"), F.when(minutes == "", F.lit(_NO_MINUTES)).otherwise(minutes))
    )
    found = text.rlike(_FREE_OFFSET)
    return F.when(found, F.concat(F.regexp_replace(text, _FREE_OFFSET, ""), written))


def _seconds(text: Column, in_a_second: int) -> Column:
    """Read a number of seconds, or of parts of one, since 1970."""
    micros = text.try_cast("decimal(27, 9)") * F.lit(1_000_000 // in_a_second)
    number = text.rlike(_NUMBER) & (micros < F.lit(10**18))  # 31,000 years
    return F.when(number, F.timestamp_micros(F.round(micros, 0).try_cast("bigint")))


def _local(text: Column, feed: Feed) -> Column:
    """Read a time without an offset, as if it were in UTC."""
    if feed.times == "excel":
        return _seconds_of_excel(text)
    if feed.times == "dates":
        midnight = F.concat(text, F.lit(" 00:00"))
        whole = text.rlike(_OF_DAYS[feed.times])
        return F.when(whole, midnight.try_cast("timestamp_ntz").cast("timestamp"))
    local = text.try_cast("timestamp_ntz").cast("timestamp")
    return F.when(text.rlike(_TIME + "$"), local)


def _seconds_of_excel(text: Column) -> Column:
    days = text.try_cast("decimal(27, 12)")
    seconds = F.round((days - F.lit(_DAYS_OF_EXCEL)) * F.lit(_DAY), 0).try_cast("bigint")
    return F.when(text.rlike(_OF_DAYS["excel"]), F.timestamp_seconds(seconds))


def _in_utc(text: Column, feed: Feed) -> Column:
    return F.to_utc_timestamp(_local(text, feed), feed.time_zone)
