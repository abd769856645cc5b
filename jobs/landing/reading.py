"""Reads landing files: every source column as text, every broken row with its reason.

JSON and CSV are read line by line as bytes, so a bad line is kept exactly as it came. `from_json`
and `from_csv` alone accept too much (two objects on a line, trailing garbage, single quotes, NaN,
invalid UTF-8, a field whose quote never ends), so the lines are held to more than they ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import Column, DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from infra.schemas import Reason
from infra.spark.plan_values import plan_value
from jobs.landing.landing_folder import UNPACKED, Landed, addresses, landed_name, root_of
from jobs.landing.nested_lines import STRICT_JSON, read_nested, roots
from jobs.landing.parquet_columns import as_text, no_utf8, parquet_schema
from jobs.landing.quoted_breaks import LINE_FEED, RETURN
from jobs.landing.sources import Feed, quoted
from jobs.landing.unknown_columns import UNKNOWN, names_twice, no_unknown_keys, unknown_keys

LONGEST_ROW = 65_536
LONGEST_RAW = 1_048_576  # bytes of a line that are kept: each is copied several times in the heap
BROKEN, RAW, FILE, SIZE = "_broken", "_raw", "_file", "_size"
# when a run first saw the file of a row, and the own time of the file, which may say anything
SEEN, ARRIVED = "_seen", "_arrived"
BROKEN_REASONS = (
    Reason.NOT_UTF8,
    Reason.TOO_LONG,
    Reason.MALFORMED_JSON,
    Reason.MALFORMED_CSV,
    Reason.MISSING_FIELD,
    Reason.WRONG_TYPE,
    Reason.WRONG_ID,
    Reason.TOO_MANY_ELEMENTS,
)
_OF_FILE = (FILE, SIZE, SEEN, ARRIVED)
_CORRUPT, _PARSED = "_corrupt_record", "_parsed"
_CSV = {
    "escape": '"',
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": _CORRUPT,
    "maxColumns": str(LONGEST_ROW + 1),  # with more the parser fails the run
}


def open_feed(
    spark: SparkSession,
    feed: Feed,
    files: Landed,
    landing: str,
    footers: Mapping[str, StructType],
    seen: datetime,
) -> DataFrame:
    """Open files of a feed as their format gives them; `_file` is their name below landing.

    Parameters
    ----------
    files : mapping
        What to read, by name.
    footers : mapping
        Columns by name, of those that will be read: Parquet files say themselves what they hold.
    seen : datetime
        When the run listed them.
    """
    if not files:
        return _nothing(spark, feed)
    reader = spark.read
    if feed.format == "parquet":
        reader = reader.schema(parquet_schema(footers, feed))
    return _rows(reader, feed, files).select(
        "*",
        _name_below(spark, files, landing).alias(FILE),
        F.col("_metadata.file_size").alias(SIZE),
        plan_value(spark, seen).alias(SEEN),
        F.col("_metadata.file_modification_time").alias(ARRIVED),
    )


def _rows(reader: DataFrameReader, feed: Feed, files: Landed) -> DataFrame:
    """Return what is a row in some files: no header, no byte order mark, no line without end."""
    if feed.format == "parquet":
        return reader.format("parquet").load(addresses(files))
    frame = reader.format("text").load(addresses(files))
    line = F.col("value")
    if any(file.joined for file in files.values()):
        line = F.replace(F.replace(line, F.lit(LINE_FEED), F.lit("\n")), F.lit(RETURN), F.lit("\r"))
    frame = frame.withColumn("value", _cut(_without_mark(line)))
    return frame.filter(~_is_header(feed)) if feed.format == "csv" and feed.header else frame


def _nothing(spark: SparkSession, feed: Feed) -> DataFrame:
    """Return what no file gives."""
    parquet = feed.format == "parquet"
    columns = [f"{quoted(name)} STRING" for name in (feed.fields if parquet else ("value",))]
    times = (f"{SEEN} TIMESTAMP", f"{ARRIVED} TIMESTAMP")
    of_file = (f"{FILE} STRING", f"{SIZE} BIGINT", *times)
    return spark.createDataFrame([], ", ".join((*columns, *of_file)))


def _name_below(spark: SparkSession, files: Landed, landing: str) -> Column:
    """Return the name of a row's file below the landing folder, quoted as Spark quotes addresses.

    Where a home is moved to, its files keep their names; a copy has the name of its original.
    """
    path = F.col("_metadata.file_path")
    name = _rest_after(spark, path, root_of(landing))
    copied = next(((name, file.copy) for name, file in files.items() if file.copy), None)
    if copied is None:
        return name
    root = copied[1].removesuffix(f"/{copied[0]}{UNPACKED}")
    copy = _rest_after(spark, path, root)
    original = F.left(copy, F.length(copy) - F.lit(len(UNPACKED)))
    return F.when(F.instr(path, _quoted(spark, root)) > 0, original).otherwise(name)


def _rest_after(spark: SparkSession, path: Column, folder: str) -> Column:
    """Return what follows a folder in an address, which begins with a scheme of some slashes."""
    start = _quoted(spark, folder)
    return F.substr(path, F.instr(path, start) + F.lit(len(start)))


def _quoted(spark: SparkSession, folder: str) -> str:
    jvm = spark._jvm
    assert jvm is not None
    return str(jvm.org.apache.hadoop.fs.Path(folder).toUri().toString()) + "/"


def file_with_rows(spark: SparkSession, feed: Feed, files: Landed) -> str | None:
    """Return one of the files that holds a row now, as `open_feed` would give it."""
    row = _rows(spark.read, feed, files).select("_metadata.file_path").first()
    return landed_name(row[0]) if row else None


def parse(frame: DataFrame, feed: Feed) -> DataFrame:
    """Bring opened rows to one shape: the feed's fields as text, raw text, why it is broken.

    Adds the names that no field asks for, in rows that could be read.
    """
    if feed.format == "jsonl":
        return _parse_json(frame, feed)
    if feed.format == "csv":
        return _parse_csv(frame, feed).withColumn(UNKNOWN, no_unknown_keys())
    return _parse_parquet(frame, feed)


def _parse_parquet(frame: DataFrame, feed: Feed) -> DataFrame:
    kinds = {name: frame.schema[name].dataType for name in feed.fields}
    texts = (as_text(frame.schema[name]) for name in feed.fields)
    raw = F.to_json(F.struct(*map(quoted, kinds))).alias(RAW)
    broken = F.when(no_utf8(kinds), Reason.NOT_UTF8).alias(BROKEN)
    rows = frame.select(*_OF_FILE, raw, broken, *texts)
    return rows.withColumn(UNKNOWN, no_unknown_keys())


def _parse_json(frame: DataFrame, feed: Feed) -> DataFrame:
    pairs = F.col(_PARSED)
    if not feed.is_nested:
        # not `pairs[name]`: that counts as cheap, and the search is repeated at every use
        fields = {name: F.element_at(pairs, F.lit(name)) for name in feed.fields}
        return _json_lines(frame, fields, fields)
    top = {name: F.element_at(pairs, F.lit(name)) for name in roots(feed)}
    lines = _json_lines(frame, top, {_PARSED: pairs}, longest_row(feed))
    return read_nested(lines, feed, _PARSED, BROKEN)


def _json_lines(
    frame: DataFrame,
    known: Mapping[str, Column],
    kept: Mapping[str, Column],
    longest: int = LONGEST_ROW,
) -> DataFrame:
    """Read each line once, as a map: it gives what is kept and the names that are not known."""
    raw, pairs = F.col(RAW), F.col(_PARSED)
    # trimming costs more than parsing, so only the lines with blanks around them pay for a regex
    framed = raw.startswith("{") & raw.endswith("}") | raw.rlike(r"^\s*\{[\s\S]*\}\s*$")
    before_last = F.substring(raw.cast("binary"), F.lit(1), F.octet_length(raw) - 1)
    inner = before_last.cast("string").contains("}")  # cheap, and rare
    more = F.coalesce(F.when(inner, ~_is_one_value(raw)), F.lit(False))
    unknown = unknown_keys(pairs, known)
    twice = F.coalesce(F.when(unknown.isNotNull(), names_twice(pairs)), F.lit(False))
    wrong = pairs.isNull() | ~framed | more | twice
    parsed = F.from_json(_short_line(longest), "map<string, string>", STRICT_JSON)
    broken = _broken(Reason.MALFORMED_JSON, wrong, longest)
    return _lines(frame, parsed).select(
        RAW,
        *_OF_FILE,
        *(value.alias(name) for name, value in kept.items()),
        broken.alias(BROKEN),
        F.when(unknown.isNotNull() & broken.isNull(), unknown).alias(UNKNOWN),
    )


def _is_one_value(line: Column) -> Column:
    """Tell a line that is one JSON value from one where more follows, which the parser ignores.

    What follows a value would have to close a list or go on in it, and to close an object or go on
    in it with a name: nothing does both.
    """
    listed = F.json_array_length(F.concat(F.lit("["), line, F.lit("]"))) == 1
    named = F.concat(F.lit('{"line":'), line, F.lit(',"end":0}'))
    return F.coalesce(listed & F.get_json_object(named, "$.end").isNotNull(), F.lit(False))


def _parse_csv(frame: DataFrame, feed: Feed) -> DataFrame:
    schema = ", ".join(f"{quoted(name)} STRING" for name in (*feed.fields, _CORRUPT))
    parsed = F.from_csv(_short_line(), schema, {**_CSV, "sep": feed.separator})
    row = F.col(_PARSED)
    blank = row.isNull() | (F.trim(F.col(RAW)) == "")
    broken = _broken(
        Reason.MALFORMED_CSV, blank | row[_CORRUPT].isNotNull() | _ends_inside_quotes(feed)
    )
    fields = (row[name].alias(name) for name in feed.fields)
    return _lines(frame, parsed).select(RAW, *_OF_FILE, *fields, broken.alias(BROKEN))


def _lines(frame: DataFrame, parsed: Column) -> DataFrame:
    """Put each line beside what it was parsed to, so that it is parsed once."""
    return frame.select(F.col("value").alias(RAW), *_OF_FILE, parsed.alias(_PARSED))


def longest_row(feed: Feed) -> int:
    """Return the most bytes of a line; one that is several events may have more of them."""
    return LONGEST_ROW if feed.explode is None else 4 * LONGEST_ROW


def _broken(malformed: Reason, wrong: Column, longest: int = LONGEST_ROW) -> Column:
    """Return why a line cannot be read; `wrong` says what is malformed, the parser's view too."""
    raw = F.col(RAW)
    return (
        F.when(F.octet_length(raw) > longest, Reason.TOO_LONG)
        .when(~F.is_valid_utf8(raw), Reason.NOT_UTF8)
        .when(wrong, malformed)
    )


