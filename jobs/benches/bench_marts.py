"""Measures the marts of many exposures: from answers and events to `kpi_daily` and `test_units`.

    python -m jobs.benches.bench_marts --events 10000000

writes so many items of answers, ten an answer over 14 days, half of them in each arm of a test, and
what followed; then builds all marts from them in a process of its own. Time begins when Spark's
session runs; memory is the highest sum over the process and all its children. What the marts count
is held against what was written. The last line is JSON. All files are removed again.
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
from typing import TYPE_CHECKING, Any

from infra.command_line import run_program
from infra.ledger.ab_tests import add_ab_record
from infra.ledger.batches import decide
from infra.ledger.marts import built_by, mart, show
from infra.mart_schemas import KPI_DAILY, SERVED, TEST_UNITS
from infra.records.ab_tests import AbTest
from infra.records.gates import GATE, BatchDecision
from infra.schemas import EVENTS
from infra.settings import load_settings
from infra.shop_home import ensure_home
from infra.spark import session as spark_session
from infra.storage import Storage
from jobs import build_marts
from jobs.benches.measured_process import peak_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RUN = "run=bench"
DAYS, ITEMS = 14, 10  # items an answer
USER_KEYS_UNDER = "no secret: the users of a bench are made up"
_ANSWERS = """
create table answers as select i, md5('r' || i) as request_id, (hash(i) % {users})::int as person,
    (timestamptz '{start}' + to_microseconds((i * {step})::bigint)) as served_at,
    list_transform(range({items}), lambda j: 'i' || ((hash(i) % 20000 + j * 1999) % 20000))
        as item_ids
from range({answers}) numbers(i)
"""
_SERVED = """
select request_id, served_at, 'w1' as process, i + 1 as sequence, 'home' as placement,
    if(person % 2 = 0, 'v1', 'v2') as version, item_ids,
    list_transform(item_ids, lambda item: 'personal') as sources, {items}::int as asked,
    md5('u' || person) as user_key, md5('v' || person) as visitor_key, 'AT' as market,
    null::varchar as category, 'bench' as test, 1::int as phase,
    if(person % 2 = 0, 'control', 'treatment') as arm
from answers where served_at::date = '{day}'
"""
# a place of ten is seen with 60%, clicked with 3%; a third of the clicks end in the cart, a sixth
# in an order
_EVENTS = """
with shown as (select *, unnest(item_ids) as item_id, unnest(range({items})) as j from answers
    where served_at::date = '{day}'),
kinds as (select *, hash(i * 16 + j) % 1000 as chance from shown),
happened as (
    select *, 'impression' as kind, 5 as s from kinds where j < 6
    union all select *, 'click', 60 from kinds where chance < 30
    union all select *, 'cart', 90 from kinds where chance < 10
    union all select *, 'purchase', 120 from kinds where chance < 5)
select md5(kind || i || '-' || j) as event_id, served_at + to_seconds(s) as event_time,
    kind as event_type, md5('u' || person) as user_key, item_id, 's' || i as session_id,
    if(s < 90, request_id, null) as request_id, 'home' as placement,
    if(s >= 90, 1, null)::int as quantity, if(s >= 90, 9.9, null)::double as unit_price,
    if(s >= 90, 'EUR', null) as currency, null::int as rating, md5('v' || person) as visitor_key,
    'AT' as market, if(s = 120, 'o' || i, null) as order_id, null::int as position
from happened
"""
_COUNTED = """
select count(distinct person) as units, count(*) * {items} as items_shown,
    sum(list_sum(list_transform(range({items}),
        lambda j: (hash(i * 16 + j) % 1000 < 30)::int))) as clicks, count(*) * 6 as impressions
