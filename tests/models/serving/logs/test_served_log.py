"""The served log: nobody waits for it, what it drops is counted, a gap is seen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.serving.logs import served_log
from models.serving.logs.served_log import ServedLine, ServedLog
from models.serving.logs.spool import Spool
from models.serving.metrics import Metrics


def line(log: ServedLog) -> ServedLine:
    return ServedLine(
        request_id="r",
        at=datetime.now(UTC),
        process=log.process,
        sequence=log.next_number(),
        placement="home",
        version="v",
        ms=0.1,
        items=[],
        applied_rules=[],
    )


def written(folder: Path) -> list[int]:
    lines = [row for file in folder.glob("*") for row in file.read_text().splitlines()]
    return sorted(json.loads(row)["sequence"] for row in lines)


def test_what_there_is_no_room_for_is_counted_and_leaves_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_log, "MOST_LINES", 2)
    metrics = Metrics()
    log = ServedLog(Spool(tmp_path, "me"), "me", metrics)
    for _ in range(4):
        log.note(line(log))
    log.start()
    log.stop()
    assert written(tmp_path) == [1, 2]
    log.note(line(log))
    log._write()
    assert written(tmp_path) == [1, 2, 5]
    assert metrics.registry.get_sample_value("catwalk_served_log_dropped_total") == 2


def test_a_disk_that_refuses_is_counted_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("no folder")
    metrics = Metrics()
    log = ServedLog(Spool(tmp_path / "spool", "me"), "me", metrics)
    log.note(line(log))
    log.start()
    log.stop()
    assert metrics.registry.get_sample_value("catwalk_served_log_dropped_total") == 1
