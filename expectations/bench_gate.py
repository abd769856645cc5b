"""Measures what the events gate costs beyond the pass that wrote the events.

A separate process writes rows shaped like events, so that the peak memory is the gate's alone. It
also checks an earlier, smaller batch, so that this process starts cold and every rule applies. The
last line is JSON: `rows`; `profile_s`, the passes of SQL over the rows; `gate_s`, the whole gate,
from its imports to its record, with such passes; `peak_gb`, the most memory this process ever held.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from expectations import events
from expectations.checking.tables import open_reader
from expectations.deliveries import Spreads, latest_catalogue
from infra.command_line import run_program
from infra.errors import GateError, InputError
from infra.ledger.batches import read_batches
from infra.records.gates import GateRecord
from infra.settings import Settings
from infra.shop_home import ensure_home
from infra.storage import Storage

RUN, OLD, NEW = "run=bench", "batch=shop-000000", "batch=shop-000001"
END = datetime(2026, 11, 24, tzinfo=UTC)
WEEKS = timedelta(days=14)
_EVENTS = """
select md5((i + {salt})::varchar)[:16] as event_id,
    ('{start}'::timestamptz + to_microseconds(i * ({span} // {rows}))) as event_time,
    case when p < 0.55 then 'impression' when p < 0.83 then 'view' when p < 0.93 then 'click'
        when p < 0.96 then 'wishlist' when p < 0.99 then 'cart' else 'purchase' end as event_type,
    md5(floor({rows} / 10 * pow(random(), 1.5))::varchar) as user_key,
    'i' || floor(50000 * pow(random(), 2))::int as item_id,
    's' || (i // 20) as session_id, 'r' || (i // 12) as request_id, 'home' as placement,
    if(p >= 0.99, 1, null)::int as quantity, if(p >= 0.99, 19.9, null)::double as unit_price,
    if(p >= 0.99, 'EUR', null) as currency, null::int as rating
from (select i, random() as p from range({rows}) numbers(i))
"""
_ITEMS = """
select 'i' || i as item_id, 'Item ' || i as title, 'brand' || i % 300 as brand,
    'category' || i % 25 as category, 'red' as colour, 9.9::double as price, true as has_picture,
    true as in_stock, '2026-11-01'::timestamptz as updated_at from range(50000) numbers(i)
"""
_QUARANTINE = "select 'too_old' as reason, ''::blob as raw, '' as file, '' as source limit 0"


def main() -> int:
    """Write the rows in a process of its own, or check them in this one."""
    parser = argparse.ArgumentParser(prog="expectations.bench_gate", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--write", type=Path, help="only write the rows, below this folder")
    arguments = parser.parse_args()
    if arguments.rows < 100_000:
        raise InputError(f"{arguments.rows} rows are too few.", "Ask for 100,000 or more.")
    if arguments.write:
        write(_storage(arguments.write), arguments.rows)
    else:
        with TemporaryDirectory(prefix="catwalk-bench-") as folder:
            print(json.dumps(bench(Path(folder), arguments.rows)))
    return 0


def bench(home: Path, rows: int) -> dict[str, float | int]:
    """Check freshly written rows and return what it took."""
    command = [sys.executable, "-m", "expectations.bench_gate", "--rows", str(rows)]
    subprocess.run([*command, "--write", str(home)], check=True)
    storage = _storage(home)
    _commit(storage, NEW, rows, END)
    gate_s = _timed(lambda: _require_checked(events.gate_events(storage, RUN, END), rows))
    profile_s = _timed(lambda: _profile(storage))
    return {"rows": rows, "profile_s": profile_s, "gate_s": gate_s, "peak_gb": peak_gb()}


def peak_gb() -> float:
    """Return the most memory this process ever held; Linux counts it in KiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2)


def _profile(storage: Storage) -> None:
    with open_reader(storage) as reader:
        spreads = Spreads(reader, latest_catalogue(storage, RUN))
        events.measure_batch(reader, read_batches(storage)[NEW], spreads)


def _timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return round(time.monotonic() - started, 2)


def _require_checked(record: GateRecord, rows: int) -> None:
    """Make sure that the gate looked at every row and that every rule applied."""
    values = {check.name: check.value for check in record.checks}
    left_out = [check.name for check in record.checks if check.not_judged]
    if record.result != "passed" or left_out or values["rows"] != rows:
        failed = [check.name for check in record.checks if check.failed]
        raise GateError(f"Left out: {left_out}, failed: {failed}.", "Correct the bench's rows.")


def write(storage: Storage, rows: int) -> None:
    """Write the catalogue, an earlier batch and the rows; only the former are shown and checked."""
    import duckdb

    ensure_home(storage.settings)
    with duckdb.connect() as database:
        database.execute("set timezone = 'UTC'; set preserve_insertion_order = false")
        for table in ("items", "catalogue"):
            _copy(database, storage, table, "run=earlier", _ITEMS)
            storage.lake.commit(table, "run=earlier", {"rows": 50_000, "as_of": END})
        past = max(rows // 10, 10_000)
        for batch, count, start in ((OLD, past, END - 2 * WEEKS), (NEW, rows, END - WEEKS)):
            spread = {"start": start, "rows": count, "salt": 10**12 * (batch == NEW)}
            span = WEEKS // timedelta(microseconds=1)
            _copy(database, storage, "events", batch, _EVENTS.format(**spread, span=span))
            _copy(database, storage, "quarantine", batch, _QUARANTINE)
            storage.lake.commit("quarantine", batch, {"rows": 0})
        _commit(storage, OLD, past, END - WEEKS)
    events.gate_events(storage, "run=before", END - WEEKS)


def _copy(database: Any, storage: Storage, table: str, partition: str, rows: str) -> None:
    folder = Path(storage.lake.begin(table, partition))
    folder.parent.mkdir(parents=True, exist_ok=True)
    size = "(format parquet, file_size_bytes '80MB')"
    database.execute(f"copy ({rows}) to '{folder}' {size}")


def _commit(storage: Storage, batch: str, rows: int, end: datetime) -> None:
    facts = {"source": "shop", "run": batch, "clean": rows, "rows_read": rows}
    counts = {
        "quarantined": {},
        "duplicates": 0,
        "not_events": {},
        "last_event": end - timedelta(seconds=1),
    }
    storage.lake.commit("events", batch, {**facts, **counts, "written_at": end})


def _storage(home: Path) -> Storage:
    places = {name: str(home / name) for name in ("landing", "lake", "published", "reports")}
    chosen = {"home": home, "user_key_secret": "not a secret, of 16", **places}
    return Storage(Settings.model_validate(chosen))


if __name__ == "__main__":
    sys.exit(run_program(main))
