"""Tries a source of `jobs/sources.yaml` on a sample of its files; no shop sees anything of it.

make try-source DATA=folder SOURCE=name    a folder laid out like a landing folder, or just of files

It reads the heads of some files into a home that is gone afterwards, and shows the books, the first
rows as Catwalk sees them, quarantined rows, and what each rule of the events gate says. A
`sources.yaml` in the folder takes the place of `jobs/sources.yaml`.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from infra.command_line import run_program, text_table
from infra.errors import GateError, InputError
from infra.ledger.run_records import RunRecords
from infra.loading import load_named
from infra.records.gates import Check
from infra.schemas import EVENTS
from infra.settings import Settings
from infra.shop_home import ensure_home
from infra.spark.session import start_local
from infra.storage import Storage
from jobs.batches import books
from jobs.batches.examples import examples
from jobs.batches.ingestion import ingest
from jobs.landing import sources
from jobs.landing.first_bytes import packing_of
from jobs.landing.landing_folder import landed_files
from jobs.landing.mapping_check import require_mapping
from jobs.landing.sources import EventFeed, load_sources

RUN = "run=try"
_HEAD, _ENOUGH = 400_000, 4_000_000  # bytes of a text, and of a sample
_ROWS, _SHOWN = 5, 3  # of the table, and of each reason
_LINES_OF_A_ROW = 100  # that a row of CSV may go on over where a head is cut
_AS_TEXT = {".jsonl", ".json", ".csv", ".tsv", ".txt", ".log"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Try a source; 0 if its sample passes the critical rules of the gate."""
    parser = argparse.ArgumentParser(prog="jobs.try_source", description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder of files")
    parser.add_argument("--source", required=True, help="name of the source")
    parser.add_argument("--gate", required=True, help="the events gate, as package.module:name")
    chosen = parser.parse_args(arguments)
    if not chosen.source or chosen.data == Path() or not chosen.data.is_dir():
        raise InputError(
            f"No source is named, or '{chosen.data}' is no folder.",
            "Give DATA=folder and SOURCE=name.",
        )
    with tempfile.TemporaryDirectory(prefix="catwalk-try-") as home:
        storage = Storage(_settings(Path(home), chosen.source))
        ensure_home(storage.settings)
        return _try(storage, chosen.data.resolve(), chosen.source, load_named(chosen.gate))


def _settings(home: Path, source: str) -> Settings:
    """Return settings of a home of its own, whatever the environment says."""
    places = {name: str(home / name) for name in ("landing", "lake", "published", "reports")}
    key = {"user_key_secret": secrets.token_urlsafe(32)}
    return Settings.model_validate({"home": home, "sources": (source,), **places, **key})


def _try(storage: Storage, data: Path, name: str, gate: Any) -> int:
    own = data / sources.FILE.name
    file = own if own.exists() else sources.FILE
    found = load_sources((name,), file)
    feed = found[name].events
    spark = start_local(storage.settings)
    require_mapping(spark, name, found[name], file)
    of_data = storage.settings.model_copy(update={"landing": str(data)})
    named = landed_files(spark, feed.model_copy(update={"may_be_empty": True}), of_data)
    print(_take_sample(data, sorted(named), feed, Path(storage.landing)), flush=True)
    ingest(spark, storage, name, feed, RUN)
    RunRecords(storage, RUN).save_ingest(books.totals(storage, RUN))
    newest = _show_rows(storage)
    _show_quarantined(examples(storage, RUN, found))
    if newest is None:
        print("\nNo row is an event: the gate has nothing to check.")
        return 1
    return _show_rules(storage, gate, newest)


def _take_sample(data: Path, names: list[str], feed: EventFeed, landing: Path) -> str:
    """Copy the heads of some files to where the source looks; say how much that is."""
    into = {name: data / name for name in names}
    if not names:  # the files themselves, not laid out
        folder = Path(feed.files).parent
        plain = [file for file in sorted(data.iterdir()) if file.is_file()]
        into = {str(folder / file.name): file for file in plain if file.suffix != ".yaml"}
    size, taken = 0, 0
    for name in sorted(into, reverse=True):  # the newest first, where names say when
        if size < _ENOUGH:
            target = landing / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy_head(into[name], target, feed)
            size, taken = size + target.stat().st_size, taken + 1
    return f"A sample of {taken} of {len(into)} files, {size / 1e6:,.1f} MB\n"


def _copy_head(file: Path, target: Path, feed: EventFeed) -> None:
    """Copy whole lines of a text, or all of any other file; with its times, by which rows age."""
    with file.open("rb") as content:
        head = content.read(_HEAD + 1)
    if len(head) > _HEAD and file.suffix in _AS_TEXT and not packing_of(head):
        target.write_bytes(head[: end_of_rows(head, feed)] or head)
    else:
        shutil.copyfile(file, target)
    shutil.copystat(file, target)


def end_of_rows(head: bytes, feed: EventFeed) -> int:
    """Return where the last whole row ends, which in CSV is not within quotes."""
    last = end = head.rfind(b"\n") + 1
    for _ in range(_LINES_OF_A_ROW if feed.format == "csv" else 0):
        if head.count(b'"', 0, end) % 2 == 0:
            return end
        end = head.rfind(b"\n", 0, end - 1) + 1
    return last


def _show_rows(storage: Storage) -> datetime | None:
    """Print the first events; return the time of the newest, None without any."""
    events = storage.lake.dataset(EVENTS.name, *storage.lake.partitions(EVENTS.name)).to_table()
    if not events.num_rows:
        return None
    first = events.slice(0, _ROWS).to_pylist()
    names = [name for name in EVENTS.columns if any(row[name] is not None for row in first)]
    print("\nThe first rows as Catwalk sees them; keys are cut:\n")
    print(text_table(names, [[_cell(row[name]) for name in names] for row in first]))
    newest: datetime = max(events.column("event_time").to_pylist())
    return newest


def _cell(value: object) -> str:
    return "" if value is None else str(value)[:24]


def _show_quarantined(shown: dict[str, Any]) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in shown["examples"]:
        rows.setdefault(row["reason"], []).append(row)
    for reason, found in rows.items():
        print(f"\nQuarantined as {reason}, for instance:")
        for row in found[:_SHOWN]:
            fields = ", ".join(f"{name}: {value}" for name, value in row["fields"].items())
            print(f"  {fields or 'cannot be parsed; its shape: ' + row['shape']}")
    if shown["unknown_words"]:
        print("\nEvent types that no rule knows:")
        words = [(word, f"{count:,}") for word, count in shown["unknown_words"].items()]
        print(text_table(("word", "rows"), words))
    if shown["time_forms"]:
        print("\nTimes of a form that the source does not name; a digit is 9, a letter a or A:")
        forms = [(form, f"{count:,}") for form, count in shown["time_forms"].items()]
        print(text_table(("form", "rows"), forms))


def _show_rules(storage: Storage, gate: Any, as_of: datetime) -> int:
    """Print what each rule says as of the newest event; 1 if one would stop the batch."""
    stopped = 0
    try:
        gate(storage, RUN, as_of)
    except GateError:
        stopped = 1
    record = RunRecords(storage, RUN).load_gate("events")
    checks = record.checks if record else ()
    print("\nWhat the rules of the events gate say of it:\n")
    header = ("rule", "value", "min", "max", "result")
    print(text_table(header, [_line(check) for check in checks]))
    print("\nNothing was kept.", "A critical rule would stop it." if stopped else "It would pass.")
    return stopped


def _line(check: Check) -> tuple[str, ...]:
    numbers = ("" if x is None else f"{x:g}" for x in (check.value, check.min, check.max))
    said = check.not_judged or ("passed" if check.passed else f"FAILED ({check.severity})")
    return (check.name, *numbers, said)


if __name__ == "__main__":
    sys.exit(run_program(main))
