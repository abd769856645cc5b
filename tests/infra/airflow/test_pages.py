"""The report pages inside Airflow's own web application, plugin and login included."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from infra.airflow.report_links import DAG, RELEASE_DAG
from infra.lake import run_key
from infra.ledger import decision_log
from infra.ledger.live_pointer import point
from infra.ledger.questions import note_question
from infra.ledger.run_records import RunRecords
from infra.records.gates import Check, GateRecord
from infra.records.release import Approval, ApprovalRecord, PublishRecord, VerdictRecord
from infra.report.decisions import SHOWN
from infra.storage import Storage

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RUN_ID = "manual__2026-11-24T12:00:00.123456+00:00"
RUN = run_key(RUN_ID)
HOSTILE = "</style><script>alert(1)</script>"
DECISIONS = "/catwalk/decisions"
OVERRIDES = "/catwalk/overrides"
RUN_PAGE = f"/catwalk/runs/{RUN}"
TAB = f"/catwalk/dags/{DAG}/runs/{RUN_ID.replace('+', '%2B')}"


def gate(run: str, result: str, passed: bool) -> GateRecord:
    check = {"name": "rows", "says": HOSTILE, "why": HOSTILE, "severity": "critical"}
    found = Check.model_validate({**check, "value": 1.0, "min": 2.0, "passed": passed})
    facts = {"gate": "events", "run": run, "at": NOON, "result": result, "partitions": ["b"]}
    return GateRecord.model_validate({**facts, "checks": [found]})


@pytest.fixture(scope="module")
def web(airflow_database: None) -> Iterator[TestClient]:
    """Return a browser on Airflow's web application, logged out."""
    from airflow.api_fastapi.app import create_app

    with TestClient(create_app(apps="core"), follow_redirects=False) as client:
        yield client


