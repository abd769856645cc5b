"""People are told once of a release after which a KPI fell, with the way to the roll-back."""

from __future__ import annotations

import logging

import pytest

from infra.airflow.tell_alarm import alarm_message, tell_alarm
from infra.ledger.alarms import alarm_of
from infra.records.alarms import KpiChange, ReleaseWatch
from infra.storage import Storage
from tests.infra.airflow.test_notify import webhook as webhook
from tests.infra.ledger.test_ab_tests import NOON
from tests.message_servers import Inbox


def watch(high: float, number: int = 3) -> ReleaseWatch:
    change = KpiChange(
        kpi="orders", before=0.05, after=0.04, relative=-0.2, low=-0.31, high=high, days=5,
        days_before=20,
    )  # fmt: skip
    last = NOON.date()
    return ReleaseWatch(number=number, version="v9", since=NOON, last_day=last, changes=(change,))


def test_a_fall_is_told_once_a_release(shop: Storage, webhook: Inbox) -> None:
    assert not tell_alarm(shop, watch(0.01)), "chance may explain it"
    assert tell_alarm(shop, watch(-0.08))
    assert not tell_alarm(shop, watch(-0.1)), "they know"
    assert alarm_of(shop, 3) == watch(-0.08)
    [message] = [sent["text"] for sent in webhook.received]
    assert "orders per list fell by 20% (between 8% and 31%)" in message
    assert "/dags/roll_back_release" in message and "v9 went live" in message
    assert tell_alarm(shop, watch(-0.08, number=4))


def test_a_message_that_nobody_took_is_tried_again(
    shop: Storage, webhook: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("CATWALK_NOTIFY_WEBHOOK", "http://127.0.0.1:9/nobody")
        assert not tell_alarm(shop, watch(-0.08))
    assert alarm_of(shop, 3) is None
    assert tell_alarm(shop, watch(-0.08))


def test_without_any_channel_it_stands_in_the_log(
    shop: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert tell_alarm(shop, watch(-0.08))
    assert alarm_message(watch(-0.08)).sentence in caplog.text
    assert alarm_of(shop, 3) is not None
