"""The report pages of a shop whose reports are in a bucket; the login is tested beside this."""

from __future__ import annotations

import uuid

import pytest
from fastapi.testclient import TestClient

from infra.ledger.run_records import RunRecords
from infra.storage import Storage
from tests.infra.airflow.test_pages import RUN, RUN_PAGE, gate
from tests.s3_server import BUCKET, S3Server


@pytest.fixture
def pages(airflow_database: None, shop: Storage, s3: S3Server) -> TestClient:
    """Return a browser on the pages of a shop that was stopped once, asked for no login."""
    from infra.airflow.pages import make_app

    place = {"reports": f"s3://{BUCKET}/{uuid.uuid4().hex}/reports", "s3_endpoint": s3.endpoint}
    storage = Storage(shop.settings.model_copy(update=place))
    RunRecords(storage, RUN).save_gate(gate(RUN, "stopped", passed=False))
    app = make_app(storage)
    (login,) = app.router.dependencies
    app.dependency_overrides[login.dependency] = lambda: None
    return TestClient(app)


def test_the_list_and_the_report_come_from_the_bucket(pages: TestClient) -> None:
    for path in ("/", "/?verdict=stopped", RUN_PAGE.removeprefix("/catwalk")):
        answer = pages.get(path)
        assert answer.status_code == 200
        assert "Stopped at the gate" in answer.text
    assert RUN not in pages.get("/?verdict=released").text
    assert pages.get("/runs/run=none").status_code == 404
