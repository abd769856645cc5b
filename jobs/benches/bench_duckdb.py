"""Does the work of `ingest_events` on simulated JSONL in DuckDB, to measure the job against it.

The same rules, key, masking, duplicates, quarantine and counts, as well as DuckDB can: every
line read once, its fields taken out at once, users hashed once each, files written in parallel.
The lake is empty before, so no earlier batch is compared. It knows flat JSON lines only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from infra.person_keys import visitor_secret
from infra.schemas import EVENT_TYPES, EVENTS, KEYS, PERSON_IDS
from jobs.cleaning.user_keys import hmac_keys
from jobs.landing.masking import SIGNS, mask_text
from jobs.landing.reading import LONGEST_ROW
from jobs.landing.sources import EventFeed

THREADS = 2
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.]\d{1,9})?)?(Z|[+-]\d\d:?\d\d)"
_NUMBERS = {
    "quantity": "INTEGER",
    "unit_price": "DOUBLE",
    "rating": "INTEGER",
    "position": "INTEGER",
}
_REQUIRED = ("event_id", "event_type", "event_time", "item_id")


@dataclass(frozen=True)
class Work:
    """What is to be ingested, by which rules, and where it goes."""

    landing: Path
    lake: Path
    feed: EventFeed
    secret: str


def ingest(work: Work) -> dict[str, Any]:
    """Write clean events and quarantined rows as Parquet and return the counts of the books."""
    (work.lake / "quarantine").mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": THREADS, "temp_directory": str(work.lake)}) as base:
        base.execute("set preserve_insertion_order = false; set timezone = 'UTC'")
        _arrivals(base, work)
        base.execute(_sorted(work))
        masked = sum(_mask(base, name) for name in EVENTS.texts)
        for kind, key, secret in zip(PERSON_IDS, KEYS, _secrets(work.secret), strict=True):
            base.execute(_keyed(kind, key, secret))
        base.execute(_repeats())
        base.execute(_copy_events(work.lake))
        unreadable = _quarantine_unreadable(base)
        base.execute(f"copy bad to '{work.lake}/quarantine/rows.parquet' (compression zstd)")
        return {**_counts(base, work, unreadable), "masked": masked}


def _arrivals(base: duckdb.DuckDBPyConnection, work: Work) -> None:
    files = sorted(work.landing.glob(work.feed.files))
    base.execute("create temp table files (filename text, arrived timestamptz)")
    rows = [(str(file), file.stat().st_mtime) for file in files]
    base.executemany("insert into files values (?, to_timestamp(?))", rows)


def _sorted(work: Work) -> str:
    """Read every line once into a table: the fields, the reason, and the line where it is bad."""
    fields = work.feed.fields
    paths = ", ".join(f"'$.{name}'" for name in fields)
    taken = ", ".join(f"found[{place}] as {name}" for place, name in enumerate(fields, 1))
    typed = ", ".join(f"try_cast({name} as {kind}) as {name}_" for name, kind in _NUMBERS.items())
    names = [name for name in fields if name not in (*_NUMBERS, "event_time")]
    numbers = ", ".join(f"{name}_ as {name}" for name in _NUMBERS)
    texts = EVENTS.texts
    names_of_fields = ", ".join(f"'{name}'" for name in fields)
    signs = " or ".join(f"regexp_matches({name}, '{SIGNS}')" for name in texts)
    return f"""
        create temp table sorted as
        with lines as (select line, filename, json_valid(line) and line like '%}}' as good
            from read_csv('{work.landing}/{work.feed.files}', columns = {{'line': 'VARCHAR'}},
                delim = '\x01', quote = '', escape = '', header = false, auto_detect = false,
                filename = true, ignore_errors = true, store_rejects = true, rejects_limit = 0)),
        parsed as (select line, filename, good, case when good then json_keys(line) end as keys,
            json_extract_string(case when good then line end, [{paths}]) as found from lines),
        flat as (select line, filename, good, keys, {taken} from parsed),
        typed as (select *, try_cast(event_time as timestamptz) as time_, {typed} from flat)
        select {", ".join(names)}, time_ as event_time, {numbers}, filename,
            {_reason(work.feed)} as reason,
            case when reason is not null then line end as raw,
            coalesce({signs}, false) as odd_text,
            list_filter(keys, lambda key: key not in ({names_of_fields})) as unknown
        from typed join files using (filename)"""


def _reason(feed: EventFeed) -> str:
    missing = [f"coalesce(trim({name}), '') = ''" for name in (*_REQUIRED, *PERSON_IDS)]
    nobody = " and ".join(missing[len(_REQUIRED) :])
    blank = " or ".join([*missing[: len(_REQUIRED)], f"({nobody})"])
    texts = [name for name in feed.fields if name not in (*_NUMBERS, "event_time")]
    nested = " or ".join(f"coalesce({name}[1] in ('{{', '['), false)" for name in texts)
    number = " or ".join(f"({name} is not null and {name}_ is null)" for name in _NUMBERS)
    types = ", ".join(f"'{kind}'" for kind in EVENT_TYPES)
    # DuckDB takes a bare NaN for JSON
    no_number = " or ".join(
        f"coalesce(isnan(try_cast({name} as double)), false)" for name in _NUMBERS
    )
    return f"""case when octet_length(line::blob) > {LONGEST_ROW} then 'too_long'
        when not good or {no_number} then 'malformed_json' when {blank} then 'missing_field'
        when time_ is null or not regexp_full_match(event_time, '{_TIME}') or {number} or {nested}
            then 'wrong_type'
        when event_type not in ({types}) then 'unknown_type'
        when time_ > arrived + interval 5 minute then 'future_time'
        when time_ < arrived - interval {feed.max_age_days} day then 'too_old'
        when quantity_ < 0 and event_type <> 'return' then 'negative_quantity' end"""


def _mask(base: duckdb.DuckDBPyConnection, name: str) -> int:
    """Mask one column; the few texts with a sign of personal data go through the same patterns."""
    of = f"from sorted where odd_text and reason is null and {name} is not null"
    odd = [text for (text,) in base.execute(f"select distinct {name} {of}").fetchall()]
    masked = [(text, mask_text(text)) for text in odd if mask_text(text) != text]
    if not masked:
        return 0
    base.execute("create or replace temp table masks (text text, masked text)")
    base.executemany("insert into masks values (?, ?)", masked)
    done = base.execute(
        f"update sorted set {name} = masked from masks where odd_text and reason is null "
        f"and {name} = text"
    ).fetchone()
    return int(done[0]) if done else 0


def _secrets(secret: str) -> tuple[str, str]:
    """Return the secrets of the keys of users and of visitors."""
    return secret, visitor_secret(secret)


def _keyed(kind: str, key: str, secret: str) -> str:
    """Hash every id of a kind once (HMAC, RFC 2104)."""
    inner, outer = (part.hex() for part in hmac_keys(secret))
    return f"""create temp table {kind}s as select {kind},
        sha256(unhex('{outer}') || unhex(sha256(unhex('{inner}') || {kind}::blob)))[:32]
        as {key} from (select distinct {kind} from sorted
            where reason is null and trim({kind}) <> '')"""


def _repeats() -> str:
    """Choose which row to keep of each event id that occurs more than once."""
    return """create temp table repeats as
        with ids as (select event_id from sorted where reason is null
            group by event_id having count(*) > 1)
        select event_id, min_by(sorted.rowid,
            (event_time, user_id, visitor_id, item_id, filename)) as stays
        from sorted semi join ids using (event_id) where reason is null group by 1"""


def _copy_events(lake: Path) -> str:
    columns = ", ".join(EVENTS.columns)
    joins = " ".join(f"left join {kind}s using ({kind})" for kind in PERSON_IDS)
    return f"""copy (select {columns} from sorted {joins}
        where reason is null and (event_id not in (select event_id from repeats)
            or sorted.rowid in (select stays from repeats)))
        to '{lake}/events' (format parquet, compression zstd, per_thread_output)"""


def _quarantine_unreadable(base: duckdb.DuckDBPyConnection) -> int:
    """Collect the bad rows; those that are not UTF-8 by their exact bytes, which DuckDB dropped."""
    base.execute("""create temp table bad as select reason, raw::blob as raw, filename as file
        from sorted where reason is not null""")
    rejects = base.execute("""select distinct file_path, line_byte_position from reject_errors
        join reject_scans using (scan_id, file_id) where error_type = 'INVALID ENCODING'""")
    places = rejects.fetchall()
    for path, start in places:
        with Path(path).open("rb") as file:
            file.seek(start - 1)
            row = (file.readline().rstrip(b"\n"), path)
        base.execute("insert into bad values ('not_utf8', ?, ?)", row)
    return len(places)


def _counts(base: duckdb.DuckDBPyConnection, work: Work, unreadable: int) -> dict[str, Any]:
    """Return the counts under the names of `books.totals`; clean rows are counted on disk."""

    def table(sql: str) -> dict[str, int]:
        return dict(base.execute(sql).fetchall())

    by_type = table(
        f"select event_type, count(*) from '{work.lake}/events/*.parquet' group by event_type"
    )
    unrefused = table("select reason is null, count(*) from sorted group by 1")
    clean = sum(by_type.values())
    return {
        "read": sum(unrefused.values()) + unreadable,
        "clean": clean,
        "duplicates": unrefused[True] - clean,  # type: ignore[index]
        "quarantined": table("select reason, count(*) from bad group by 1"),
        "by_type": by_type,
        "unknown_columns": table(
            "select name, count(*) from (select unnest(unknown) as name from sorted) group by 1"
        ),
    }