from answers
"""


def write(storage: Storage, exposures: int, end: datetime) -> dict[str, int]:
    """Write answers and events, a batch per day, and return what the marts must count."""
    import duckdb

    start, answers = end - timedelta(days=DAYS), exposures // ITEMS
    step = timedelta(days=DAYS) // timedelta(microseconds=1) / answers
    made = {"users": max(answers // 10, 1), "start": start, "step": int(step)}
    add_ab_record(storage, lambda _: _test(start))
    with duckdb.connect(config={"temp_directory": storage.lake.address()}) as base:
        base.execute("set timezone = 'UTC'; set preserve_insertion_order = false")
        base.execute(_ANSWERS.format(**made, items=ITEMS, answers=answers))
        for number in range(DAYS):
            _write_day(base, storage, number, start + timedelta(days=number))
        counted = base.execute(_COUNTED.format(items=ITEMS))
        names = [column[0] for column in counted.description or ()]
        return {name: int(value) for name, value in zip(names, counted.fetchall()[0], strict=True)}


def _write_day(base: DuckDBPyConnection, storage: Storage, number: int, day: datetime) -> None:
    tables = {SERVED.name: ("served_log", _SERVED), EVENTS.name: ("shop", _EVENTS)}
    for table, (source, sql) in tables.items():
        batch = f"batch={source}-{number:06d}"
        folder = Path(storage.lake.begin(table, batch))
        folder.mkdir(parents=True)
        rows = sql.format(items=ITEMS, day=day.date())
        base.execute(f"copy ({rows}) to '{folder}/part-0.parquet' (compression zstd)")
        facts = {"days": [str(day.date())], "first_event": day, "written_at": day, "processes": []}
        last = day + timedelta(days=1, microseconds=-1)
        storage.lake.commit(table, batch, {**facts, "last_event": last, "files": [], "run": RUN})
    decide(storage, batch, BatchDecision(decision="accepted", by=GATE, run=RUN, at=day))


def _test(start: datetime) -> AbTest:
    halves = {"layer": (0, 10_000), "control": (0, 5_000), "treatment": (5_000, 10_000)}
    return AbTest.model_validate(
        {
            **{"at": start, "by": "bench", "name": "bench", "hypothesis": "None: it is a bench."},
            **{"placements": ("home",), "unit": "user", "learnt_from": RUN},
            "control": {"version": "v1", "candidate": "a"},
            "treatment": {"version": "v2", "candidate": "b"},
            **{"primary": "conversion", "least_effect": 0.05, "planned_units": 1_000},
            "phase": {"salt": "a" * 32, **halves},
        }
    )


def counted(storage: Storage) -> dict[str, int]:
    """Return what the marts count."""
    show(storage, built_by(storage, RUN))
    kpis = mart(storage, KPI_DAILY.name).to_table().to_pydict()
    sums = {name: sum(kpis[name]) for name in ("items_shown", "impressions", "clicks")}
    return {"units": mart(storage, TEST_UNITS.name).count_rows(), **sums}


def bench(folder: Path, exposures: int) -> dict[str, Any]:
    """Write everything below a folder, build the marts, and return the line of the bench."""
    variables = {"CATWALK_HOME": folder / "home", "CATWALK_USER_KEY_SECRET": USER_KEYS_UNDER}
    answer = folder / "answer.json"
    command = [sys.executable, "-m", __spec__.name, "--answer", str(answer)]
    peak_of([*command, "--write", str(exposures)], variables)
    expected = json.loads(answer.read_text())
    peak = peak_of(command, variables)
    outcome = json.loads(answer.read_text())
    for name, value in expected.items():
        if outcome["counts"][name] != value:
            print(f"{name}: {outcome['counts'][name]}, written were {value}")
    seconds = outcome["seconds"]
    return {
        "exposures": expected["items_shown"],
        "seconds": round(seconds, 2),
        "exposures_per_s": round(expected["items_shown"] / seconds),
        "peak_gb": round(peak, 2),
        "units": expected["units"],
        "counts_match": outcome["counts"] == expected,
    }


def _part(answer: Path, exposures: int | None) -> None:
    """Write, or build, in a process of its own."""
    settings = load_settings()
    ensure_home(settings)
    storage, end = Storage(settings), datetime.now(UTC).replace(hour=0, minute=0, second=0)
    if exposures:
        answer.write_text(json.dumps(write(storage, exposures, end.replace(microsecond=0))))
        return
    spark_session.start_local(settings)
    started = time.perf_counter()
    build_marts.main(["--run", RUN])
    seconds = time.perf_counter() - started
    answer.write_text(json.dumps({"seconds": seconds, "counts": counted(storage)}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print, the line of JSON last; 1 where a count is wrong."""
    parser = argparse.ArgumentParser(prog="python -m jobs.benches.bench_marts", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000, metavar="N", help="exposures")
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.answer:
        _part(chosen.answer, chosen.write)
        return 0
    with tempfile.TemporaryDirectory(prefix="catwalk-bench-") as folder:
        line = bench(Path(folder), chosen.events)
    print(json.dumps(line))
    return 0 if line["counts_match"] else 1


if __name__ == "__main__":
    sys.exit(run_program(main))
