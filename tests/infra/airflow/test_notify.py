"""Telling people: the words of the report reach them, secrets do not, and nothing else breaks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_string
from types import SimpleNamespace
from typing import Any

import pytest

from infra.airflow.notify import ReportNotifier
from infra.airflow.report_links import DAG, RELEASE_DAG
from infra.errors import SettingsError
from infra.lake import run_key
from infra.ledger.questions import note_question
from infra.ledger.run_records import RunRecords
from infra.settings import load_settings
from infra.storage import Storage
from tests.infra.report.test_report import CRITICAL, NOON, gate
from tests.message_servers import Inbox, Mail, Webhook, serving

RUN_ID = "manual__2026-11-24T12:00:00+00:00"
CONTEXT = {
    "dag_run": SimpleNamespace(run_id=RUN_ID, dag_id=DAG),
    "ti": SimpleNamespace(task_id="gate_events"),
}
LINK = f"/dags/{DAG}/runs/manual__2026-11-24T12%3A00%3A00%2B00%3A00/plugin/catwalk-report"


@pytest.fixture
def stopped(shop: Storage, airflow_database: None) -> Storage:
    """Return a shop with a run that its events gate stopped."""
    run = run_key(RUN_ID)
    RunRecords(shop, run).save_gate(gate("events", CRITICAL, run=run, result="stopped"))
    return shop


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    with serving(Webhook) as inbox:
        address = f"http://127.0.0.1:{inbox.port}/secret-path"
        monkeypatch.setenv("CATWALK_NOTIFY_WEBHOOK", address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield inbox


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    with serving(Mail) as inbox:
        options = "from_email=catwalk%40shop.example&disable_ssl=true&disable_tls=true"
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", f"smtp://127.0.0.1:{inbox.port}/?{options}")
        monkeypatch.setenv("CATWALK_NOTIFY_EMAIL", "pm@shop.example, de@shop.example")
        yield inbox


def tell(context: Any = CONTEXT) -> None:
    ReportNotifier()(dict(context))


def test_by_default_a_line_in_the_log_tells(
    stopped: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    tell()
    said = capsys.readouterr().out
    assert "gate_events failed. Stopped at the gate “events”." in said
    assert LINK in said


def test_a_webhook_is_told_what_happened_and_where_to_read(
    stopped: Storage, webhook: Inbox
) -> None:
    tell()
    (message,) = webhook.received
    assert set(message) == {"text"}
    assert "Catwalk, 24 Nov 2026, 12:00 UTC, manual: gate_events failed." in message["text"]
    assert "1 critical check failed: Unknown users holds" in message["text"]
    assert message["text"].endswith(LINK)


def test_the_address_of_the_webhook_is_in_no_log(
    stopped: Storage, webhook: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever knows it may post in the channel; libraries log the addresses that they call."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    with caplog.at_level(logging.DEBUG):
        tell()
    assert len(webhook.received) == 1
    assert "secret-path" not in caplog.text
    assert str(webhook.port) not in caplog.text


def test_a_mail_holds_the_same(stopped: Storage, mail: Inbox) -> None:
    tell()
    (text,) = mail.received
    message = message_from_string(text)
    (body,) = (part for part in message.walk() if part.get_content_type() == "text/html")
    content = (body.get_payload(decode=True) or b"").decode()
    assert (message["From"], message["To"]) == (
        "catwalk@shop.example",
        "pm@shop.example, de@shop.example",
    )
    assert "1 critical check failed" in content
    assert LINK in content


@pytest.mark.parametrize("status", [404, 500])
def test_a_refusal_is_logged_and_nothing_more(
    stopped: Storage, webhook: Inbox, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    webhook.status = status
    tell()
    said = capsys.readouterr().out
    assert "Telling by webhook failed: HTTPStatusError." in said
    assert "secret-path" not in said


def test_one_who_cannot_be_reached_keeps_no_other_from_it(
    stopped: Storage,
    webhook: Inbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CATWALK_NOTIFY_EMAIL", "pm@shop.example")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "smtp://user:hidden@127.0.0.1:1/")
    tell()
    said = capsys.readouterr().out
    assert "Telling by e-mail failed" in said
    assert "hidden" not in said
    assert len(webhook.received) == 1


def test_no_settings_no_message_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CATWALK_USER_KEY_SECRET", raising=False)
    tell()
    assert "Nobody could be told: SettingsError." in capsys.readouterr().out


def test_a_step_that_failed_for_another_reason_is_not_said_to_run(
    shop: Storage, airflow_database: None, webhook: Inbox
) -> None:
    RunRecords(shop, run_key(RUN_ID)).save_gate(gate("events", run=run_key(RUN_ID)))
    tell({**CONTEXT, "ti": SimpleNamespace(task_id="train")})
    ReportNotifier("waits for a person", over=False)(dict(CONTEXT))
    failed, waits = (message["text"] for message in webhook.received)
    assert "train failed. Broke off." in failed
    assert "waits for a person. Running." in waits


def test_people_are_told_of_one_question_a_day(
    shop: Storage, airflow_database: None, webhook: Inbox
) -> None:
    for number, asking in enumerate(("first", "second", "third")):
        ask(shop, asking, 12 * number)
    first, third = (message["text"] for message in webhook.received)
    assert "24 Nov 2026, 12:00 UTC, manual: approve_release waits" in first, "of the retraining"
    assert first.endswith(f"/dags/{RELEASE_DAG}/runs/first/plugin/catwalk-report")
    assert "runs/third/" in third


@pytest.mark.parametrize("mailed", [False, True])
def test_a_message_that_failed_is_not_the_one_of_the_day(
    shop: Storage,
    airflow_database: None,
    webhook: Inbox,
    request: pytest.FixtureRequest,
    mailed: bool,
) -> None:
    """Unless another channel took it."""
    if mailed:
        request.getfixturevalue("mail")
    webhook.status = 500
    ask(shop, "first", 0)
    webhook.status = 200
    ask(shop, "second", 6)
    ask(shop, "third", 12)
    asked = ["first"] if mailed else ["first", "second"]
    assert [message["text"].split("/")[-3] for message in webhook.received] == asked


def ask(shop: Storage, asking: str, hour: int) -> None:
    """Put a question, and let Airflow tell of it."""
    about = run_key(RUN_ID)
    note_question(shop, about, asking, NOON + timedelta(hours=hour))
    run = SimpleNamespace(run_id=asking, dag_id=RELEASE_DAG)
    ti = SimpleNamespace(task_id="approve_release")
    context = {"dag_run": run, "ti": ti, "params": {"run": about}}
    ReportNotifier("waits for a person", over=False, daily=True)(context)


def test_whatever_task_fails_tells(airflow_database: None) -> None:
    from dags.release_candidate import release_candidate
    from dags.retrain_recommender import retrain_recommender

    silent = [
        task.task_id
        for task in (*retrain_recommender().tasks, *release_candidate().tasks)
        if not any(isinstance(one, ReportNotifier) for one in task.on_failure_callback)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CATWALK_NOTIFY_WEBHOOK", "file:///etc/hosts"), ("CATWALK_NOTIFY_EMAIL", "nobody")],
)
def test_an_address_that_is_none_is_refused_at_once(
    shop: Storage, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable) as refused:
        load_settings()
    assert value not in str(refused.value)
