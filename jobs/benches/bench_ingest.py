"""Measures the ingestion of many dirty events against DuckDB doing the same, on the same files.

    python -m jobs.benches.bench_ingest --events 10000000

simulates the events with 1% dirt, ingests them twice into empty lakes, by `ingest_events` and by
`bench_duckdb`, and reads their bytes. Each runs in a process of its own; times begin when Spark's
session runs and DuckDB is open, so that starting them does not count; memory is the highest sum
over the process and all its children. Every count is held against the simulator's truth. The last
line is JSON. All files are removed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.command_line import run_program
from infra.settings import load_settings
from infra.shop_home import ensure_home
from infra.spark import session as spark_session
from infra.storage import Storage
from jobs import ingest_events
from jobs.batches import books
from jobs.benches import bench_duckdb
from jobs.benches.measured_process import peak_of
from jobs.landing.sources import load_sources
from jobs.simulate_shop import SimulationOptions, Truth, simulate
from jobs.simulation.faults import QUARANTINED

RUN = "run=bench"
USER_KEYS_UNDER = "no secret: the users of a bench are simulated"
DAYS = 14
_BLOCK = 1 << 20


def mismatches(truth: Truth, counts: dict[str, Any]) -> list[str]:
    """Return where the counts of an ingestion differ from the simulator's truth."""
    faults = truth.faults
    expected = {
        "read": truth.lines,
        "clean": truth.clean,
        "duplicates": truth.duplicates,
        "quarantined": {kind: faults[kind] for kind in QUARANTINED if faults.get(kind)},
        "by_type": {kind: rows for kind, rows in truth.clean_by_type.items() if rows},
        "masked": faults.get("personal_text", 0),
        "unknown_columns": faults.get("unknown_column", 0),
    }
    counted = {**counts, "unknown_columns": sum(counts["unknown_columns"].values())}
    return [
        f"{name}: {counted[name]}, in truth {value}"
        for name, value in expected.items()
        if counted[name] != value
    ]


def with_catwalk(storage: Storage) -> dict[str, Any]:
    """Run the job on what landed and return its counts; the session runs already."""
    ingest_events.main(["--run", RUN])
    return books.totals(storage, RUN)


def with_duckdb(storage: Storage) -> dict[str, Any]:
    """Do the same work by DuckDB, into a folder beside the lake."""
    feed = load_sources(("shop",))["shop"].events
    secret = storage.settings.user_key_secret.get_secret_value()
    lake = Path(storage.settings.lake).with_name("duckdb")
    return bench_duckdb.ingest(bench_duckdb.Work(Path(storage.landing), lake, feed, secret))


def summary(
    truth: Truth, catwalk: dict[str, Any], duckdb: dict[str, Any], read_s: float
) -> dict[str, Any]:
    """Return the line of the bench, from what the engines took and counted."""
    wrong = [
        f"{name} counts {mismatch}"
        for name, outcome in (("catwalk", catwalk), ("duckdb", duckdb))
        for mismatch in mismatches(truth, outcome["counts"])
    ]
    for line in wrong:
        print(line)
    return {
        "events": truth.clean,
        "catwalk_s": round(catwalk["seconds"], 2),
        "duckdb_s": round(duckdb["seconds"], 2),
        "ratio": round(catwalk["seconds"] / duckdb["seconds"], 2),
        "peak_gb": round(catwalk["peak_gb"], 2),
        "counts_match": not wrong,
        "events_per_s": round(truth.clean / catwalk["seconds"]),
        "duckdb_peak_gb": round(duckdb["peak_gb"], 2),
        "read_s": round(read_s, 2),
    }


def bench(folder: Path, events: int) -> dict[str, Any]:
    """Simulate into a folder and measure everything there."""
    first = (datetime.now(UTC) - timedelta(days=DAYS)).date()
    options = SimulationOptions(events=events, days=DAYS, first_day=first)
    truth = simulate(folder / "landing", options)
    read_s = _read(folder / "landing/events")
    outcomes = {name: _measured(folder, name) for name in ("duckdb", "catwalk")}
    for name, outcome in outcomes.items():
        rate = truth.lines / outcome["seconds"]
        print(f"{name}: {outcome['seconds']:.1f} s, {rate:,.0f} rows a second", flush=True)
    return summary(truth, outcomes["catwalk"], outcomes["duckdb"], read_s)


def _read(folder: Path) -> float:
    """Return the seconds that reading all bytes takes, by one thread."""
    started = time.perf_counter()
    for path in folder.rglob("*.jsonl"):
        with path.open("rb", buffering=0) as file:
            while file.read(_BLOCK):
                pass
    return time.perf_counter() - started


def _measured(folder: Path, engine: str) -> dict[str, Any]:
    """Run one engine in a process of its own; return its seconds, its counts and its memory."""
    own = {
        "HOME": folder / "home",
        "LANDING": folder / "landing",
        "USER_KEY_SECRET": USER_KEYS_UNDER,
    }
    answer = folder / f"{engine}.json"
    command = [sys.executable, "-m", __spec__.name, "--engine", engine, "--answer", str(answer)]
    peak = peak_of(command, {f"CATWALK_{name}": value for name, value in own.items()})
    outcome: dict[str, Any] = json.loads(answer.read_text())
    return {**outcome, "peak_gb": peak}


def _run_engine(engine: str, answer: Path) -> None:
    settings = load_settings()
    ensure_home(settings)
    storage = Storage(settings)
    if engine == "catwalk":
        spark_session.start_local(settings)
    started = time.perf_counter()
    counts = with_catwalk(storage) if engine == "catwalk" else with_duckdb(storage)
    seconds = time.perf_counter() - started
    answer.write_text(json.dumps({"seconds": seconds, "counts": counts}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print, the line of JSON last; 1 where a count is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m jobs.benches.bench_ingest", description=__doc__
    )
    parser.add_argument("--events", type=int, default=10_000_000, metavar="N")
    parser.add_argument("--engine", choices=("catwalk", "duckdb"), help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.engine:
        _run_engine(chosen.engine, chosen.answer)
        return 0
    with tempfile.TemporaryDirectory(prefix="catwalk-bench-") as folder:
        line = bench(Path(folder), chosen.events)
    print(json.dumps(line))
    return 0 if line["counts_match"] else 1


if __name__ == "__main__":
    sys.exit(run_program(main))
