"""The reports as people see them: Chromium on the pages of the running Airflow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.airflow.client import AirflowClient
from infra.airflow.home import DAG, passwords
from infra.airflow.report_links import report_link
from infra.report.snapshot import STEPS
from infra.run_records import RunRecords
from infra.storage import Storage, run_key
from tests.infra.test_report import EVALUATION, check, gate

HOSTILE = "<script>top.hacked=1</script><img src=x onerror=top.hacked=1>"
RUN_SCRIPT = """() => {
    const script = document.createElement("script");
    script.textContent = "window.hacked = 1";
    document.body.append(script);
    return window.hacked ?? null;
}"""
BEYOND_ITS_CARD = """() => [...document.querySelectorAll('section .state')].filter(each =>
    each.getBoundingClientRect().right > each.closest('section').getBoundingClientRect().right
).map(each => each.innerText)"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(frozen=True)
class Shown:
    """A run that Airflow knows, with a report."""

    airflow: str
    run_id: str
    tab: str
    page: str


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no browser; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        started = playwright.chromium.launch(executable_path=program, args=options)
        yield started
        started.close()


@pytest.fixture(scope="module")
def shown(airflow: AirflowClient, airflow_shop: Storage) -> Shown:
    """Return a run that a gate stopped; only its records are needed, so its tasks never start."""
    run_id = airflow.trigger(DAG, {})
    airflow.give_up(DAG, run_id)
    run = run_key(run_id)
    rules = (
        check("rows", says=HOSTILE, why=HOSTILE, passed=False, examples=({"key": HOSTILE},)),
        check("quarantined", says="w" * 200, value=0.5, partition="batch=" + "x" * 100),
    )
    records = RunRecords(airflow_shop, run)
    at = datetime.now(UTC)
    records.save_gate(gate("events", *rules, run=run, verdict="stopped", at=at))
    records.save_evaluation(EVALUATION)
    tab = report_link(airflow.address, DAG, run_id)
    return Shown(airflow.address, run_id, tab, f"{airflow.address}/catwalk/runs/{run}")


@pytest.fixture(scope="module")
def session(browser: Any, shown: Shown, airflow_shop: Storage) -> Any:
    """Return the cookies of an analyst, who logged in through the form."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(shown.airflow)
    page.fill("input[name=username]", "analyst")
    page.fill("input[name=password]", passwords(airflow_shop.settings.airflow_home)["analyst"])
    page.click("button[type=submit]")
    page.get_by_role("link", name="Reports").wait_for()
    return context.storage_state()


@pytest.fixture
def page(browser: Any, session: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return a tab of the analyst's browser; a parameter changes the screen."""
    screen = {
        "width": 1280,
        "height": 900,
        "color_scheme": "light",
        **getattr(request, "param", {}),
    }
    scheme = screen.pop("color_scheme")
    context = browser.new_context(storage_state=session, viewport=screen, color_scheme=scheme)
    yield context.new_page()
    context.close()


def frame_of(page: Any) -> Any:
    """Return the frame in which Airflow shows a page of ours."""
    page.frame_locator("iframe").locator("h1").wait_for()
    return next(frame for frame in page.frames if frame != page.main_frame)


def test_the_entry_leads_to_the_list_and_on_to_a_report(page: Any, shown: Shown) -> None:
    page.goto(shown.airflow)
    page.get_by_role("link", name="Reports").click()
    reports = frame_of(page)
    reports.get_by_role("link", name="Stopped").click()
    reports.locator(f"a[href$='{run_key(shown.run_id)}']").click()
    reports.locator("#verdict").wait_for()
    assert reports.locator("#verdict").inner_text() == "Stopped at the gate “events”"
    assert page.url.endswith(run_key(shown.run_id)), "the address can be sent to a colleague"


def test_the_tab_of_a_run_shows_its_verdict_and_data_as_text(page: Any, shown: Shown) -> None:
    page.goto(shown.tab)
    report = frame_of(page)
    assert report.locator("#verdict").inner_text() == "Stopped at the gate “events”"
    assert HOSTILE in report.locator("#events").inner_text()
    assert report.locator("script, img").count() == 0
    assert page.evaluate("window.hacked ?? null") is None
    assert report.evaluate(RUN_SCRIPT) is None, "the policy must stop what escaping let through"


def test_the_tab_of_a_task_opens_at_its_part(page: Any, shown: Shown) -> None:
    page.goto(shown.tab.replace("/plugin/catwalk-report", "/tasks/gate_events"))
    page.get_by_role("link", name="Report", exact=True).click()
    report = frame_of(page)
    report.wait_for_function("() => location.hash === '#events' && scrollY > 0")


@pytest.mark.parametrize("where", ["page", "tab"])
def test_who_is_not_logged_in_sees_nothing(browser: Any, shown: Shown, where: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    answer = page.goto(getattr(shown, where))
    if where == "page":
        assert answer.status == 401
        assert "Please log in" in page.content()
    else:
        page.locator("input[name=password]").wait_for()
    assert "Stopped at the gate" not in page.content()
    context.close()


def test_no_address_leads_out_of_the_reports(page: Any, shown: Shown) -> None:
    for path in ("..%2f..%2fpublished", "run=..%2f..%2fairflow%2fpasswords.json", "run=..", "x"):
        assert page.request.get(f"{shown.airflow}/catwalk/runs/{path}").status == 404, path


@pytest.mark.parametrize(
    "page", [{"width": 390}, {"width": 390, "color_scheme": "dark"}, {"width": 1280}], indirect=True
)
def test_nothing_is_cut_off_on_any_screen(page: Any, shown: Shown) -> None:
    for address in (shown.page, f"{shown.airflow}/catwalk/"):
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert page.evaluate(OVERFLOW) == 0, address
        assert page.evaluate(BEYOND_ITS_CARD) == [], address


def test_the_strip_of_steps_is_one_line_of_a_wide_screen(page: Any, shown: Shown) -> None:
    page.goto(shown.page)
    tops = "[...document.querySelectorAll('.flow li')].map(each => each.offsetTop)"
    found = page.evaluate(tops)
    assert (len(found), len(set(found))) == (len(STEPS), 1)


@pytest.mark.parametrize(
    ("page", "dark"), [({}, False), ({"color_scheme": "dark"}, True)], indirect=["page"]
)
def test_the_page_follows_light_and_dark(page: Any, shown: Shown, dark: bool) -> None:
    page.goto(shown.page)
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(color.removeprefix("rgb(").split(",")[0])
    assert (red < 64) is dark


def test_a_keyboard_is_enough(page: Any, shown: Shown) -> None:
    page.goto(shown.page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'main'")
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None
