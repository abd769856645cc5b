"""The whole way from tables to a live version, as the DAG walks it."""

from __future__ import annotations

from pathlib import Path

from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.storage import Storage
from models.bundle.check_serving import check_serving
from models.publishing.publish import publish
from tests.models.conftest import WINNER, WriteRun, prepare_bundle


def test_a_good_model_goes_live(shop: Storage, write_run: WriteRun) -> None:
    run = write_run()
    version = prepare_bundle(shop, run)
    Path(shop.reports.address, run, "serving.json").unlink()
    assert check_serving(shop, run)["agreement"] == 1.0
    served = RunRecords(shop, run).load_serving()
    record = publish(shop, run)
    assert served is not None and served.manifest_sha256 == record.manifest_sha256
    assert live(shop) == record == RunRecords(shop, run).load_published()
    assert (record.number, record.version, record.candidate) == (1, version, WINNER)
