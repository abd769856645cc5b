"""Accounts for every row that was read; a batch whose sum does not hold is not shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from infra.errors import InputError
from infra.lake import batch_source
from infra.ledger.batches import BatchReader
from infra.ledger.run_records import RunRecords
from infra.storage import Storage
from jobs.cleaning.repeats import may_hold_repeated
from jobs.cleaning.row_outcome import CLEAN, IGNORED, NOTES
from jobs.landing.landing_folder import name_below

_DAY = 86_400_000_000  # microseconds
# counts of a manifest, as the summary calls them; `not_events` are the ignored rows, by rule
_COUNTS = {
    "by_type": "by type",
    "quarantined": "quarantined",
    "not_events": "ignored",
    "notes": "changed",
    "conflicting_ids": "ids of different events",
    "unknown_columns": "unknown columns",
}
_MOST_LOGGED, _MOST_SHOWN = 10, 50  # files named for people; a manifest names every one


def count_outcomes(sorted_rows: DataFrame) -> list[Row]:
    """Count sorted rows by outcome, reason and file, with the days of the clean ones.

    Beside them the texts that were masked, the rows with unknown columns and those with notes.
    """
    keys = ("outcome", "reason", "file", "file_size")
    day = F.when(F.col("outcome") == CLEAN, _day()).alias("day")
    unknown = F.count_if(F.size("unknown") > 0).alias("unknown")
    noted = F.count_if(F.size(NOTES) > 0).alias("noted")
    sums = (F.count("*").alias("count"), F.sum("masked").alias("masked"), unknown, noted)
    by_day = sorted_rows.groupBy(*keys, day).agg(*sums)
    added = (F.sum(name).alias(name) for name in ("count", "masked", "unknown", "noted"))
    # thousands of files with a year of days each would fill this process: a row per file
    return by_day.groupBy(*keys).agg(*added, F.collect_set("day").alias("days")).collect()


def count_written(events: DataFrame) -> list[Row]:
    """Count events by type and day (UTC), with the times between which they lie."""
    micros = F.unix_micros("event_time")  # a datetime would come in the time zone of this process
    times = (F.min(micros).alias("first"), F.max(micros).alias("last"))
    groups = events.groupBy("event_type", _day().alias("day"))
    return groups.agg(F.count("*").alias("count"), *times).collect()


def _day() -> Column:
    """Return the day of an event; `to_date` would ask the time zone for every row."""
    return F.date_from_unix_date(F.floor(F.unix_micros("event_time") / _DAY).cast("int"))


def manifests(batches: BatchReader, source: str) -> dict[str, dict[str, Any]]:
    """Return the manifest of every batch of a source, by batch."""
    every = batches.manifests().items()
    return {batch: manifest for batch, manifest in every if batch_source(batch) == source}


def near_batches(
    batches: BatchReader, earlier: Mapping[str, dict[str, Any]], days: set[date]
) -> dict[str, str | None]:
    """Return the batches whose events clean rows of these days could repeat, and what was decided.

    Discarded ones are left out; None means that nothing was decided yet.
    """
    near = {
        batch: manifest for batch, manifest in earlier.items() if may_hold_repeated(manifest, days)
    }
    words = {batch: decided.word for batch, decided in batches.decided(near).items()}
    return {batch: word for batch, word in words.items() if word != "discarded"}


def write_up(
    outcomes: list[Row],
    written: list[Row],
    quarantined: dict[str, int],
    duplicates: int,
    rows_read: int,
) -> dict[str, Any]:
    """Return the books of a batch, from five independent counts.

    Parameters
    ----------
    outcomes : list of Row
        `count_outcomes` of the sorted rows.
    written : list of Row
        `count_written` of the events read back from where they were written.
    quarantined : dict of str to int
        Quarantined rows by reason, as counted on disk.
    duplicates : int
        Rows left out for their event id.
    rows_read : int
        Rows the files gave, counted before anything looked at them.

    Raises
    ------
    InputError
        The sum does not hold: read = clean + quarantined + duplicates + ignored.
    """
    manifest = {
        "rows_read": rows_read,
        "clean": sum(row["count"] for row in written),
        "duplicates": duplicates,
        "quarantined": quarantined,
        "not_events": _ignored(outcomes),
        "by_type": _add({row["event_type"]: row["count"]} for row in written),
        "masked": sum(row["masked"] for row in outcomes if row["outcome"] == CLEAN),
        "first_event": _time(min((row["first"] for row in written), default=None)),
        "last_event": _time(max((row["last"] for row in written), default=None)),
        "days": sorted({row["day"].isoformat() for row in written}),
        "written_at": datetime.now(UTC),
    }
    check_sum(manifest)
    return manifest


def check_sum(manifest: dict[str, Any]) -> None:
    """Hold the books: rows read = clean + quarantined + duplicates + ignored.

    Raises
    ------
    InputError
        The sum does not hold; the batch must not be shown.
    """
    refused = sum(manifest["quarantined"].values()) + sum(manifest["not_events"].values())
    accounted = manifest["clean"] + manifest["duplicates"] + refused
    if accounted != manifest["rows_read"]:
        raise InputError(
            f"{manifest['rows_read']} rows were read and {accounted} accounted for.",
            "A file changed while it was read: run again once the upload is over.",
        )


def summary(manifest: dict[str, Any]) -> str:
    """Say what became of a batch's rows, one line for all and one for each kind of detail."""
    return "\n  ".join((_totals_line(manifest), *_details(manifest)))


