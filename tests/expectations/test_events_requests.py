"""The gate asks the storage about new batches, and about old ones in a handful of requests."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from expectations.events import gate_events
from infra.ledger.batches import accepted_batches, decide, load_profiles, read_batches
from infra.ledger.run_records import RunRecords
from infra.records.gates import BatchDecision, BatchProfile
from infra.storage import Storage
from tests.counting_store import count_requests
from tests.expectations.lake import AS_OF, WRITTEN, events, put_batch
from tests.expectations.many_batches import OLD, names, put_new, put_year

pytestmark = pytest.mark.faults  # a year of batches, a soak

PER_NEW_BATCH, CONSTANT = 2, 40
SETTLED = 2.1  # seconds after which a file may be copied into the index


def test_the_gate_makes_no_request_for_a_batch_that_is_old(shop: Storage) -> None:
    put_year(shop)
    time.sleep(SETTLED)
    first, second = names(range(OLD, OLD + 2)), names(range(OLD + 2, OLD + 7))
    put_new(shop, first, "run=first")
    gate_events(shop, "run=first", AS_OF)
    time.sleep(SETTLED)
    put_new(shop, second, "run=second")
    counted = count_requests(shop)
    record = gate_events(shop, "run=second", AS_OF)
    assert record.partitions == tuple(second)
    assert [check.value for check in record.checks if check.name == "accepted_batches"] == [OLD + 7]
    lake = [key for _, key in counted.requests if "run=second/" not in key]
    assert not [key for key in lake for old in names(range(OLD)) if old in key]
    since = [key for key in lake if any(name in key for name in first)]
    assert len(since) <= PER_NEW_BATCH * len(first), "what came since: manifest and decision"
    new = [key for key in lake if any(name in key for name in second)]
    assert len(new) <= PER_NEW_BATCH * len(second)
    assert len(lake) - len(since) - len(new) <= CONSTANT
    kept = list(load_profiles(shop))
    assert set(second) <= set(kept)
    assert 20 <= len(kept) < 60, "20 batches, or those of 9 days, whichever is more"
    assert min(kept) > names([OLD - 60])[0]


def test_a_gate_without_an_index_reads_everything_once_and_decides_alike(shop: Storage) -> None:
    put_new(shop, names(range(3)), "run=old")
    gate_events(shop, "run=old", AS_OF)
    put_new(shop, names([3]), "run=first")
    time.sleep(SETTLED)
    shutil.rmtree(Path(shop.lake.address("index")))
    counted = count_requests(shop)
    first = gate_events(shop, "run=first", AS_OF)
    place = f"events/{names([1])[0]}/_manifest.json"
    assert counted.about(place) == [("read", place)]
    again = gate_events(shop, "run=first", AS_OF)
    assert counted.about(place) == [("read", place)], "the index is made by the first"
    shutil.rmtree(Path(shop.lake.address("index")))
    assert first.checks == again.checks == gate_events(shop, "run=first", AS_OF).checks


def test_a_profile_of_a_lake_from_before_is_used(shop: Storage) -> None:
    """Each batch had a file then; its events are not counted again."""
    put_batch(shop, names([0])[0], events(10), run="run=old")
    bound = {"decision": "accepted", "by": "gate", "run": "run=old", "written_at": WRITTEN}
    decide(shop, names([0])[0], BatchDecision.model_validate(bound))
    old = BatchProfile(
        written_at=WRITTEN, event_types={"view": 7}, categories=None, hours={"2026-11-23T23": 7}
    )
    place = f"profiles/events/{names([0])[0]}.json"
    shop.lake.store.write(place, old.model_dump_json().encode())
    put_new(shop, names([1]), "run=new")
    gate_events(shop, "run=new", AS_OF)
    assert load_profiles(shop)[names([0])[0]] == old


def test_a_source_whose_accepted_batches_are_all_empty_is_compared_with(shop: Storage) -> None:
    """Batches of nothing new have no newest event."""
    put_batch(shop, names([0])[0], [], rows_read=3, duplicates=3, run="run=old")
    bound = {"decision": "accepted", "by": "gate", "run": "run=old", "written_at": WRITTEN}
    decide(shop, names([0])[0], BatchDecision.model_validate(bound))
    put_new(shop, names([1]), "run=new")
    record = gate_events(shop, "run=new", AS_OF)
    assert record.result == "passed"


def test_a_person_who_decides_while_the_gate_checks_is_told_by_the_same_record(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from expectations import events as gate

    put_new(shop, names([0, 1]), "run=first")
    check = gate._check_batches

    def slowly(*args: object) -> object:
        checks = check(*args)  # type: ignore[arg-type]
        word = {"decision": "discarded", "by": "anna", "why": "tests of the shop", "at": AS_OF}
        decide(shop, names([0])[0], BatchDecision.model_validate(word))
        return checks

    monkeypatch.setattr(gate, "_check_batches", slowly)
    gate_events(shop, "run=first", AS_OF)
    assert accepted_batches(read_batches(shop)) == (names([1])[0],)
    record = RunRecords(shop, "run=first").load_gate("events")
    assert record is not None
    assert list(record.decided) == names([0])
    counts = [check.value for check in record.checks if check.name == "accepted_batches"]
    assert counts == [1]
