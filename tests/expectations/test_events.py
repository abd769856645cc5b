"""A feed that has ended stops the run, whatever else is fine."""

from __future__ import annotations

from datetime import timedelta

import pytest

from expectations.events import gate_events
from infra.errors import GateError
from infra.ledger.run_records import RunRecords
from infra.settings import load_settings
from infra.storage import Storage
from tests.expectations import lake
from tests.expectations.lake import AS_OF

RUN = "run=late"


def test_a_feed_that_ended_67_hours_ago_stops_the_run(shop: Storage) -> None:
    ended = {"event_time": AS_OF - timedelta(hours=67)}
    lake.put_batch(shop, "batch=shop-000000", [lake.event(n, **ended) for n in range(500)])
    with pytest.raises(GateError, match="The events gate"):
        gate_events(shop, RUN, AS_OF)
    record = RunRecords(shop, RUN).load_gate("events")
    assert record is not None and record.result == "stopped"
    checks = {check.name: check for check in record.checks if check.partition == "source=shop"}
    assert checks["hours_since_last_event"].value == 67
    assert checks["hours_since_last_event"].failed


def test_a_source_that_waits_for_its_first_file_stops_nothing(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that delivered, and whose batches nobody accepted, stops the run all the same."""
    monkeypatch.setenv("CATWALK_SOURCES", "shop,rest")
    both = Storage(load_settings())
    lake.put_batch(both, "batch=shop-000000", [lake.event(n) for n in range(500)])
    assert gate_events(both, RUN, AS_OF).result == "passed"
    lake.put_batch(both, "batch=rest-000000", [])
    with pytest.raises(GateError, match="batch=rest-000000: it is empty"):
        gate_events(both, "run=later", AS_OF)
