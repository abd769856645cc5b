"""The reports as people see them: Chromium on the pages of the running Airflow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from infra.airflow.report_links import DAG, report_link
from infra.lake import run_key
from infra.ledger.run_records import RunRecords
from infra.records.steps import STATIONS
from infra.shop.airflow_client import AirflowClient
from infra.shop.airflow_home import passwords
from infra.storage import Storage
from tests.infra.report.test_report import EVALUATION, check, gate, verdict
from tests.infra.report.test_report_history import LIGHT_USERS, compared

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
SQUEEZED = """() => [...document.querySelectorAll('td .state, td .both')].filter(each =>
    each.checkVisibility() && each.innerText.length > 5 && each.getBoundingClientRect().width < 60
).map(each => each.innerText)"""
OPEN_ALL = "document.querySelectorAll('details').forEach(each => each.open = true)"
NAMED = {
    *("link", "button", "textbox", "image", "table", "columnheader", "rowheader", "heading"),
    *("navigation", "region", "DisclosureTriangle"),
}
LANDMARKS = {"banner", "navigation", "main", "contentinfo"}
TABLES_WITHOUT_HEADERS = """() => [...document.querySelectorAll('table')].filter(each =>
    !each.querySelector('thead th[scope=col]') || each.querySelector('th:not([scope])')
).map(each => each.innerText)"""
CAN_BE_REACHED = "document.querySelectorAll('a, summary, input, button, [tabindex=\"0\"]').length"
FOCUSED = """() => {
    const at = document.activeElement, box = at.getBoundingClientRect();
    const drawn = getComputedStyle(at);
    return at === document.body ? null : {
        what: at.outerHTML.slice(0, 100),
        seen: drawn.outlineStyle !== 'none' && parseFloat(drawn.outlineWidth) >= 2
            && box.width > 0 && box.right > 0 && box.top < innerHeight && box.bottom > 0
    };
}"""
# Texts with less contrast than WCAG 2 asks for; a canvas turns any notation of a colour into bytes.
FAINT = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const bytes = color => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const behind = each => {
        const color = bytes(getComputedStyle(each).backgroundColor);
        return color[3] === 255 ? color : behind(each.parentElement);
    };
    const light = color => [0.2126, 0.7152, 0.0722].reduce((sum, part, at) => {
        const value = color[at] / 255;
        return sum + part * (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    }, 0.05);
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), faint = [];
    while (texts.nextNode()) {
        const text = texts.currentNode.textContent.trim(), each = texts.currentNode.parentElement;
        const drawn = getComputedStyle(each);
        const color = light(bytes(each.closest('svg') ? drawn.fill : drawn.color));
        const paper = light(bytes(`rgb(${behind(each).slice(0, 3)})`));
        const ratio = Math.max(color, paper) / Math.min(color, paper);
        if (text && each.checkVisibility() && ratio < 4.5) faint.push([ratio, text]);
    }
    return faint;
}"""
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
    stop = {"run": run, "result": "stopped", "at": at, "waiting": ("batch=shop-000012",)}
    records.save_gate(gate("events", *rules, **stop))
    records.save_gate(gate("items", check("pictures", passed=False), check("prices"), run=run))
    better = compared("lightfm", 0.001, 0.007, "better", slices=(LIGHT_USERS,))
    scores = (better, *EVALUATION.scores)
    records.save_evaluation(EVALUATION.model_copy(update={"run": run, "scores": scores}))
    records.save_verdict(verdict(run=run))
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
    for address in (shown.page, f"{shown.airflow}/catwalk/", f"{shown.airflow}/catwalk/quality"):
        page.goto(address)
        page.evaluate(OPEN_ALL)
        assert page.evaluate(OVERFLOW) == 0, address
        assert page.evaluate(BEYOND_ITS_CARD) == [], address
        assert page.evaluate(SQUEEZED) == [], address


