"""People are told of a verdict in its own words, with the way to the form that decides."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infra.airflow.tell_verdict import tell_verdict
from infra.storage import Storage
from models.ab_tests.judge_ab_tests import judge_ab_tests
from tests.infra.airflow.test_notify import webhook as webhook
from tests.message_servers import Inbox
from tests.models.ab_tests.test_judge_ab_tests import EARLY, OVER, both, judged, started


def test_a_new_verdict_is_told_once(shop: Storage, webhook: Inbox) -> None:
    started(shop)
    judged(shop, both(2_000, 0.05, 0.09), EARLY)
    judge_ab_tests(shop, EARLY, tell_verdict)
    assert webhook.received == [], "it is too early to decide"
    for later in (OVER, OVER, OVER + timedelta(days=1)):
        found = judge_ab_tests(shop, later, tell_verdict)
    [text] = [sent["text"] for sent in webhook.received]
    assert "A/B test content-first: ship." in text
    assert found.verdicts[0].headline in text and "/dags/decide_ab_test" in text


def test_a_verdict_that_no_channel_took_is_told_the_next_day(
    shop: Storage, webhook: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(shop)
    with monkeypatch.context() as patch:
        patch.setenv("CATWALK_NOTIFY_WEBHOOK", "http://127.0.0.1:9/nobody")
        judged(shop, both(2_000, 0.05, 0.09))
        judge_ab_tests(shop, OVER, tell_verdict)
    for days in (1, 2):
        judge_ab_tests(shop, OVER + timedelta(days=days), tell_verdict)
    [text] = [sent["text"] for sent in webhook.received]
    assert "A/B test content-first: ship." in text
