"""Opening landing files: every source column arrives as text, every broken row with its reason.

JSON and CSV are read line by line as bytes, so a bad line is kept exactly as it came. `from_json`
and `from_csv` alone accept too much (two objects on a line, trailing garbage, single quotes, NaN,
invalid UTF-8, a field whose quote never ends), so the lines are held to more than they ask.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.readwriter import DataFrameReader
from pyspark.sql.streaming.readwriter import DataStreamReader

from infra.errors import InputError, StorageError
from infra.settings import Settings
from infra.spark.listing import FOLDER, matches
from jobs.parquet_columns import as_text, no_utf8, parquet_schema
from jobs.sources import Feed, quoted
from jobs.unknown_columns import UNKNOWN, names_twice, no_unknown_keys, unknown_keys

_PATTERN = frozenset("*?[]{}\\")
LONGEST_ROW = 65_536
LONGEST_RAW = 1_048_576  # bytes of a line that are kept: each is copied several times in the heap
BROKEN, RAW, FILE, SIZE, ARRIVED = "_broken", "_raw", "_file", "_size", "_arrived"
BROKEN_REASONS = (
    "not_utf8",
    "too_long",
    "malformed_json",
    "malformed_csv",
    "missing_field",
    "wrong_type",
)
_OF_FILE = (FILE, SIZE, ARRIVED)
_CORRUPT, _PARSED = "_corrupt_record", "_parsed"
_STRICT_JSON = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
_CSV = {
    "escape": '"',
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": _CORRUPT,
    "maxColumns": str(LONGEST_ROW + 1),  # of more the parser makes an error that ends the run
}


def open_feed(
    reader: DataFrameReader | DataStreamReader, feed: Feed, landing: str, new: Iterable[str]
) -> DataFrame:
    """Open the files of a feed, as a table or as a stream, as their format gives them.

    Parameters
    ----------
    new : iterable of str
        Addresses of those that will be read: Parquet files say themselves what they hold.
    """
    address = f"{landing}/{feed.files}"
    if feed.format == "parquet":
        reader = reader.schema(parquet_schema(SparkSession.active(), new, feed))
    frame = reader.format("parquet" if feed.format == "parquet" else "text").load(address)
    if feed.format != "parquet":
        frame = frame.withColumn("value", _cut(F.col("value")))
    if feed.format == "csv":
        frame = frame.filter(~_is_header(feed))
    return frame.select(
        "*",
        F.col("_metadata.file_path").alias(FILE),
        F.col("_metadata.file_size").alias(SIZE),
        F.col("_metadata.file_modification_time").alias(ARRIVED),
    )


def file_with_rows(spark: SparkSession, feed: Feed, files: Collection[str]) -> str | None:
    """Return one of the files that holds a row now, as `open_feed` would give it."""
    frame = spark.read.format("parquet" if feed.format == "parquet" else "text").load(list(files))
    if feed.format == "csv":
        frame = frame.filter(~_is_header(feed))
    found = frame.select("_metadata.file_path").first()
    return landed_name(found[0]) if found else None


def parse(frame: DataFrame, feed: Feed) -> DataFrame:
    """Bring opened rows to one shape: the feed's fields as text, raw text, why it is broken.

    Beside them stand the names that no field asks for, in rows that could be read.
    """
    if feed.format == "jsonl":
        return _parse_json(frame, feed)
    if feed.format == "csv":
        return _parse_csv(frame, feed).withColumn(UNKNOWN, no_unknown_keys())
    return _parse_parquet(frame, feed)


def _parse_parquet(frame: DataFrame, feed: Feed) -> DataFrame:
    kinds = {name: frame.schema[name].dataType for name in feed.fields}
    texts = (as_text(name, kind) for name, kind in kinds.items())
    raw = F.to_json(F.struct(*map(quoted, kinds))).alias(RAW)
    broken = F.when(no_utf8(kinds), "not_utf8").alias(BROKEN)
    rows = frame.select(FILE, SIZE, ARRIVED, raw, broken, *texts)
    return rows.withColumn(UNKNOWN, no_unknown_keys())


def _parse_json(frame: DataFrame, feed: Feed) -> DataFrame:
    """Read each line once, as a map: it gives the fields and the names that are none of them."""
    raw, pairs = F.col(RAW), F.col(_PARSED)
    # trimming costs more than parsing, so only the lines with blanks around them pay for a regex
    framed = raw.startswith("{") & raw.endswith("}") | raw.rlike(r"^\s*\{[\s\S]*\}\s*$")
    before_last = F.substring(raw.cast("binary"), F.lit(1), F.octet_length(raw) - 1)
    inner = before_last.cast("string").contains("}")  # cheap, and rare
    more = F.coalesce(F.when(inner, ~_is_one_value(raw)), F.lit(False))
    # not `pairs[name]`: that counts as cheap, and the search for a name is repeated at every use
    fields = {name: F.element_at(pairs, F.lit(name)) for name in feed.fields}
    unknown = unknown_keys(pairs, fields)
    twice = F.coalesce(F.when(unknown.isNotNull(), names_twice(pairs)), F.lit(False))
    wrong = pairs.isNull() | ~framed | more | twice
    parsed = F.from_json(_short_line(), "map<string, string>", _STRICT_JSON)
    broken = _broken("malformed_json", wrong)
    return _lines(frame, parsed).select(
        RAW,
        *_OF_FILE,
        *(field.alias(name) for name, field in fields.items()),
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
    broken = _broken("malformed_csv", blank | row[_CORRUPT].isNotNull() | _ends_inside_quotes(feed))
    fields = (row[name].alias(name) for name in feed.fields)
    return _lines(frame, parsed).select(RAW, *_OF_FILE, *fields, broken.alias(BROKEN))


def _lines(frame: DataFrame, parsed: Column) -> DataFrame:
    """Put each line beside what it was parsed to, so that it is parsed once."""
    return frame.select(F.col("value").alias(RAW), *_OF_FILE, parsed.alias(_PARSED))


def _broken(malformed: str, wrong: Column) -> Column:
    """Return why a line cannot be read; `wrong` says what is malformed, the parser's view too."""
    raw = F.col(RAW)
    return (
        F.when(F.octet_length(raw) > LONGEST_ROW, "too_long")
        .when(~F.is_valid_utf8(raw), "not_utf8")
        .when(wrong, malformed)
    )


