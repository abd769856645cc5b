"""The page to try the API works in a browser that may load nothing from elsewhere."""

from __future__ import annotations

import shutil

import pytest

from tests.models.serving.running import Running

CHROMIUM = shutil.which("chromium") or ""


def test_the_page_allows_its_own_script_and_nothing_else(server: Running) -> None:
    page = server.client_with("").get("/")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "://" not in page.text


@pytest.mark.skipif(not CHROMIUM, reason="there is no chromium")
def test_a_person_gets_an_answer_on_the_page(server: Running) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.fill("#token", server.token)
        page.click("button")
        answer = page.locator("#answer")  # waited for without eval, which the page forbids
        answer.filter(has_text='"placement": "home"').wait_for()
        assert answer.inner_text().startswith("200")
        page.select_option("#call", label="What is live")
        page.click("button")
        answer.filter(has_text="card").wait_for()
        assert complaints == []
        browser.close()
