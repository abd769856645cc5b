"""The pages about customers as people see them: Chromium on the pages of the running Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from infra.ledger.ab_verdicts import save_ab_verdict
from infra.shop.airflow_client import AirflowClient
from infra.shop.airflow_home import passwords
from infra.storage import Storage
from infra.stores.object_store import ObjectStore
from tests.infra.report.marts_by_hand import SUNDAY, build_by_hand, customers, kpis
from tests.infra.report.test_ab_test import HOSTILE, judged, started
from tests.models.serving.conftest import publish_first
from tests.test_reports_in_browser import (
    BEYOND_ITS_CARD,
    FAINT,
    LANDMARKS,
    NAMED,
    OPEN_ALL,
    OVERFLOW,
    SQUEEZED,
    TABLES_WITHOUT_HEADERS,
    accessible,
    browser,  # noqa: F401 - a fixture
    frame_of,
)

PATHS = ("business", "ab-tests", "ab-tests/content-first", "lists")


@pytest.fixture(scope="module")
def customers_of(airflow: AirflowClient, airflow_shop: Storage) -> Iterator[str]:
    """Return the address of an Airflow whose shop has a version, a test and a month of numbers."""
    stores = (airflow_shop.published, airflow_shop.reports, airflow_shop.lake.store)
    before = [set(store.list("")) for store in stores]
    publish_first(airflow_shop)
    test = started(airflow_shop, hypothesis=HOSTILE)
    for day in range(3):
        save_ab_verdict(airflow_shop, judged(test, day))
    days = [SUNDAY - timedelta(days=day) for day in range(-1, 27)]
    rows = [kpis(day, placement=name) for day in days for name in ("home", "product_page")]
    build_by_hand(airflow_shop, rows, map(customers, days))
    yield airflow.address
    for store, known in zip(stores, before, strict=True):
        forget(store, known)


def forget(store: ObjectStore, known: set[str]) -> None:
    """Delete what other tests of the same Airflow do not expect."""
    for key in set(store.list("")) - known:
        store.delete(key)


@pytest.fixture(scope="module")
def manager(browser: Any, customers_of: str, airflow_shop: Storage) -> Any:  # noqa: F811
    """Return the cookies of a product manager, who logged in through the form."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(customers_of)
    page.fill("input[name=username]", "pm")
    page.fill("input[name=password]", passwords(airflow_shop.settings.airflow_home)["pm"])
    page.click("button[type=submit]")
    page.get_by_role("link", name="Reports").wait_for()
    return context.storage_state()


@pytest.fixture
def page(browser: Any, manager: Any, request: pytest.FixtureRequest) -> Iterator[Any]:  # noqa: F811
    """Return a tab of that browser; a parameter says how wide and how dark."""
    width, scheme = getattr(request, "param", (1280, "light"))
    screen = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    context = browser.new_context(storage_state=manager, **screen)
    yield context.new_page()
    context.close()


def ask_for_lists(page: Any, person: str) -> None:
    """Fill in the form by keyboard alone, from its first field to its button."""
    page.locator("#placement").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    while page.evaluate("document.activeElement.id") != "who":
        page.keyboard.press("Tab")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.keyboard.type(person)
    page.keyboard.press("Enter")
    page.locator("#lists-title").wait_for()


@pytest.mark.parametrize(
    "page", [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")], indirect=True
)
def test_every_page_can_be_read_on_any_screen(page: Any, customers_of: str) -> None:
    for path in PATHS:
        page.goto(f"{customers_of}/catwalk/{path}")
        page.evaluate(OPEN_ALL)
        assert page.evaluate(OVERFLOW) == 0, path
        assert page.evaluate(BEYOND_ITS_CARD) == page.evaluate(SQUEEZED) == [], path
        assert page.evaluate(FAINT) == [], path
        assert page.locator("script").count() == 0 and HOSTILE not in page.content()


@pytest.mark.parametrize("page", [(1280, "light"), (390, "light")], indirect=True)
def test_a_screen_reader_finds_a_name_and_an_order_for_everything(
    page: Any, customers_of: str
) -> None:
    for path in PATHS:
        page.goto(f"{customers_of}/catwalk/{path}")
        if path == "lists":
            ask_for_lists(page, "user001")
        page.evaluate(OPEN_ALL)
        found = accessible(page)
        roles = {*NAMED, "combobox"}
        assert [role for role, name, _ in found if role in roles and not name] == [], path
        tables = [name for role, name, _ in found if role == "table"]
        assert len(tables) == len(set(tables)) == page.locator("table").count(), path
        assert page.evaluate(TABLES_WITHOUT_HEADERS) == [], path
        levels = [level for role, _, level in found if role == "heading"]
        assert levels.count(1) == 1 and levels[0] == 1, path
        assert all(low <= high + 1 for high, low in pairwise(levels)), path
        assert {role for role, _, _ in found} >= LANDMARKS, path


def test_in_the_frame_a_person_goes_on_to_a_test_and_takes_its_numbers_along(
    page: Any, customers_of: str, tmp_path: Path
) -> None:
    page.goto(customers_of)
    page.get_by_role("link", name="Reports").click()
    frame = frame_of(page)
    frame.get_by_role("link", name="A/B tests").first.click()
    frame.get_by_role("link", name="content-first").click()
    frame.locator("#verdict").wait_for()
    assert frame.locator("#verdict").inner_text() == "Too early to tell"
    with page.expect_download() as download:
        frame.get_by_role("link", name="All numbers as CSV").click()
    download.value.save_as(tmp_path / "numbers.csv")
    assert (tmp_path / "numbers.csv").read_text().startswith("test,phase,day,")


def test_in_the_frame_a_choice_changes_what_the_business_page_shows(
    page: Any, customers_of: str
) -> None:
    page.goto(customers_of)
    page.get_by_role("link", name="Reports").click()
    frame = frame_of(page)
    frame.get_by_role("link", name="Business").click()
    frame.locator("#placement").wait_for()
    frame.locator("#placement").select_option("home")
    frame.get_by_role("button", name="Show").click()
    frame.get_by_text("on home").wait_for()
    assert frame.locator("#placement").input_value() == "home"


def test_a_list_is_asked_for_by_keyboard_and_the_look_is_noted(
    page: Any, customers_of: str, airflow_shop: Storage
) -> None:
    page.goto(f"{customers_of}/catwalk/lists")
    looks = len(airflow_shop.reports.list("looks"))
    ask_for_lists(page, "user001")
    assert "user001" not in page.url and "user001" not in page.content()
    assert (
        page.locator("#lists-title").inner_text().endswith("for whoever has this key in our tables")
    )
    assert page.locator("table tbody tr").count() > 5
    assert len(airflow_shop.reports.list("looks")) == looks + 1