def _details(manifest: dict[str, Any]) -> Iterator[str]:
    for name, word in _COUNTS.items():
        counts = sorted(manifest[name].items(), key=lambda count: -count[1])
        if counts:
            listed = ", ".join(f"{kind} {rows:,}" for kind, rows in counts)
            yield f"{word}: {listed}"
    if undecided := ", ".join(manifest["repeats_of_undecided"]):
        yield (
            f"some of the duplicates may repeat {undecided}, not accepted so far: if it is "
            "discarded, deliver these files again under new names"
        )
    if manifest["masked"]:
        yield f"masked: {manifest['masked']:,} texts that looked like personal data"
    yield from _out_of_time(manifest["out_of_time"])
    yield from _files(manifest["files"])


def _files(files: list[dict[str, Any]]) -> Iterator[str]:
    """Say how many they are, and name the largest; a name may hold whatever the shop likes."""
    yield f"files: {len(files):,}, {sum(file['bytes'] for file in files):,} bytes"
    for file in _largest(files, _MOST_LOGGED):
        yield f"  {file['bytes']:>15,} bytes {file['rows']:>12,} rows  {_printable(file['file'])}"
    if len(files) > _MOST_LOGGED:
        yield f"  and {len(files) - _MOST_LOGGED:,} smaller ones; the manifest names them all"


def _out_of_time(files: list[dict[str, Any]]) -> Iterator[str]:
    """Name the files whose clock is wrong, or that come far too late."""
    for file in files[:_MOST_LOGGED]:
        yield f"no row is in time: {_printable(file['file'])}, {file['reason']} {file['rows']:,}"
    if len(files) > _MOST_LOGGED:
        yield f"and of {len(files) - _MOST_LOGGED:,} more files; the manifest names them all"


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _largest(files: Iterable[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    return sorted(files, key=lambda file: (-file["bytes"], file["file"]))[:most]


def _totals_line(manifest: dict[str, Any]) -> str:
    parts = (
        f"{manifest['rows_read']:,} rows read",
        f"{manifest['clean']:,} clean",
        f"{sum(manifest['quarantined'].values()):,} quarantined",
        f"{manifest['duplicates']:,} duplicates",
        f"{sum(manifest['not_events'].values()):,} ignored",
    )
    return f"{manifest['batch']}: " + ", ".join(parts)


def totals(storage: Storage, run: str) -> dict[str, Any]:
    """Add up the manifests of the batches a run ingested, also by attempts that died later."""
    every = BatchReader(storage).manifests().values()
    manifests = [manifest for manifest in every if manifest["run"] == run]
    files = [file for manifest in manifests for file in manifest["files"]]
    late = [file for manifest in manifests for file in manifest.get("out_of_time", [])]
    return {
        "batches": [manifest["batch"] for manifest in manifests],
        "files": len(files),
        "bytes": sum(file["bytes"] for file in files),
        "largest_files": [
            {**file, "file": name_below(storage.landing, file["file"])}
            for file in _largest(files, _MOST_SHOWN)
        ],
        "out_of_time_files": len(late),
        "out_of_time": late[:_MOST_SHOWN],
        "read": sum(manifest["rows_read"] for manifest in manifests),
        "clean": sum(manifest["clean"] for manifest in manifests),
        "duplicates": sum(manifest["duplicates"] for manifest in manifests),
        "quarantined": _add(manifest["quarantined"] for manifest in manifests),
        "not_events": _add(manifest["not_events"] for manifest in manifests),
        "by_type": _add(manifest["by_type"] for manifest in manifests),
        # older manifests lack these counts
        "notes": _add(manifest.get("notes", {}) for manifest in manifests),
        "conflicting_ids": _add(manifest.get("conflicting_ids", {}) for manifest in manifests),
        "unknown_columns": _add(manifest.get("unknown_columns", {}) for manifest in manifests),
        "masked": sum(manifest.get("masked", 0) for manifest in manifests),
    }


def counts(storage: Storage, run: str) -> dict[str, Any]:
    """Return what Airflow shows of a run's ingestion: counts, no rows."""
    record = RunRecords(storage, run).load_ingest() or {}
    return {name: record.get(name) for name in ("read", "clean", "duplicates", "batches")}


def _add(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(sorted(total.items()))


def _ignored(outcomes: Iterable[Row]) -> dict[str, int]:
    rows = ((row["reason"], row["count"]) for row in outcomes if row["outcome"] == IGNORED)
    return _add({reason: count} for reason, count in rows)


def _time(micros: int | None) -> datetime | None:
    return None if micros is None else datetime.fromtimestamp(micros / 1e6, UTC)