def _cut(line: Column) -> Column:
    """Bound a monstrous line; whoever needs all of it finds it in its file."""
    start = F.substring(line.cast("binary"), 1, LONGEST_RAW).cast("string")
    note = F.concat(start, F.lit(" [cut; "), F.octet_length(line), F.lit(" bytes in all]"))
    return F.when(F.octet_length(line) <= LONGEST_RAW, line).otherwise(note)


def _short_line() -> Column:
    """Give the parsers null for a line that is too long: they take several times its memory."""
    line = F.col("value")
    return F.when(F.octet_length(line) <= LONGEST_ROW, line)


def _is_header(feed: Feed) -> Column:
    """Tell a header, quoted or not; also inside a file, where files were joined end to end."""
    names = feed.separator.join(feed.fields).replace('"', "")
    return F.replace("value", F.lit('"'), F.lit("")) == names


def _ends_inside_quotes(feed: Feed) -> Column:
    """Tell a line whose last quoted field goes on after a line break: half a row, not a row."""
    raw = F.col(RAW)
    quotes = F.octet_length(raw) - F.octet_length(F.replace(raw, F.lit('"'), F.lit("")))
    opens = raw.startswith('"') | raw.contains(f'{feed.separator}"')
    return opens & (quotes % 2 == 1)


