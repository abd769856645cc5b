"""The page Business: its numbers are those of the marts, with their day and their money."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from infra.errors import InputError, StorageError
from infra.ledger.ab_tests import add_ab_record
from infra.ledger.alarms import note_alarm
from infra.ledger.live_pointer import point
from infra.places import MARTS
from infra.report import mart_rows
from infra.report.business import (
    Asked,
    BusinessPage,
    business_csv,
    customers_csv,
    find_business,
    render_business,
)
from infra.report.templates import Frame
from infra.storage import Storage
from infra.stores.numbered import key
from tests.infra.airflow.test_tell_alarm import watch
from tests.infra.ledger.test_ab_tests import ab_test, decision
from tests.infra.report.marts_by_hand import SUNDAY, build_by_hand, customers, kpis
from tests.infra.report.test_ab_test import FRAME, HOSTILE, section, seen
from tests.infra.report.test_report import published

DAY = timedelta(days=1)
MONDAY = SUNDAY + DAY


def page_of(shop: Storage, **asked: Any) -> BusinessPage:
    page = find_business(shop, Asked(**asked))
    assert page is not None
    return page


def rendered(shop: Storage, frame: Frame = FRAME, **asked: Any) -> str:
    return render_business(page_of(shop, **asked), frame)


def part(page: str, name: str) -> str:
    return seen("</style>" + section(page, name))


def row_of(page: str, name: str, at: int = 0) -> str:
    """Return the cells of a row, by the name in its head."""
    rows = [seen("</style>" + row) for row in page.split("<tr")[1:] if f'scope="row">{name}' in row]
    return rows[at].split(">", 1)[1].split("Page made")[0].strip()


def test_the_last_final_day_stands_beside_the_same_weekday_before(shop: Storage) -> None:
    before = kpis(SUNDAY - 7 * DAY, requests=800, clicks=100, orders=16)
    wrong = kpis(SUNDAY - 6 * DAY, requests=7, impressions=7, clicks=7)
    build_by_hand(shop, [before, wrong, kpis(), kpis(MONDAY, requests=90)])
    page = rendered(shop)
    today, so_far = section(page, "today-title").split("So far")
    assert "2026-11-22 (Sunday) beside 2026-11-15" in today
    assert row_of(today, "Answers").endswith("1,000 800 +25.0%")
    assert row_of(today, "CTR").endswith("4.00% 2.00% +100.0%")
    assert row_of(today, "Orders").endswith("8 16 -50.0%")
    assert row_of(today, "Revenue, EUR").endswith("95.00 95.00 0.0%")
    assert row_of(today, "Short lists").endswith("1.00% 1.25% -20.0%")
    assert row_of(today, "Bestsellers").endswith("10.0% 10.0% 0.0%")
    assert "not final" in so_far and "2026-11-23 (Monday)" in so_far
    assert row_of(so_far, "Answers").endswith("90 7 +1,185.7%")


def test_rows_of_a_day_are_added_up_and_a_choice_takes_its_own(shop: Storage) -> None:
    cart = kpis(placement="cart", version="v2", requests=50, impressions=0, clicks=0)
    test = kpis(version="v2", test="t", phase=1, arm="treatment", market="AT", requests=300)
    build_by_hand(shop, [kpis(), cart, test])
    of_all = section(rendered(shop), "today-title")
    assert row_of(of_all, "Answers").split(" — ")[0].endswith("1,350")
    assert row_of(of_all, "CTR").split(" — ")[0].endswith("4.00%"), "400 clicks of 10,000"
    chosen = rendered(shop, placement="cart", version="v2")
    assert row_of(section(chosen, "today-title"), "Answers").split(" — ")[0].endswith(" 50")
    assert " — — —" in row_of(section(chosen, "today-title"), "CTR"), "nothing seen is no CTR of 0"
    assert '<option value="cart" selected>' in chosen and '<option value="v2" selected>' in chosen
    groups = section(rendered(shop), "groups-title")
    assert row_of(groups, "cart").startswith("cart v2 50") and "300" in row_of(groups, "home", 1)
    with pytest.raises(InputError, match="placement 'basket'"):
        page_of(shop, placement="basket")


def test_a_day_that_is_not_final_is_marked_in_drawings_and_tables(shop: Storage) -> None:
    rows = [kpis(SUNDAY - DAY), kpis(), kpis(MONDAY)]
    build_by_hand(shop, rows, [customers(SUNDAY - DAY), customers()])
    page = rendered(shop)
    lists, people = section(page, "lists-title"), section(page, "customers-title")
    first = lists.split("<svg")[1].split("</svg>")[0]
    assert first.count('class="open"') == 1 and first.count('circle class="judged"') == 2
    assert lists.count('class="tag">not final') == 1
    assert people.count('class="tag">not final') == 2, "customers are final a day later"
    build_by_hand(shop, rows, final=None)
    page = rendered(shop)
    assert "No day is final yet" in page and "2026-11-23 (Monday)" in page
    assert "Not known in these days" in section(page, "customers-title")


def test_releases_and_tests_are_marked_on_their_days(shop: Storage) -> None:
    build_by_hand(shop, [kpis(SUNDAY - DAY), kpis(), kpis(MONDAY)])
    at = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    point(shop, published().model_copy(update={"at": at, "version": "v9", "number": 1}))
    started = add_ab_record(shop, lambda _: ab_test(at=at - DAY))
    ended = decision(started.number).model_copy(update={"at": at + DAY})
    add_ab_record(shop, lambda _: ended)
    add_ab_record(shop, lambda _: ab_test(name="later", at=at + 2 * DAY))
    lists = section(rendered(shop), "lists-title")
    picture = lists.split("<svg")[1].split("</svg>")[0]
    assert picture.count('circle class="released"') == 1 and "v9 (" in picture
    assert picture.count('rect class="tested"') == 2, "what happened on no day shown is left out"
    told = seen("</style>" + lists)
    assert "2026-11-21 The A/B test content-first began" in told
    assert "2026-11-23 The A/B test content-first ended: keep" in told and "later" not in told


def test_a_fall_since_the_live_release_stands_on_top_with_the_way_back(shop: Storage) -> None:
    build_by_hand(shop, [kpis()])
    point(shop, published().model_copy(update={"version": "v8", "number": 1}))
    point(shop, published().model_copy(update={"version": "v9", "number": 2}))
    note_alarm(shop, watch(-0.08, number=1))
    assert 'role="alert"' not in rendered(shop), "it was about another release"
    note_alarm(shop, watch(-0.08, number=2))
    page = rendered(shop)
    assert page.index("orders per list fell by 20% (between 8% and 31%)") < page.index(
        "asked-title"
    )
    assert 'href="/flow/dags/roll_back_release"' in page


def test_each_currency_is_a_number_and_nothing_is_converted(shop: Storage) -> None:
    money = {"gross_revenue": {"EUR": 10.0, "PLN": 900.0}, "returned_revenue": {"EUR": 12.5}}
    build_by_hand(shop, [kpis(**money)])
    page = rendered(shop)
    assert "Money is in PLN and in EUR; nothing is converted" in seen(page)
    assert " -2.50 " in row_of(page, "Revenue, EUR") and " 900.00 " in row_of(page, "Revenue, PLN")


def test_the_zone_of_the_shop_is_said(shop: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    build_by_hand(shop, [kpis()])
    assert "A day is one of UTC." in seen(rendered(shop))
    monkeypatch.setenv("CATWALK_TIME_ZONE", "Europe/Vienna")
    assert "A day is one of UTC, not of Europe/Vienna" in seen(rendered(shop))


def test_only_the_days_asked_for_are_read(shop: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [kpis(SUNDAY - n * DAY) for n in range(40)]
    build_by_hand(shop, rows)
    assert len(page_of(shop).rows) == 28 and len(page_of(shop, days=91).rows) == 40
    monkeypatch.setattr(mart_rows, "MOST_ROWS", 27)
    with pytest.raises(StorageError, match="over 27 rows since 2026-10-26"):
        page_of(shop)


def test_the_build_that_counts_is_shown_and_a_broken_one_is_no_empty_page(shop: Storage) -> None:
    assert find_business(shop, Asked()) is None
    build_by_hand(shop, [kpis()])
    build_by_hand(shop, [kpis(requests=1_234)])
    assert "1,234" in rendered(shop)
    shop.lake.store.write(key(MARTS, 3), b"{}")
    with pytest.raises(StorageError):
        find_business(shop, Asked())


def test_what_came_from_data_stays_text(shop: Storage) -> None:
    build_by_hand(shop, [kpis(placement=HOSTILE, version=f'"{HOSTILE}')])
    page = rendered(shop, placement=HOSTILE)
    assert HOSTILE not in page and "&lt;script&gt;" in page


def test_the_numbers_can_be_taken_along(shop: Storage) -> None:
    odd = kpis(MONDAY, placement="=cmd()", gross_revenue={"PLN": 3.5}, returned_revenue={})
    build_by_hand(shop, [kpis(), odd], [customers()])
    lines = list(csv.DictReader(business_csv(page_of(shop)).splitlines()))
    assert [line["day"] for line in lines] == ["2026-11-22", "2026-11-23"]
    assert lines[0]["gross_revenue_EUR"] == "100.0" and lines[0]["gross_revenue_PLN"] == ""
    assert lines[1]["placement"] == "'=cmd()" and lines[1]["gross_revenue_PLN"] == "3.5"
    assert [line["is_final"] for line in lines] == ["True", "False"]
    (line,) = csv.DictReader(customers_csv(page_of(shop)).splitlines())
    assert line["buyers"] == "50" and line["is_final"] == "False"
    assert date.fromisoformat(line["day"]) == SUNDAY
