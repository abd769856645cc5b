"""The pages about customers inside Airflow: who sees them, and numbers as a file."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from infra.ledger.ab_verdicts import save_ab_verdict
from infra.storage import Storage
from tests.infra.airflow.test_pages import analyst, pages, web  # noqa: F401 - fixtures
from tests.infra.report.marts_by_hand import build_by_hand, customers, kpis
from tests.infra.report.test_ab_test import HOSTILE, judged, started

BUSINESS = "/catwalk/business"
AB_TESTS = "/catwalk/ab-tests"
AB_TEST = f"{AB_TESTS}/content-first"


@pytest.mark.parametrize(
    "path", [BUSINESS, f"{BUSINESS}?format=csv", AB_TESTS, AB_TEST, f"{AB_TEST}?format=csv"]
)
def test_nobody_reads_without_a_login(pages: TestClient, shop: Storage, path: str) -> None:  # noqa: F811
    save_ab_verdict(shop, judged(started(shop)))
    answer = pages.get(path)
    assert answer.status_code == 401 and "content" not in answer.text.split("</style>")[1]


def test_a_viewer_goes_from_the_list_to_a_test_and_takes_its_numbers_along(
    analyst: TestClient,  # noqa: F811
    shop: Storage,
) -> None:
    save_ab_verdict(shop, judged(started(shop, hypothesis=HOSTILE)))
    assert f'href="{AB_TESTS}"' in analyst.get("/catwalk/").text, "on top of every page"
    assert f'href="{AB_TEST}"' in analyst.get(AB_TESTS).text
    page = analyst.get(AB_TEST)
    assert page.status_code == 200 and HOSTILE not in page.text
    assert "script-src 'none'" in page.headers["content-security-policy"]
    file = analyst.get(f"{AB_TEST}?format=csv")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.headers["content-disposition"] == 'attachment; filename="ab-test-content-first.csv"'
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.text.splitlines()[1].startswith("content-first,1,2026-11-24,")


def test_a_test_that_nobody_started_is_not_found(analyst: TestClient) -> None:  # noqa: F811
    for name in ("unknown", "..%2F..%2Fpublished", "x" * 300):
        answer = analyst.get(f"{AB_TESTS}/{name}")
        assert answer.status_code == 404 and "script-src 'none'" in str(answer.headers)
    assert analyst.get(f"{AB_TESTS}?format=exe").status_code == 200, "an unknown wish is not heard"
    assert analyst.get(f"{AB_TEST}?format=exe").status_code == 422


def test_a_viewer_reads_the_business_and_takes_its_numbers_along(
    analyst: TestClient,  # noqa: F811
    shop: Storage,
) -> None:
    assert "Nothing measured yet" in analyst.get(BUSINESS).text
    build_by_hand(shop, [kpis(), kpis(placement="cart")], [customers()])
    page = analyst.get(f"{BUSINESS}?placement=cart&version=&days=91")
    assert page.status_code == 200 and '<option value="91" selected>' in page.text
    policy = page.headers["content-security-policy"]
    assert "form-action 'self'" in policy and "script-src 'none'" in policy
    lists = analyst.get(f"{BUSINESS}?placement=cart&format=csv")
    assert lists.headers["content-disposition"] == 'attachment; filename="lists-by-day.csv"'
    assert len(lists.text.splitlines()) == 2 and ",cart,v1," in lists.text
    assert "return_rate_7d" in analyst.get(f"{BUSINESS}?format=customers.csv").text


def test_an_odd_wish_is_refused_with_its_cure(analyst: TestClient, shop: Storage) -> None:  # noqa: F811
    build_by_hand(shop, [kpis()])
    answer = analyst.get(f"{BUSINESS}?placement=%3Cscript%3E")
    assert answer.status_code == 422 and "Choose another" in answer.text
    assert "<script" not in answer.text
    for wish in ("days=1", "days=400", "format=exe", "version=" + "x" * 300):
        assert analyst.get(f"{BUSINESS}?{wish}").status_code == 422, wish
