"""A shop with a past: releases, a roll-back, a stopped run, one that read nothing new."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from infra.ledger.live_pointer import point
from infra.ledger.run_records import RunRecords
from infra.records.release import Approval, ApprovalRecord
from infra.report.page import write_report
from infra.storage import Storage
from tests.infra.report.test_report import (
    COUNTS,
    CRITICAL,
    DOUBTFUL,
    EVALUATION,
    NOON,
    gate,
    published,
    score,
    verdict,
)
from tests.infra.report.test_report_history import run_at

WHY = "socks in every list"
ANNA = Approval(by="anna", at=NOON, why=WHY)
QUALITY = (0.061, 0.064, 0.0713, 0.0702)  # of the candidate, in runs 0 to 3
NOTHING_READ = {
    **COUNTS,
    "read": 0,
    "clean": 0,
    "quarantined": {},
    "duplicates": 0,
    "not_events": {},
}
ASKED_IN = "asked__2026-11-24T17:00:00+00:00"


def write_past(shop: Storage) -> None:
    """Write five runs: two releases, then a roll-back, a run without news, a stop, a question."""
    _released(shop, 0, 1, "v1", None)
    _released(shop, 1, 2, "v2", "v1")
    back = {"action": "roll_back", "decided": ANNA, "previous": "v2", "asked_in": "run=back"}
    point(shop, published(run=run_at(0), at=_at(1.5), number=3, version="v1", **back))
    _evaluated(shop, 2, QUALITY[2], read=NOTHING_READ)
    records = RunRecords(shop, run_at(3))
    stop = {"run": run_at(3), "result": "stopped", "at": _at(3), "waiting": ("batch=shop-000012",)}
    records.save_gate(gate("events", CRITICAL, **stop))
    _asks(shop, 4)
    for number in range(5):
        write_report(shop, run_at(number))


def _at(hour: float) -> Any:
    return NOON + timedelta(hours=hour)


def _evaluated(shop: Storage, number: int, value: float, read: dict[str, Any] = COUNTS) -> None:
    run = run_at(number)
    records = RunRecords(shop, run)
    records.save_ingest(read)
    for name in ("events", "items", "interactions", "recommendations"):
        records.save_gate(gate(name, run=run, at=_at(number)))
    models = (score("lightfm", value), score("popularity", 0.04), score("v", 0.058, "champion"))
    records.save_evaluation(EVALUATION.model_copy(update={"run": run, "scores": models}))
    records.save_verdict(verdict(run=run, at=_at(number)))


def _released(shop: Storage, number: int, pointer: int, version: str, before: str | None) -> None:
    _evaluated(shop, number, QUALITY[number])
    names = {"number": pointer, "version": version, "previous": before}
    record = published(run=run_at(number), at=_at(number + 0.2), **names)
    RunRecords(shop, run_at(number)).save_published(record)
    point(shop, record)


def _asks(shop: Storage, number: int) -> None:
    from infra.ledger.questions import note_question

    _evaluated(shop, number, QUALITY[3])
    records, at = RunRecords(shop, run_at(number)), _at(number + 0.1)
    records.save_verdict(DOUBTFUL.model_copy(update={"run": run_at(number), "at": _at(number)}))
    asked = {"run": run_at(number), "candidate": "lightfm", "manifest_sha256": "cd" * 32}
    asked |= {"asked": ("pm",), "asked_at": at, "asked_in": ASKED_IN}
    records.save_approval(ApprovalRecord.model_validate(asked))
    note_question(shop, run_at(number), ASKED_IN, at)
