"""Killed at any moment and run again, ingestion leaves the tables of a run nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from infra.settings import load_settings
from infra.shop_home import ensure_home
from infra.storage import Storage
from tests.conftest import QUICK_JAVA, REPOSITORY
from tests.jobs.shop_files import RUN, event, ingest, land

# what the task of the DAG does
PROGRAM = f"""
from infra.spark.submit import submit
from jobs import ingest_events
submit(ingest_events, ["--run", "{RUN}"])
"""


def deliver(shop: Storage, count: int) -> None:
    """Land files of good, bad and repeated rows, of 3 kB and a second apart each."""
    for number in range(count):
        good = [event(event_id=f"e{number}-{n}", user_id=f"u{n}") for n in range(20)]
        again = event(event_id=f"e{max(number - 3, 0)}-7", user_id="u7")
        bad = [event(event_type="hover", item_id=f"i{number}"), "no json"]
        file = land(shop, [*good, good[5], again, *bad], f"{number:03}.jsonl")
        os.utime(file, (time.time() - 600 + number,) * 2)  # the oldest is read first


def tables(shop: Storage) -> dict[str, Counter[tuple[str, ...]]]:
    """Return the rows of the finished partitions of every table; landing files by their names.

    Which files share a partition is left out: a kill may join what would have been two batches.
    """
    found: dict[str, Counter[tuple[str, ...]]] = {}
    batches = shop.lake.partitions("events")
    for table in ("events", "quarantine"):
        rows = [
            row for key in batches for row in shop.lake.dataset(table, key).to_table().to_pylist()
        ]
        for row in rows:
            row["file"] = Path(str(row.get("file", ""))).name
        found[table] = Counter(tuple(map(str, row.values())) for row in rows)
    return found


def kill_later(begun: Callable[[], bool], delay: float, with_java: bool) -> str:
    """Run the ingestion, kill it some seconds after it has begun; say so, or that it ended.

    Without its Java, that one finds out for itself that it is alone.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=REPOSITORY,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not begun():
        time.sleep(0.01)
    time.sleep(delay)
    ended = process.poll() is not None
    if with_java and not ended:
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    what = "ended before" if ended else f"killed {'with' if with_java else 'without'} its Java"
    return f"{what} {delay:.2f} s after it began"


def wrote_since(folder: Path, moment: float) -> bool:
    return folder.exists() and folder.stat().st_mtime > moment


def test_a_line_of_100_megabytes_fits_the_memory_of_the_defaults(
    shop: Storage, request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("kills", 0):
        pytest.skip("for make soak-ingest: it takes a Java of its own")
    land(shop, [event(), b"x" * 100_000_000, event(event_id="e2")])
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=REPOSITORY, check=True)
    [batch] = shop.lake.partitions("events")
    assert shop.lake.manifest("events", batch)["quarantined"] == {"too_long": 1}


def test_a_line_beyond_the_memory_is_an_error_that_says_so(
    shop: Storage, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not request.config.getoption("kills", 0):
        pytest.skip("for make soak-ingest: it takes a Java of its own")
    monkeypatch.setenv("CATWALK_SPARK_DRIVER_MEMORY", "512m")
    land(shop, [event(), b"x" * 200_000_000])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=REPOSITORY, check=False, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "Raise CATWALK_SPARK_DRIVER_MEMORY, or look for a line" in done.stderr
    assert shop.lake.partitions("events") == []


def test_tables_are_those_of_an_undisturbed_run(
    spark: object, shop: Storage, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    soak = request.config.getoption("kills", 0)
    kills = soak or 1
    files = 2 * (kills + 1)  # two in a batch
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CATWALK_INGEST_BATCH_BYTES", "8000")
        patch.setenv("CATWALK_SPARK_JAVA_OPTIONS", QUICK_JAVA)
        disturbed = Storage(load_settings())
        deliver(disturbed, files)
        patch.setenv("CATWALK_HOME", str(tmp_path / "calm"))
        calm = Storage(load_settings())
        ensure_home(calm.settings)
        deliver(calm, files)
        ingest(calm)
        expected = tables(calm)
        patch.setenv("CATWALK_HOME", str(shop.settings.home))
        seed = random.randrange(10**6)
        print(f"\nseed {seed}, {len(calm.lake.partitions('events'))} batches")
        moments = random.Random(seed)
        written = Path(disturbed.settings.lake) / "events"
        died = []
        for number in range(kills):
            if soak:
                begun, delay = partial(wrote_since, written, time.time()), moments.uniform(0, 1.5)
            else:  # a batch stands, and the next is not begun
                begun, delay = partial(has_batch, disturbed), 0.0
            died.append(kill_later(begun, delay, with_java=moments.random() < 0.7))
            seen, stand = tables(disturbed), len(disturbed.lake.partitions("events"))
            print(f"{number + 1}: {died[-1]}; {stand} batches stand", flush=True)
            assert all(rows <= expected[table] for table, rows in seen.items())
            assert soak or stand, "no batch stood that could be seen half"
        assert any(end.startswith("killed") for end in died)
        record = ingest(disturbed)
    assert tables(disturbed) == expected
    ids = {row[0] for row in expected["events"]}
    assert len(ids) == expected["events"].total() == record["clean"] == 20 * files
    assert record["quarantined"] == {"malformed_json": files, "unknown_type": files}


def has_batch(shop: Storage) -> bool:
    return bool(shop.lake.partitions("events"))