def _without_mark(line: Column) -> Column:
    """Pass over a byte order mark; files that were joined have one before a later line too."""
    return F.when(line.startswith("\ufeff"), F.substr(line, F.lit(2))).otherwise(line)


def _cut(line: Column) -> Column:
    """Bound a monstrous line; whoever needs all of it finds it in its file."""
    start = F.substring(line.cast("binary"), 1, LONGEST_RAW).cast("string")
    note = F.concat(start, F.lit(" [cut; "), F.octet_length(line), F.lit(" bytes in all]"))
    return F.when(F.octet_length(line) <= LONGEST_RAW, line).otherwise(note)


def _short_line(longest: int = LONGEST_ROW) -> Column:
    """Give the parsers null for a line that is too long: they take several times its memory."""
    line = F.col("value")
    return F.when(F.octet_length(line) <= longest, line)


def _is_header(feed: Feed) -> Column:
    """Tell a header, quoted or not; also inside a file, where files were joined end to end."""
    names = feed.separator.join(feed.names_in_header()).replace('"', "")
    return F.replace("value", F.lit('"'), F.lit("")) == names


def _ends_inside_quotes(feed: Feed) -> Column:
    """Tell a line whose last quoted field goes on after a line break: half a row, not a row."""
    raw = F.col(RAW)
    quotes = F.octet_length(raw) - F.octet_length(F.replace(raw, F.lit('"'), F.lit("")))
    opens = raw.startswith('"') | raw.contains(f'{feed.separator}"')
    return opens & (quotes % 2 == 1)