@pytest.fixture
def pages(web: TestClient, shop: Storage, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Return the same with a shop that has two runs, and nothing remembered of other tests."""
    from airflow import plugins_manager

    for app in plugins_manager.get_fastapi_plugins()[0]:
        monkeypatch.setattr(app["app"], "_app", None)
    RunRecords(shop, RUN).save_gate(gate(RUN, "stopped", passed=False))
    earlier = run_key("scheduled__2026-11-23T12:00:00+00:00")
    RunRecords(shop, earlier).save_gate(gate(earlier, "passed", passed=True))
    shop.published.write("secret.json", b"outside of the reports")
    web.cookies.clear()
    return web


@pytest.fixture
def analyst(pages: TestClient) -> TestClient:
    """Return the browser of a viewer who has logged in."""
    login = {"username": "analyst", "password": "analyst"}
    token = pages.post("/auth/token", json=login).json()["access_token"]
    pages.cookies.set("_token", token)
    return pages


@pytest.mark.parametrize(
    "path", ["/catwalk/", RUN_PAGE, TAB, f"{TAB}?task=gate_events", DECISIONS, OVERRIDES]
)
def test_nobody_reads_without_a_login(pages: TestClient, path: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == 401
    assert "Please log in" in answer.text
    assert RUN not in answer.text


def test_a_forged_login_is_refused(pages: TestClient) -> None:
    pages.cookies.set("_token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.")
    assert pages.get(RUN_PAGE).status_code in {401, 403}


@pytest.mark.parametrize("path", [RUN_PAGE, TAB])
def test_a_viewer_reads_the_report_of_a_run(analyst: TestClient, path: str) -> None:
    answer = analyst.get(path)
    assert answer.status_code == 200
    assert "Stopped at the gate" in answer.text


def test_a_task_opens_its_part_of_the_report(analyst: TestClient) -> None:
    answer = analyst.get(f"{TAB}?task=gate_events")
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("#events")
    assert analyst.get(answer.headers["location"]).status_code == 200


def test_the_list_links_to_every_run_newest_first(analyst: TestClient) -> None:
    text = analyst.get("/catwalk/").text
    assert text.index(RUN) < text.index("run=scheduled__2026-11-23")
    assert f'href="{RUN_PAGE}"' in text


def test_the_list_filters_by_verdict(analyst: TestClient) -> None:
    stopped = analyst.get("/catwalk/?verdict=stopped").text
    assert RUN in stopped
    assert "2026-11-23" not in stopped
    assert RUN not in analyst.get("/catwalk/?verdict=released").text


@pytest.mark.parametrize(
    "path",
    [
        "/catwalk/runs/..%2F..%2Fpublished%2Fsecret.json",
        "/catwalk/runs/%2e%2e/%2e%2e/published/secret.json",
        "/catwalk/runs/run=../../published/secret.json",
        "/catwalk/runs/run=..%2f..%2fpublished",
        "/catwalk/runs/run=..",
        "/catwalk/runs/run=x%00",
        "/catwalk/runs/run=" + "x" * 300,
        "/catwalk/runs/run=unknown",
        f"/catwalk/runs/{RUN}/summary.json",
        f"/catwalk/runs/{RUN}%0a",
        "/catwalk/?after=../../published",
        "/catwalk/?verdict=anything",
        "/catwalk/decisions?before=0",
        "/catwalk/decisions?before=x",
        "/catwalk/decisions?at=" + "9" * 61,
        "/catwalk/docs",
        "/catwalk/openapi.json",
    ],
)
def test_no_address_leads_out_of_the_reports(analyst: TestClient, path: str) -> None:
    answer = analyst.get(path)
    assert answer.status_code in {404, 422}, answer.text
    assert "outside" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_tab_never_leads_out_of_the_reports(analyst: TestClient) -> None:
    for run_id in ("..%2F..%2Fpublished%2Fsecret.json", "x%2F..%2F..%2Fpublished"):
        answer = analyst.get(f"/catwalk/dags/{DAG}/runs/{run_id}")
        assert "outside" not in answer.text
        assert answer.status_code == 404 or "No step has left a record yet" in answer.text


def test_a_run_of_another_dag_has_no_report(analyst: TestClient) -> None:
    other = analyst.get(TAB.replace(DAG, "resolve_batch"))
    assert "Stopped" not in other.text
    assert DAG in other.text


@pytest.mark.parametrize(
    "path", ["/catwalk/", RUN_PAGE, DECISIONS, OVERRIDES, "/catwalk/runs/none"]
)
def test_the_policy_lets_nothing_run(analyst: TestClient, path: str) -> None:
    answer = analyst.get(path)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'none'" in policy
    assert "unsafe" not in policy
    assert "data:" not in policy
    assert f"nonce-{answer.text.split('nonce=')[1][1:23]}'" in policy
    assert answer.text.count("nonce=") == 1
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_what_came_from_data_stays_text(analyst: TestClient) -> None:
    for path in ("/catwalk/", RUN_PAGE):
        text = analyst.get(path).text
        assert HOSTILE not in text
        assert "&lt;script&gt;alert(1)" in text


def test_a_broken_summary_is_never_a_pass(analyst: TestClient, shop: Storage) -> None:
    shop.reports.write(f"{RUN}/summary.json", b'{"ending": "released"}')
    assert RUN in analyst.get("/catwalk/?verdict=stopped").text
    shop.reports.write(f"{RUN}/gates/events.json", b"{")
    shop.reports.write(f"{RUN}/summary.json", b"")
    assert RUN in analyst.get("/catwalk/?verdict=broken").text
    assert RUN not in analyst.get("/catwalk/?verdict=released").text


def test_a_run_that_airflow_ended_is_not_called_running(
    analyst: TestClient, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunRecords(shop, RUN).save_gate(gate(RUN, "passed", passed=True))
    assert "Running" in analyst.get(RUN_PAGE).text
    _remember(RUN_ID, "failed")
    assert "Broke off" in analyst.get(RUN_PAGE).text
    assert RUN in analyst.get("/catwalk/?verdict=failed").text


def test_a_run_that_died_before_its_first_record_is_listed_and_has_a_page(
    analyst: TestClient,
) -> None:
    _remember("manual__2026-11-24T13:00:00+00:00", "failed")
    _remember("manual__2026-11-24T14:00:00+00:00", "success")
    died, emptied = (run_key(f"manual__2026-11-24T{hour}:00:00+00:00") for hour in (13, 14))
    for path in ("/catwalk/", "/catwalk/?verdict=failed"):
        assert f'href="/catwalk/runs/{died}"' in analyst.get(path).text
        assert emptied not in analyst.get(path).text, "its records were deleted; it did not fail"
    assert "no step has left a record" in analyst.get(f"/catwalk/runs/{died}").text


def ask(shop: Storage, run: str = RUN, **change: object) -> ApprovalRecord:
    """Let a run whose verdict is review ask, as its task would."""
    verdict = {"run": run, "at": NOON, "outcome": "review", "candidate": "hybrid", "batches": ()}
    missed = {"metric": "auc", "value": 0.1, "limit": "l", "result": "missed", "outcome": "review"}
    judged = {"judgements": [{**missed, "reason": "r", "why": "w"}], "thresholds_sha256": "0"}
    RunRecords(shop, run).save_gate(gate(run, "passed", passed=True))
    RunRecords(shop, run).save_verdict(VerdictRecord.model_validate({**verdict, **judged}))
    asked = {"run": run, "candidate": "hybrid", "manifest_sha256": "m", "asked": ("pm", HOSTILE)}
    asked |= {"asked_at": NOON, "asked_in": f"about {run}", **change}
    record = ApprovalRecord.model_validate(asked)
    RunRecords(shop, run).save_approval(record)
    note_question(shop, run, record.asked_in, NOON)
    return record


WAITS = "Waits for a person</b> since"


def test_the_question_that_waits_stands_on_top(analyst: TestClient, shop: Storage) -> None:
    assert WAITS not in analyst.get("/catwalk/").text
    run = run_key("manual__2026-11-24T11:00:00+00:00")
    record = ask(shop, run)
    page = analyst.get("/catwalk/").text
    assert WAITS in page and f"/runs/{run}" in page.split(WAITS)[1].split("</p>")[0]
    assert "pm, &lt;/style&gt;" in page, "whatever a user is called"
    assert "Needs an approval" in analyst.get(f"/catwalk/runs/{run}").text
    change = {"answer": "replaced", "replaced_by": "run=newer", "at": NOON, "why": "w"}
    RunRecords(shop, run).save_approval(record.model_copy(update=change))
    assert WAITS not in analyst.get("/catwalk/").text
    said = analyst.get(f"/catwalk/runs/{run}").text
    assert "Question replaced" in said and "run=newer replaced the question" in said
    assert run in analyst.get("/catwalk/?verdict=replaced").text
    assert "Replaced" in analyst.get(DECISIONS).text


def test_a_retraining_waits_while_a_run_of_airflow_asks_about_it(
    analyst: TestClient, shop: Storage
) -> None:
    retraining, asking = "manual__2026-11-24T15:00:00+00:00", "asked__2026-11-24T15:10:00+00:00"
    run = run_key(retraining)
    ask(shop, run)
    _remember(retraining, "success")
    assert WAITS not in analyst.get("/catwalk/").text, "nobody can answer: the run that asked died"
    assert "Broke off" in analyst.get(f"/catwalk/runs/{run}").text
    _remember(asking, "running", RELEASE_DAG, {"run": run})
    assert WAITS in analyst.get("/catwalk/").text
    assert "Needs an approval" in analyst.get(f"/catwalk/runs/{run}").text


def test_a_run_that_asks_shows_the_report_of_the_retraining(
    analyst: TestClient, shop: Storage
) -> None:
    asking = "asked__2026-11-24T16:00:00+00:00"
    _remember(asking, "running", RELEASE_DAG, {"run": RUN})
    tab = f"/catwalk/dags/{RELEASE_DAG}/runs/{asking.replace('+', '%2B')}"
    assert "Stopped at the gate" in analyst.get(tab).text
    assert analyst.get(tab.replace("16", "17")).status_code == 404, "Airflow has no such run"
    part = analyst.get(f"{tab}?task=approve_release")
    assert part.status_code == 303 and part.headers["location"].endswith("#release")


def _remember(run_id: str, state: str, dag: str = DAG, form: object = None) -> None:
    """Write the run into Airflow's database, as its scheduler would."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunType

    of = {"run_type": DagRunType.MANUAL, "run_after": NOON, "conf": form}
    run = DagRun(dag, run_id=run_id, state=state, **of)
    with create_session() as session:
        session.add(run)


def pointer(number: int, hour: int, **change: object) -> PublishRecord:
    facts = {"run": RUN, "at": NOON + timedelta(hours=hour), "number": number}
    model = {"version": f"v{number}", "candidate": HOSTILE, "manifest_sha256": "a" * 64}
    return PublishRecord.model_validate({**facts, **model, **change})


@pytest.fixture
def decided(shop: Storage) -> Storage:
    """Return the shop with two pointers, the second a roll-back, and two entries of the log."""
    anna = Approval(by="anna" + HOSTILE, at=NOON, why="socks" + HOSTILE)
    point(shop, pointer(1, -30))
    point(shop, pointer(2, -29, version="v0", action="roll_back", previous="v1", decided=anna))
    facts = {"at": NOON, "what": "batch", "by": "bob", "why": HOSTILE, "facts": {"of": HOSTILE}}
    for about in (HOSTILE, "batch=shop-000002"):
        entry = decision_log.Decision.model_validate({**facts, "about": about, "outcome": "x"})
        decision_log.append(shop.reports, entry)
    return shop


def test_a_viewer_reads_who_decided_what(analyst: TestClient, decided: Storage) -> None:
    answer = analyst.get(DECISIONS)
    assert answer.status_code == 200
    text = answer.text
    assert text.index("v0 <span") < text.index("v1<span"), "what is live comes first"
    assert (
        f"Latest first, at most {SHOWN}" in text
        and "Rolled back" in text
        and "batch=shop-000002" in text
    )
    assert HOSTILE not in text and text.count("&lt;script&gt;alert(1)") >= 6
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    older = analyst.get(f"{DECISIONS}?before=2").text
    assert "No. 1: Batch" in older and "No. 2: Batch" not in older


def test_it_tells_what_was_live(analyst: TestClient, decided: Storage) -> None:
    def ask(at: str) -> tuple[int, str]:
        answer = analyst.get(DECISIONS, params={"at": at})
        return answer.status_code, answer.text

    assert "v1 (pointer 1)" in ask("2026-11-23 06:30")[1]
    assert "v0 (pointer 2)" in ask("2026-11-23 08:00+01:00")[1]
    assert "nothing yet" in ask("2020-01-01")[1]
    status, text = ask('"><script>alert(2)')
    assert status == 422 and "is no time" in text and "<script>" not in text


def test_what_was_deleted_is_told_and_what_is_broken_is_no_page(
    analyst: TestClient, decided: Storage
) -> None:
    Path(decided.reports.address, "decisions/0000000001.json").unlink()
    Path(decided.published.address, "live/0000000001.json").unlink()
    text = analyst.get(DECISIONS).text
    assert (
        "Pointers were deleted:</b> 1" in text and "Entries of the log were deleted:</b> 1" in text
    )
    decided.reports.write("decisions/0000000002.json", b"{")
    answer = analyst.get(DECISIONS)
    assert answer.status_code == 503 and "0000000002.json" in answer.text
    assert "Restore it" not in answer.text, "the cure is for whoever runs this, not for a viewer"


def test_many_decisions_take_pages(analyst: TestClient, shop: Storage) -> None:
    for number in range(SHOWN + 1):
        facts = {"at": NOON, "what": "batch", "outcome": "accepted", "by": "bob", "why": ""}
        entry = decision_log.Decision.model_validate({**facts, "about": f"batch=b-{number}"})
        decision_log.append(shop.reports, entry)
    assert f'href="{DECISIONS}?before=2"' in analyst.get(DECISIONS).text
    last = analyst.get(f"{DECISIONS}?before=2").text
    assert "batch=b-0" in last and "Older decisions" not in last
