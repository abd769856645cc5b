"""A build goes on from the one that counts, unless that counts what is there no longer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest
from pyspark.sql import SparkSession

from infra.ledger.batches import decide
from infra.mart_schemas import SERVED
from infra.records.gates import BatchDecision
from infra.records.marts import MartsRecord
from infra.storage import Storage
from jobs.marts.batched import Batched
from jobs.marts.building import to_build_on

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVENTS, LOG = "batch=shop-000001", "batch=served_log-000001"


def built_of(events: str, served: str) -> MartsRecord:
    stamp = str(NOON)
    return MartsRecord(
        **{"number": 1, "at": NOON, "run": "run=r", "known_until": NOON, "final_until": {}},
        events={events: stamp},
        served={served: stamp},
        partitions={},
    )


@pytest.fixture
def batched(shop: Storage) -> Batched:
    """Read a batch of events that a person has discarded since, and one of the log."""
    shop.lake.commit("events", EVENTS, {"days": ["2026-11-24"], "written_at": NOON})
    decide(shop, EVENTS, BatchDecision(decision="discarded", by="eva"))
    shop.lake.commit(SERVED.name, LOG, {"days": ["2026-11-24"], "written_at": NOON})
    return Batched(cast(SparkSession, None), shop)  # no rows are read


def test_what_is_there_is_built_on(batched: Batched) -> None:
    before = built_of(EVENTS, LOG)
    assert to_build_on(before, batched) is before
    assert {str(day) for day in batched.news(before).new_events} == {"2026-11-24"}
    assert to_build_on(None, batched) is None


@pytest.mark.parametrize(
    ("events", "served"), [("batch=shop-000002", LOG), (EVENTS, "batch=served_log-000002")]
)
def test_where_a_batch_is_gone_all_is_built_anew(
    batched: Batched, capsys: pytest.CaptureFixture[str], events: str, served: str
) -> None:
    assert to_build_on(built_of(events, served), batched) is None
    assert "000002" in capsys.readouterr().out
