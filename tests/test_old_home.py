"""A home filled by the code at 756a9b8 is read and carried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.ledger.batches import accepted_batches, read_batches, stopped_batches
from infra.ledger.live_pointer import before_live, history, live
from infra.ledger.run_records import RunRecords
from infra.places import version_key
from infra.storage import Storage
from models.bundle.bundle import open_bundle
from models.bundle.check_serving import answers
from tests import old_home
from tests.old_home import LIVE_VERSION, WITHDRAWN_VERSION


@pytest.fixture
def old_shop(shop: Storage) -> Storage:
    """Return a shop that goes on from the old home."""
    old_home.unpack_old_home(shop.settings.home)
    return shop


def test_all_records_load(old_shop: Storage) -> None:
    for run in (old_home.RELEASED, old_home.APPROVED):
        records = RunRecords(old_shop, run)
        assert records.load_ingest() and records.load_evaluation() and records.load_verdict()
        assert records.load_refit() and records.load_serving() and records.load_published()
        for gate in ("events", "items", "interactions", "recommendations"):
            assert records.load_gate(gate), gate
    approval = RunRecords(old_shop, old_home.APPROVED).load_approval()
    assert approval and (approval.answer, approval.by) == ("approved", "pm")
    stopped = RunRecords(old_shop, old_home.STOPPED).load_gate("events")
    assert stopped and stopped.waiting == (old_home.ACCEPTED_BATCH,)


def test_the_accepted_batch_counts(old_shop: Storage) -> None:
    batches = read_batches(old_shop)
    assert old_home.ACCEPTED_BATCH in accepted_batches(batches)
    assert not stopped_batches(batches)


def test_the_pointers_count(old_shop: Storage) -> None:
    pointers = list(history(old_shop))
    assert [pointer.number for pointer in pointers] == [3, 2, 1]
    versions = [pointer.version for pointer in pointers]
    assert versions == [LIVE_VERSION, WITHDRAWN_VERSION, LIVE_VERSION]
    now = live(old_shop)
    assert now is not None and now.action == "roll_back" and now.decided and now.decided.by == "pm"
    assert before_live(old_shop, now) is None, "the other one was rolled back"


@pytest.mark.parametrize("version", [LIVE_VERSION, WITHDRAWN_VERSION])
def test_the_bundles_open_and_answer(old_shop: Storage, tmp_path: Path, version: str) -> None:
    folder = old_shop.published.fetch_folder(version_key(version), tmp_path)
    assert open_bundle(folder).fallback
    measured = answers(version, folder, old_shop.settings)
    assert (measured["agreement"], measured["k"]) == (1.0, 10), "as its lists say"
