"""Quarantined rows are fixed and read again: each once, whatever happens in between."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from infra.errors import InputError, SettingsError
from infra.ledger.batches import decide
from infra.records.gates import BatchDecision
from infra.schemas import QUARANTINE
from infra.storage import Storage
from jobs import replay_quarantine
from jobs.batches.quarantine import Group, replay_of
from jobs.landing import sources
from tests.conftest import REPOSITORY
from tests.jobs.shop_files import HEADER, WEBSHOP, ago, event, ingest, land, rows

BATCH = "batch=shop-000000"
RAW = [b'{"event_id": "1"}', b'{"event_id": "\\xff\\xfe\xff"}', b"", b'{"event_id": "1"}']


def put(shop: Storage, raw: list[bytes], reason: str = "missing_field") -> None:
    """Write a batch of nothing but quarantined rows, as ingestion does."""
    table = pa.table(
        {
            "reason": [reason] * len(raw),
            "raw": pa.array(raw, pa.binary()),
            "file": ["/landing/one.jsonl"] * len(raw),
            "source": ["shop"] * len(raw),
        }
    )
    assert tuple(table.column_names) == QUARANTINE.columns
    folder = Path(shop.lake.begin("quarantine", BATCH))
    folder.mkdir(parents=True)
    parquet.write_table(table, folder / "part.parquet")
    shop.lake.commit("quarantine", BATCH, {"rows": len(raw)})
    facts = {"quarantined": {reason: len(raw)}, "files": [], "written_at": datetime.now(UTC)}
    shop.lake.commit("events", BATCH, facts)


def landed(shop: Storage) -> dict[str, bytes]:
    folder = Path(shop.landing) / "replayed/shop"
    return {file.name: file.read_bytes() for file in folder.glob("*")}


def test_one_command_fixes_and_replays_and_does_so_once(
    spark: object, shop: Storage, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = [event(event_id=f"e{n}", event_type="hover") for n in range(3)]
    land(shop, [event(event_id="good"), *bad, event(event_id="old", event_time=ago(900))])
    ingest(shop)
    command = ["--by", "berta", "replay", "--reason", "unknown_type"]
    fixed = [*command, "--fix", "sed -i -e 's/hover/view/' -e '$d'"]
    assert replay_quarantine.main(fixed) == 0
    assert replay_quarantine.main(fixed) == 0
    record = ingest(shop, "run=second")
    assert (record["read"], record["clean"]) == (2, 2)
    assert {row["event_id"] for row in rows(shop, "events")} == {"good", "e0", "e1"}
    assert len(rows(shop, "quarantine")) == 4
    assert ingest(shop, "run=third")["read"] == 0
    capfd.readouterr()
    replay_quarantine.main(["list"])
    said = capfd.readouterr().out
    lines = {line.split()[1]: line.split() for line in said.splitlines() if BATCH in line}
    assert lines["too_old"] == [BATCH, "too_old", "1", "no"]
    assert lines["unknown_type"][2:4] == ["3", f"{datetime.now(UTC):%Y-%m-%d}"]
    assert "by berta" in said
    assert "anna" not in said


def test_rows_that_were_right_are_replayed_as_they_are_once_the_rules_are(
    spark: object, webshop: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    when = ago(4).replace("T", " ").removesuffix("Z")
    lines: list[str | bytes] = [
        f"{n};gemerkt;{when};anna;i{n};1;2,50;Gr\u00fc\u00dfe" for n in range(2)
    ]
    land(webshop, [HEADER, *lines], "day.csv", source="webshop")
    assert ingest(webshop)["quarantined"] == {"unknown_type": 2}
    rules = tmp_path / "better.yaml"
    rules.write_text(WEBSHOP.replace("{angesehen", "{gemerkt: wishlist, angesehen"))
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(rules))
    replay_quarantine.main(["replay", "--source", "webshop"])
    record = ingest(webshop, "run=second")
    assert (record["read"], record["clean"]) == (2, 2)
    assert {row["placement"] for row in rows(webshop, "events")} == {"Gr\u00fc\u00dfe"}


def test_an_export_holds_the_very_bytes_and_may_be_edited(shop: Storage) -> None:
    put(shop, RAW)
    replay_quarantine.main(["export", "--batch", BATCH])
    [file] = shop.replays.iterdir()
    assert file.read_bytes() == b"".join(line + b"\n" for line in RAW)
    assert (shop.replays.stat().st_mode | file.stat().st_mode) & 0o077 == 0
    file.write_bytes(b"edited\n")
    replay_quarantine.main(["export", "--batch", BATCH])
    with pytest.raises(InputError, match="exported before, and 'sed -i d' was not run on it"):
        replay_quarantine.main(["replay", "--batch", BATCH, "--fix", "sed -i d"])
    assert file.read_bytes() == b"edited\n"
    replay_quarantine.main(["--by", "berta", "land", str(file)])
    assert landed(shop) == {f"{BATCH}.missing_field.jsonl": b"edited\n"}
    for private in (Path(shop.landing) / "replayed").rglob("*"):
        assert private.stat().st_mode & 0o077 == 0 == private.parent.stat().st_mode & 0o077
    record = replay_of(shop, Group(BATCH, "missing_field", 4))
    assert record is not None
    assert (record.by, record.rows) == ("berta", 4)
    replay_quarantine.main(["land", str(file)])
    file.write_bytes(b"edited once more\n")
    with pytest.raises(InputError, match=r"were replayed at .* by berta, and nothing is replayed"):
        replay_quarantine.main(["land", str(file)])
    assert landed(shop) == {f"{BATCH}.missing_field.jsonl": b"edited\n"}


def test_a_replay_that_is_killed_again_and_again_lands_its_rows_once(shop: Storage) -> None:
    put(shop, RAW * 20_000)
    command = [sys.executable, "-m", "jobs.replay_quarantine", "replay", "--batch", BATCH]
    command += ["--fix", "sed -i s/event_id/event_id_/"]
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    begun = time.monotonic()
    subprocess.run([*command[:3], "list"], check=True, capture_output=True, cwd=REPOSITORY)
    whole = time.monotonic() - begun
    moments = random.Random(seed)
    for _ in range(5):
        process = subprocess.Popen(command, start_new_session=True, cwd=REPOSITORY)
        time.sleep(moments.uniform(0.7, 1.3) * whole)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert set(landed(shop)) <= {f"{BATCH}.missing_field.jsonl"}
    subprocess.run(command, check=True, cwd=REPOSITORY)
    lines = (line.replace(b"event_id", b"event_id_") for line in RAW * 20_000)
    assert landed(shop) == {f"{BATCH}.missing_field.jsonl": b"".join(x + b"\n" for x in lines)}
    assert list(shop.replays.iterdir()) == []


def test_an_attempt_that_died_after_its_record_is_completed(shop: Storage) -> None:
    put(shop, RAW)
    record = {"batch": BATCH, "reason": "missing_field", "rows": 4, "by": "berta"}
    file = f"replayed/shop/{BATCH}.missing_field.jsonl"
    record |= {"at": "2026-01-01T00:00:00Z", "file": file}
    shop.lake.store.create(f"replays/{BATCH}/missing_field.json", json.dumps(record).encode())
    replay_quarantine.main(["replay", "--batch", BATCH])
    assert len(landed(shop)) == 1


def test_a_file_that_was_read_and_taken_away_is_not_landed_again(
    shop: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    put(shop, RAW)
    replay_quarantine.main(["replay", "--batch", BATCH])
    [file] = (Path(shop.landing) / "replayed/shop").iterdir()
    facts = {"quarantined": {}, "files": [{"file": str(file)}], "written_at": datetime.now(UTC)}
    shop.lake.commit("events", "batch=shop-000001", facts)
    file.unlink()
    replay_quarantine.main(["replay", "--batch", BATCH])
    assert landed(shop) == {}
    assert "4 rows were replayed before" in capsys.readouterr().out


def test_rows_of_a_discarded_batch_are_not_offered(shop: Storage) -> None:
    put(shop, RAW)
    decide(shop, BATCH, BatchDecision(decision="discarded", by="anna"))
    with pytest.raises(InputError, match="No quarantined rows match"):
        replay_quarantine.main(["replay", "--batch", BATCH])


def test_rows_of_a_source_that_is_gone_are_listed_and_wait_for_it(
    shop: Storage,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(shop, RAW)
    others = tmp_path / "sources.yaml"
    others.write_text(WEBSHOP)
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(others))
    assert replay_quarantine.main(["list"]) == 0
    assert f"{BATCH}  missing_field  4     no; its source is gone" in capsys.readouterr().out
    with pytest.raises(SettingsError, match="'shop' is not in .* Put it back until its rows are"):
        replay_quarantine.main(["replay", "--reason", "missing_field"])
    assert landed(shop) == {}


def test_a_fix_that_fails_lands_nothing(shop: Storage) -> None:
    put(shop, RAW)
    with pytest.raises(InputError, match="'false' ended with status 1; nothing was landed"):
        replay_quarantine.main(["replay", "--batch", BATCH, "--fix", "false"])
    with pytest.raises(InputError, match="cannot be run"):
        replay_quarantine.main(["replay", "--batch", BATCH, "--fix", "no-such-program"])
    assert landed(shop) == {}


WRONG = [
    (["replay"], "No rows are chosen"),
    (["replay", "--reason", "missing_fields"], "No quarantined rows match"),
    (["land", "renamed.jsonl"], "'renamed.jsonl' is named after no quarantined rows"),
    (["land", f"{BATCH}.missing_field.jsonl"], "cannot be read: No such file"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_a_mistake_is_one_line(shop: Storage, arguments: list[str], said: str) -> None:
    put(shop, RAW)
    with pytest.raises(InputError, match=said):
        replay_quarantine.main(arguments)


def test_a_home_that_is_none_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATWALK_HOME", str(tmp_path / "no"))
    with pytest.raises(SettingsError, match="There is no shop in"):
        replay_quarantine.main(["list"])
    assert not (tmp_path / "no").exists()


def test_rows_of_parquet_are_refused_before_anything_is_recorded(
    shop: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rules = tmp_path / "sources.yaml"
    text = Path(sources.FILE).read_text(encoding="utf-8")
    rules.write_text(text.replace("format: jsonl", "format: parquet"), encoding="utf-8")
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(rules))
    put(shop, RAW)
    with pytest.raises(InputError, match="holds rows of Parquet"):
        replay_quarantine.main(["replay", "--batch", BATCH])
    assert landed(shop) == {}
    assert replay_of(shop, Group(BATCH, "missing_field", 4)) is None