def test_the_strip_of_steps_is_one_line_of_a_wide_screen(page: Any, shown: Shown) -> None:
    page.goto(shown.page)
    tops = "[...document.querySelectorAll('.flow li')].map(each => each.offsetTop)"
    found = page.evaluate(tops)
    assert (len(found), len(set(found))) == (len(STATIONS), 1)


@pytest.mark.parametrize(
    ("page", "dark"), [({}, False), ({"color_scheme": "dark"}, True)], indirect=["page"]
)
def test_the_page_follows_light_and_dark(page: Any, shown: Shown, dark: bool) -> None:
    page.goto(shown.page)
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(color.removeprefix("rgb(").split(",")[0])
    assert (red < 64) is dark
    page.evaluate(OPEN_ALL)
    assert page.evaluate(FAINT) == []


@pytest.mark.parametrize("chosen", ["dark", "light"])
@pytest.mark.parametrize("page", [{"color_scheme": "null"}], indirect=True)
def test_the_page_is_as_dark_as_airflow_was_made_by_hand(
    page: Any, shown: Shown, chosen: str
) -> None:
    """Without a script of ours: the browser tells a framed page what its frame looks like."""
    page.goto(shown.airflow)
    page.evaluate(f"localStorage.setItem('theme', '{chosen}')")
    page.goto(shown.tab)
    report = frame_of(page)
    assert page.evaluate("document.documentElement.style.colorScheme") == chosen
    color = report.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(color.removeprefix("rgb(").split(",")[0])
    assert (red < 64) is (chosen == "dark")


def test_a_stopped_run_leads_to_the_form_that_decides(page: Any, shown: Shown) -> None:
    """In the frame of the report, where Airflow opens again: a frame may open no other window."""
    page.goto(shown.tab)
    report = frame_of(page)
    report.get_by_role("link", name="the form of resolve_batch").click()
    report.wait_for_url(f"{shown.airflow}/dags/resolve_batch")
    report.get_by_role("button", name="Trigger").first.wait_for()
    assert page.url == shown.tab, "the tab stays where it was"


def test_a_keyboard_is_enough(page: Any, shown: Shown) -> None:
    page.goto(shown.page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'main'")
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None


def test_the_keyboard_reaches_everything_and_shows_where_it_is(page: Any, shown: Shown) -> None:
    page.emulate_media(reduced_motion="reduce")  # what is focused is in sight at once
    page.goto(shown.page)
    page.evaluate(OPEN_ALL)
    reached = []
    while len(reached) < 200:
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        reached.append(focused)
    assert [one["what"] for one in reached if not one["seen"]] == []
    assert len(reached) == page.evaluate(CAN_BE_REACHED) > 20


@pytest.mark.parametrize("page", [{"width": 1280}, {"width": 390}], indirect=True)
def test_a_screen_reader_finds_a_name_and_an_order_for_everything(page: Any, shown: Shown) -> None:
    """A table that a narrow screen shows as cards is a table for it all the same."""
    for path in (shown.page, "/catwalk/", "/catwalk/quality", "/catwalk/decisions"):
        address = path if path == shown.page else shown.airflow + path
        page.goto(address)
        page.evaluate(OPEN_ALL)
        found = accessible(page)
        assert [role for role, name, _ in found if role in NAMED and not name] == [], address
        tables = [name for role, name, _ in found if role == "table"]
        assert len(tables) == len(set(tables)) == page.locator("table").count(), address
        assert page.evaluate(TABLES_WITHOUT_HEADERS) == [], address
        levels = [level for role, _, level in found if role == "heading"]
        assert levels.count(1) == 1 and levels[0] == 1, address
        assert all(low <= high + 1 for high, low in pairwise(levels)), address
        assert {role for role, _, _ in found} >= LANDMARKS, address


def accessible(page: Any) -> list[tuple[str, str, int]]:
    """Return role, name and heading level of all that Chromium tells a screen reader, in order."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    return [
        (
            node["role"]["value"],
            node.get("name", {}).get("value", "").strip(),
            next(
                (one["value"]["value"] for one in node["properties"] if one["name"] == "level"), 0
            ),
        )
        for node in tree["nodes"]
        if not node["ignored"]
    ]