def landed_files(spark: SparkSession, feed: Feed, landing: str) -> dict[str, int]:
    """Return the sizes in bytes of the files a feed's glob matches now, by address.

    Raises
    ------
    InputError
        No file below the landing folder matches, or a folder stands where a file is expected.
    """
    pattern = f"{landing}/{feed.files}"
    found = {file: size for file, size in matches(spark, pattern).items() if not _hidden(file)}
    if not found:
        raise InputError(
            f"No file matches {pattern}.",
            "Check what the shop delivered, or the `files` of the source in jobs/sources.yaml.",
        )
    for file, size in found.items():
        if size == FOLDER:
            raise InputError(
                f"{file} is a folder where a file is expected.",
                "Move its files up, or correct the `files` of the source in jobs/sources.yaml.",
            )
    return {_plain(file): size for file, size in found.items()}


def _hidden(file: str) -> bool:
    """Tell the name of a half-upload: Spark passes over it."""
    return file.rpartition("/")[2][0] in "._" or file.endswith("._COPYING_")


def batch_bound(sizes: Collection[int], settings: Settings) -> dict[str, str]:
    """Return what bounds a batch: Spark takes a limit in bytes or one in files, never both.

    Where even the largest files, as many as the one limit lets into a batch, stay below the other,
    files are the tighter bound and both hold. Else bytes are what fills the memory.

    >>> from infra.settings import Settings
    >>> few = Settings(user_key_secret="x" * 16, ingest_batch_files=2, ingest_batch_bytes=100)
    >>> batch_bound([10, 20, 30], few), batch_bound([10, 20, 90], few), batch_bound([60], few)
    ({'maxFilesPerTrigger': '2'}, {'maxBytesPerTrigger': '100'}, {'maxBytesPerTrigger': '100'})
    """
    most = settings.ingest_batch_files
    largest = sorted(sizes)[-most:]
    if len(sizes) > most and sum(largest) <= settings.ingest_batch_bytes:
        return {"maxFilesPerTrigger": str(most)}
    return {"maxBytesPerTrigger": str(settings.ingest_batch_bytes)}


def require_plain_names(files: Iterable[str]) -> None:
    """Refuse names that Spark's stream takes for patterns: it read their neighbours twice.

    Raises
    ------
    InputError
        A name holds a sign of a pattern.
    """
    for file in files:
        if not _PATTERN.isdisjoint(file):
            raise InputError(
                f"{file} has one of the signs * ? [ ] {{ }} \\ in its name.",
                "Rename it before it is read: Spark takes such a name for a pattern of many.",
            )


def require_unchanged(landed: dict[str, int], read: dict[str, int]) -> None:
    """Hold the files as they are now against their sizes when they were read.

    Raises
    ------
    InputError
        A file has another size now: what came later was never read.
    """
    for file, size in landed.items():
        if read.get(file, size) != size:
            raise InputError(
                f"{file} had {read[file]} bytes when it was read and has {size} now.",
                "Deliver it whole under a new name: repeated events are left out by their ids.",
            )


def require_read(new: Iterable[str], landed: Collection[str], read: Collection[str]) -> None:
    """Hold the files that a run was to read, and that still lie there, against those in a batch.

    Raises
    ------
    StorageError
        The checkpoint counts a file as read, and no batch of the lake has it.
    """
    for file in new:
        if file in landed and file not in read:
            raise StorageError(
                f"{file} was passed over: the checkpoint has it as read, and no batch holds it.",
                "Restore the lake and its checkpoints from the same backup, or give the file "
                "another name: repeated events are left out by their ids.",
            )


def landed_name(address: str) -> str:
    """Write the address of a file as the listing does; Spark's own column quotes it as a URL."""
    return _plain(unquote(address))


def _plain(address: str) -> str:
    """Write a local address as a path: Hadoop says file:/x, Spark's columns say file:///x."""
    if not address.startswith("file:"):
        return address
    return "/" + address.removeprefix("file:").lstrip("/")
