"""Takes the pictures of the documentation: `make pictures` for a shop that ran `make demo`.

They show the reports inside the shop's own Airflow, as an analyst sees them: those of the last
release, and of a run that a gate stops for this. What it stopped is discarded in the end. The form
of an approval is pictured as the product manager sees it, if a question waits: start one by a run
whose `release.yaml` lets nothing go live unasked.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.airflow.report_links import BASE, DAG, NAV_ROUTE, report_link
from infra.command_line import run_program
from infra.errors import AirflowError, InputError
from infra.ledger.batches import read_batches, stopped_batches
from infra.ledger.questions import waiting_question
from infra.places import REPOSITORY
from infra.report.airflow_links import answer_link
from infra.settings import Settings
from infra.shop.airflow_client import AirflowClient
from infra.shop.airflow_home import passwords
from infra.shop.airflow_server import AirflowServer, client_of
from infra.shop_home import open_home
from infra.storage import Storage
from infra.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FOLDER = REPOSITORY / "docs/pictures"
DESK, PHONE, WALL = (
    {"width": width, "height": height} for width, height in ((1280, 860), (390, 860), (1700, 560))
)
RESOLVE, DAY = "resolve_batch", timedelta(days=1)
BROKEN_ROWS = 2_000
PATIENCE = 300.0  # seconds for a run that a gate stops; a quiet machine needs 40
WHY = "the upload broke off, the shop sends it again"


def main() -> int:
    """Start Airflow, let a gate stop a run, and take one picture after the other."""
    argparse.ArgumentParser(prog="infra.demo.pictures", description=__doc__).parse_args()
    settings = open_home()
    with AirflowServer(settings, "make pictures", scheduled=False):
        client = client_of(settings)
        released = client.last_run(DAG, "success")
        if released is None:
            raise InputError(f"{settings.home} has released nothing.", "Run `make demo` first.")
        _take(settings, client, released, _stop(settings, client))
    return 0


def _stop(settings: Settings, client: AirflowClient) -> str:
    """Deliver events of which many name no user, and return the run that their gate stops."""
    days = sorted(Path(settings.landing, "events/shop").glob("[0-9]*.jsonl"))
    if not days:
        raise InputError("Only the simulated shop can be pictured.", "Run `make demo` first.")
    number = client.runs(DAG)
    with days[-1].open(errors="replace") as lines:
        rows = list(islice(filter(None, map(_event, lines)), BROKEN_ROWS))
    for place, row in enumerate(rows):
        row["event_id"] = f"again-{number}-{place}"
        if place % 4 == 0:
            row.pop("user_id", None)
            row.pop("visitor_id", None)
    broken = days[-1].with_name(f"again-{number}.jsonl")
    broken.write_text("".join(json.dumps(row) + "\n" for row in rows))
    client.unpause(DAG)
    run = client.trigger(DAG, {"as_of": f"{date.fromisoformat(days[-1].name[:10]) + DAY}T00:00Z"})
    _require_end(client, DAG, run, "failed")
    return run


def _event(line: str) -> dict[str, Any] | None:
    """Return a line as an event; None if it is part of the dirt of the simulation."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _decide(settings: Settings, client: AirflowClient) -> None:
    """Discard what the gate stopped, so that the shop is as good as before."""
    for batch in stopped_batches(read_batches(Storage(settings))):
        form = {"batch": batch, "decision": "discard", "reason": WHY}
        _require_end(client, RESOLVE, client.trigger(RESOLVE, form), "success")


def _require_end(client: AirflowClient, dag: str, run: str, state: str) -> None:
    if not wait_until(lambda: client.run_state(dag, run) == state, PATIENCE, 1):
        raise AirflowError(f"{run} of {dag} is not {state} in time.", "Look at its log.")


def _take(settings: Settings, client: AirflowClient, released: str, stopped: str) -> None:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise AirflowError("There is no browser.", "Run apt-get install chromium.")
    airflow = client.address
    alone = f"{airflow}{BASE}/dags/{DAG}/runs"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        cookies = _log_in(browser, airflow, passwords(settings.airflow_home)["analyst"])
        _picture(browser, cookies, f"{airflow}/dags/{DAG}/runs/{released}", WALL, "dag")
        _picture(browser, cookies, f"{airflow}/plugin/{NAV_ROUTE}", DESK, "reports")
        _picture(browser, cookies, f"{airflow}{BASE}/quality", DESK, "quality")
        _picture(browser, cookies, report_link(airflow, DAG, released), DESK, "report_tab")
        _picture(browser, cookies, f"{alone}/{released}", PHONE, "report_phone")
        _picture(browser, cookies, f"{alone}/{stopped}#events", DESK, "report_stopped")
        _picture_of_a_question(settings, browser, airflow)
        _decide(settings, client)
        _picture(browser, cookies, f"{airflow}{BASE}/decisions", DESK, "decisions")
        browser.close()


def _picture_of_a_question(settings: Settings, browser: Browser, airflow: str) -> None:
    """Picture the form of the question that waits; without one the old picture stays."""
    asked = waiting_question(Storage(settings))
    if asked is None or not answer_link(asked):
        print("No question waits, so docs/pictures/approval.png stays as it is.")
        return
    approver = settings.approvers[0]
    secret = passwords(settings.airflow_home)[approver]
    cookies = _log_in(browser, airflow, secret, approver)
    _picture(browser, cookies, f"{airflow}{answer_link(asked)}", DESK, "approval")


def _log_in(browser: Browser, airflow: str, password: str, user: str = "analyst") -> Any:
    page = browser.new_page()
    page.goto(airflow)
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.get_by_role("link", name="Reports").wait_for()
    return page.context.storage_state()


def _picture(browser: Browser, cookies: Any, address: str, screen: Any, name: str) -> None:
    page = browser.new_page(storage_state=cookies, viewport=screen)
    page.goto(address)
    _wait_until_shown(page)
    if name == "dag":
        for button in ("Show Graph", "Collapse Details Panel", "Fit View"):
            page.get_by_label(button).click()
            page.wait_for_timeout(1000)
    file = FOLDER / f"{name}.png"
    page.screenshot(path=file)
    print(f"{file.relative_to(REPOSITORY)}  {file.stat().st_size / 1000:.0f} kB")


def _wait_until_shown(page: Page) -> None:
    framed = "/plugin/" in page.url
    (page.frame_locator("iframe") if framed else page).locator("h1, h2").first.wait_for()
    page.wait_for_timeout(1000)  # Airflow's own parts come in one by one


if __name__ == "__main__":
    sys.exit(run_program(main))
