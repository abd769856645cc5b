"""Whatever machine and shop do, ingestion ends in a clear error or a quarantined row."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from expectations.checking.tables import open_reader
from infra.errors import InputError, SparkError, StorageError
from infra.ledger.batches import BatchReader
from infra.settings import load_settings
from infra.spark.faults import plain
from infra.spark.submit import run_here
from infra.storage import Storage
from infra.stores.local_store import LocalStore
from infra.stores.object_store import MANIFEST
from jobs import ingest_events
from jobs.batches import batch, books, ingestion
from jobs.landing.reading import LONGEST_RAW
from tests.conftest import shop_at
from tests.jobs.shop_files import RUN, ago, event, files_read, ingest, land, rows


def test_an_empty_file_is_a_batch_of_nothing_and_may_not_be_filled(
    spark: object, shop: Storage
) -> None:
    packings = ("", ".gz", ".zst")
    empty = [f"events/shop/{land(shop, [], f'empty.jsonl{end}').name}" for end in packings]
    assert ingest(shop)["read"] == 0
    assert files_read(shop) == dict.fromkeys(empty, 0)
    land(shop, [event()])
    land(shop, [event(event_id="e2")], "empty.jsonl")
    with pytest.raises(InputError, match=r"empty\.jsonl had 0 bytes when it was read and has \d+"):
        ingest(shop, "run=second")
    assert [row["event_id"] for row in rows(shop, "events")] == ["e1"]


def test_a_lake_of_a_backup_reads_what_it_lacks_again(ingested: Storage) -> None:
    land(ingested, [event(event_id="e3")], "two.jsonl")
    ingest(ingested, "run=second")
    _, batch = ingested.lake.partitions("events")
    for table in ("events", "quarantine"):
        ingested.lake.store.delete_folder(f"{table}/{batch}")
    assert ingest(ingested, "run=third")["clean"] == 1
    assert ingested.lake.partitions("events")[1:] == [batch]


def test_half_a_gzip_is_one_line_and_the_whole_file_is_read_later(
    spark: object, shop: Storage
) -> None:
    whole = gzip.compress("".join(event(event_id=f"e{n}") + "\n" for n in range(5000)).encode())
    folder = Path(shop.landing) / "events/shop"
    folder.mkdir(parents=True)
    (folder / "day.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"^/\S+day\.jsonl\.gz cannot be read: [^\n]+$"):
        run_here(ingest_events, ["--run", RUN])
    assert shop.lake.partitions("events") == []
    (folder / "day.jsonl.gz").write_bytes(whole)
    assert ingest(shop, "run=second")["clean"] == 5000


LINES = "".join(event(event_id=f"e{n}") + "\n" for n in range(5000)).encode()
ZSTD: bytes = pa.compress(LINES, codec="zstd", asbytes=True)
BROKEN = {
    "half.jsonl.zst": ZSTD[: len(ZSTD) // 2],
    "sum.jsonl.gz": gzip.compress(LINES)[:-8] + b"12345678",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_packed_file_that_is_broken_is_one_line(
    spark: SparkSession, shop: Storage, name: str
) -> None:
    land(shop, [event()], "whole.jsonl")
    land(shop, [], name).write_bytes(BROKEN[name])
    with pytest.raises(InputError, match=rf"^/\S+{name} cannot be read: [^\n]+$"):
        run_here(ingest_events, ["--run", RUN])
    assert shop.lake.partitions("events") == []
    assert not spark.sparkContext._jsc.getPersistentRDDs()


def test_a_full_disk_is_one_line_and_shows_nothing_half_written(
    spark: object, shop: Storage, small_disk: Callable[[Path], None]
) -> None:
    land(shop, [event(event_id=f"e{n}", user_id=f"u{n}") for n in range(50_000)])
    lake = Path(shop.settings.lake)
    small_disk(lake)
    with pytest.raises(StorageError, match="The disk is full"):
        run_here(ingest_events, ["--run", RUN])
    assert shop.lake.partitions("events") == []


def test_a_batch_that_never_committed_is_written_again(ingested: Storage) -> None:
    [batch] = ingested.lake.partitions("events")
    (Path(ingested.lake.address("events", batch)) / "_manifest.json").unlink()
    assert ingested.lake.partitions("events") == []
    land(ingested, [event(event_id="e3")], "two.jsonl")  # joins those of the batch that died
    assert ingest(ingested)["clean"] == 4
    assert len(rows(ingested, "events")) == 4
    assert ingested.lake.partitions("events") == [batch]


def test_a_file_that_vanishes_before_it_is_read_is_one_line_and_stops_no_later_run(
    spark: object, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = land(shop, [event()])
    land(shop, [event(event_id="e2")], "two.jsonl")
    away = file.with_suffix(".away")
    write = ingestion.write_batch

    def vanish(*given: object) -> None:
        file.rename(away)
        write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(ingestion, "write_batch", vanish)
    with pytest.raises(InputError, match=r"one\.jsonl cannot be read: [^\n]*$"):
        run_here(ingest_events, ["--run", RUN])
    assert shop.lake.partitions("events") == []
    monkeypatch.setattr(ingestion, "write_batch", write)
    away.rename(file.with_name("renamed.jsonl"))
    assert ingest(shop, "run=second")["clean"] == 2
    renamed = land(shop, [event(event_id="e3")], "three.jsonl")
    open_feed = ingestion.open_feed

    def vanish_earlier(*given: object) -> object:
        renamed.rename(away)
        return open_feed(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(ingestion, "open_feed", vanish_earlier)
        with pytest.raises(InputError, match=r"three\.jsonl is gone since it was listed"):
            run_here(ingest_events, ["--run", "run=third"])
    assert ingest(shop, "run=fourth")["read"] == 0


def test_a_file_that_grows_while_it_is_read_is_an_error_that_names_it(
    spark: object, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = land(shop, [event()])
    write = ingestion.write_batch

    def grow(*given: object) -> None:
        with file.open("a") as stream:
            stream.write(event(event_id="e2") + "\n")
        write(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(ingestion, "write_batch", grow)
    with pytest.raises(InputError, match=r"one\.jsonl had \d+ bytes when it was read and has"):
        ingest(shop)
    monkeypatch.setattr(ingestion, "write_batch", write)
    file.rename(file.with_name("whole.jsonl"))
    ingest(shop, "run=second")
    assert sorted(str(row["event_id"]) for row in rows(shop, "events")) == ["e1", "e2"]


def test_a_file_that_is_empty_just_while_it_is_read_is_an_error(
    spark: object, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(shop, [event(event_id="other")], "other.jsonl")
    file = land(shop, [event()])
    content = file.read_bytes()
    write, write_quarantine = ingestion.write_batch, batch.write_quarantine

    def empty(*given: object) -> None:
        file.write_bytes(b"")
        write(*given)  # type: ignore[arg-type]

    def fill(*given: object) -> dict[str, int]:
        file.write_bytes(content)  # the rows were read, the files not yet counted
        return write_quarantine(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(ingestion, "write_batch", empty)
        patch.setattr(batch, "write_quarantine", fill)
        with pytest.raises(InputError, match=r"one\.jsonl gave no row when it was read and holds"):
            ingest(shop)
    assert shop.lake.partitions("events") == []
    assert ingest(shop)["clean"] == 2


def test_tiny_files_are_read_so_many_at_a_time(
    spark: object, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATWALK_INGEST_BATCH_FILES", "2")
    for number in range(5):
        land(shop, [event(event_id=f"e{number}")], f"{number}.jsonl")
    shop.lake.commit("events", "batch=other-000000", {"run": "run=other"})
    time.sleep(2.1)  # a younger file is read again at each look: its listing may hide a change
    books.manifests(BatchReader(shop), "shop")  # an earlier run keeps a copy
    read: Counter[str] = Counter()
    read_file = LocalStore.read

    def count(store: LocalStore, key: str, most: int | None = None) -> bytes:
        if key.startswith("events/") and key.endswith(MANIFEST):
            read[key.split("/")[1]] += 1
        return read_file(store, key, most)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "read", count)
        ingest(Storage(load_settings()))
    own = books.manifests(BatchReader(shop), "shop")
    assert [len(manifest["files"]) for manifest in own.values()] == [2, 2, 1]
    # of the earlier batch nothing is read; of young ones once a look: at the start, before and
    # after each of three batches, at the end, and for the counts
    assert set(read) == set(own) and max(read.values()) <= 9


def test_thousands_of_tiny_files(
    spark: object, shop: Storage, request: pytest.FixtureRequest
) -> None:
    count = 10_000 if request.config.getoption("kills", 0) else 1_000
    for number in range(count):
        land(shop, [event(event_id=f"e{number}")], f"{number}.jsonl")
    record = ingest(shop)
    assert (record["files"], record["clean"]) == (count, count)


def test_a_monstrous_line_is_too_long_and_its_start_is_kept(spark: object, shop: Storage) -> None:
    monster = b'{"event_id": "' + b"x" * 20_000_000
    land(shop, [event(), monster, event(event_id="e2")])
    record = ingest(shop)
    assert (record["clean"], record["quarantined"]) == (2, {"too_long": 1})
    [row] = rows(shop, "quarantine")
    assert row["raw"] == monster[:LONGEST_RAW] + b" [cut; 20000014 bytes in all]"


def test_a_java_that_is_gone_is_one_line() -> None:
    for error in (ConnectionRefusedError(), RuntimeError("x.reflection does not exist in the JVM")):
        found = plain(error)
        assert isinstance(found, SparkError)
        assert "CATWALK_SPARK_DRIVER_MEMORY" in found.cure


def test_json_whose_columns_change_is_quarantined_row_by_row(ingested: Storage) -> None:
    renamed = json.dumps({**json.loads(event(event_id="e3", user_id=...)), "customer": "anna"})
    retyped = event(event_id="e4", item_id={"id": 1})
    land(ingested, [renamed, retyped, event(event_id="e5", colour="red")], "two.jsonl")
    record = ingest(ingested, "run=second")
    assert (record["clean"], record["quarantined"]) == (1, {"missing_field": 1, "wrong_type": 1})


def test_a_home_that_is_copied_elsewhere_reads_nothing_again(
    ingested: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = ingested.landing
    home = shutil.copytree(ingested.settings.home, tmp_path / "it's moved")
    shutil.rmtree(ingested.settings.home)
    ingested.settings.home.mkdir()  # the next test clears it
    moved = shop_at(home, monkeypatch)
    [batch] = moved.lake.partitions("events")
    manifest = moved.lake.manifest("events", batch)
    assert [file["file"] for file in manifest["files"]] == ["events/shop/one.jsonl"]
    assert ingest(moved, "run=second")["read"] == 0
    manifest["files"][0]["file"] = f"{old}/events/shop/one.jsonl"  # as earlier Catwalks wrote it
    moved.lake.commit("events", batch, manifest)
    land(moved, [event(event_id="e3")], "two.jsonl")
    assert ingest(moved, "run=third")["read"] == 1
    with open_reader(moved) as reader, reader.open_finished({"events": batch}) as opened:
        assert opened.query("select count(*) as n from events") == [{"n": 3}]


def test_an_event_is_judged_by_when_its_file_was_seen_and_by_a_time_of_the_file_that_can_be(
    spark: object, shop: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    year = 365 * 86_400
    for name, days, own in (
        ("from 1980.jsonl", 1, 315_532_800.0),
        ("from the epoch.jsonl", 2, 0.0),
        ("a backfill.jsonl", 3 * 365, time.time() - 2 * year),
        ("a copy of it.jsonl", 3 * 365 + 1, time.time()),
        ("of tomorrow.jsonl", -1, time.time() + 2 * 86_400),
    ):
        file = land(shop, [event(event_id=name, event_time=ago(days))], name)
        os.utime(file, (own, own))
    record = ingest(shop)
    assert record["quarantined"] == {"future_time": 1, "too_old": 1}
    kept = sorted(str(row["event_id"]) for row in rows(shop, "events"))
    assert kept == ["a backfill.jsonl", "from 1980.jsonl", "from the epoch.jsonl"]
    late = [("a copy of it", "too_old"), ("of tomorrow", "future_time")]
    assert record["out_of_time"] == [
        {"file": f"events/shop/{name}.jsonl", "reason": reason, "rows": 1} for name, reason in late
    ]
    said = capsys.readouterr().out
    assert "no row is in time: events/shop/of tomorrow.jsonl, future_time 1" in said
    [batch] = shop.lake.partitions("events")
    assert "seen_at" in shop.lake.manifest("events", batch)
