"""Takes the pictures of the documentation: `make pictures` for a shop that ran `make demo`.

They show the reports inside the shop's own Airflow, as an analyst sees them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import TYPE_CHECKING, Any

from infra.airflow.home import DAG, REPOSITORY, passwords
from infra.airflow.report_links import BASE, NAV_ROUTE, report_link
from infra.airflow.server import AirflowServer, client_of
from infra.errors import AirflowError, InputError
from infra.program import run_program
from infra.shop_home import open_home

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FOLDER = REPOSITORY / "docs/pictures"
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 860}


def main() -> int:
    """Start Airflow, log in, and take one picture after the other."""
    argparse.ArgumentParser(prog="infra.demo.pictures", description=__doc__).parse_args()
    settings = open_home()
    with AirflowServer(settings, "make pictures", scheduled=False):
        client = client_of(settings)
        run = client.last_run(DAG)
        if run is None:
            raise InputError(f"{settings.home} has no run.", "Run `make demo` first.")
        _take(client.address, run, passwords(settings.airflow_home)["analyst"])
    return 0


def _take(airflow: str, run: str, password: str) -> None:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise AirflowError("There is no browser.", "Run apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        cookies = _log_in(browser, airflow, password)
        tab, alone = report_link(airflow, DAG, run), f"{airflow}{BASE}/dags/{DAG}/runs/{run}"
        _picture(browser, cookies, f"{airflow}/plugin/{NAV_ROUTE}", DESK, "reports")
        _picture(browser, cookies, tab, DESK, "report_tab")
        _picture(browser, cookies, alone, PHONE, "report_phone")
        browser.close()


def _log_in(browser: Browser, airflow: str, password: str) -> Any:
    page = browser.new_page()
    page.goto(airflow)
    page.fill("input[name=username]", "analyst")
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.get_by_role("link", name="Reports").wait_for()
    return page.context.storage_state()


def _picture(browser: Browser, cookies: Any, address: str, screen: Any, name: str) -> None:
    page = browser.new_page(storage_state=cookies, viewport=screen)
    page.goto(address)
    _wait_until_shown(page)
    file = FOLDER / f"{name}.png"
    page.screenshot(path=file)
    print(f"{file.relative_to(REPOSITORY)}  {file.stat().st_size / 1000:.0f} kB")


def _wait_until_shown(page: Page) -> None:
    framed = "/plugin/" in page.url
    (page.frame_locator("iframe") if framed else page).locator("h1").first.wait_for()
    page.wait_for_timeout(1000)  # Airflow's own parts come in one by one


if __name__ == "__main__":
    sys.exit(run_program(main))
