"""Every file below the landing folder is read, waiting, or named as read by no source."""

from __future__ import annotations

import gzip
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from expectations.events import gate_events
from infra.errors import GateError
from infra.ledger.run_records import RunRecords
from infra.storage import Storage
from jobs.landing.unread_files import account, everything_below
from tests.jobs.shop_files import RUN, event, ingest, land

UPLOADS = (".a.jsonl", "_b.jsonl", "c.jsonl._COPYING_", "d.jsonl.filepart", "e.jsonl.PART")
UPLOADS += ("f.jsonl.tmp", "g.jsonl.crdownload", "h.jsonl.wip")
UNREAD = {
    "2026/11/28/12.jsonl": event(),
    "dt=2026-11-28/part-0.jsonl": event(),
    "NIGHT.JSONL": event(),
    "late.ndjson": event(),
    "export.json": f"[{event()}]",
}


def test_what_no_source_reads_is_named_and_an_upload_is_left_until_it_is_over(
    spark: object,
    shop: Storage,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CATWALK_MORE_UPLOADS", ".wip,.half")
    for number in range(3):
        land(shop, [event(event_id=f"e{number}", item_id=f"i{number}")], f"{number}.jsonl")
    for name in UPLOADS:
        land(shop, [event(event_id="half")], name)
    for name, line in UNREAD.items():
        land(shop, [line], name)
    land(shop, [], "catalogue.jsonl", source="../items/shop")
    land(shop, [], "w1.jsonl", source="../served")
    record = ingest(shop)
    assert (record["files"], record["clean"]) == (3, 3)
    names = [f"events/shop/{name}" for name in sorted(UNREAD)]
    assert [file["file"] for file in record["unread"]] == names  # type: ignore[attr-defined]
    assert record["waiting"] == [f"events/shop/{name}" for name in sorted(UPLOADS)]
    said = capsys.readouterr().out
    assert "5 files below the landing folder are read by no source: " in said
    assert "export.json (is one JSON array)" in said and "8 uploads go on" in said
    with suppress(GateError):  # the events are old; the record is kept
        gate_events(shop, RUN, datetime.now(UTC))
    gate = RunRecords(shop, RUN).load_gate("events")
    assert gate is not None
    [check] = [check for check in gate.checks if check.name == "unread_files"]
    assert (check.value, check.passed, check.severity) == (5, False, "warning")
    land(shop, [], UPLOADS[4]).rename(land(shop, [], "e.jsonl"))
    assert ingest(shop, "run=second")["files"] == 1


def test_what_lies_elsewhere_is_looked_into(shop: Storage) -> None:
    land(shop, [], "x.bin", source="../elsewhere").write_bytes(gzip.compress(b"no matter"))
    land(shop, [], "day.jsonl")
    (land(shop, [], "y").parent / "gone").symlink_to("nowhere")
    everything = everything_below(shop.settings)
    found = account(everything, ["events/shop/day.jsonl"], shop.settings)
    assert set(found.unread) == {"elsewhere/x.bin", "events/shop/y"}
    assert found.looks == {"elsewhere/x.bin": "packed by gzip"}
    assert account(everything, everything, shop.settings).summary() == ""
