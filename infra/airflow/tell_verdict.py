"""Tells people of a verdict on an A/B test that asks for a decision, with the form for it."""

from __future__ import annotations

import logging

from infra.airflow.notify import Message, tell
from infra.records.ab_verdicts import AbVerdict
from infra.report.airflow_links import DECIDE_AB_TEST
from infra.settings import load_settings

log = logging.getLogger(__name__)


def tell_verdict(verdict: AbVerdict) -> bool:
    """Tell whether people were told of the verdict; it is in the log in any case.

    Where no channel took it, the next day tries again; without any channel the log is all there is.
    """
    message = verdict_message(verdict)
    log.warning("%s %s %s", message.subject, message.sentence, message.link)
    settings = load_settings()
    silent = not settings.notify_email and not settings.notify_webhook.get_secret_value()
    return tell(message, settings, log) or silent


def verdict_message(verdict: AbVerdict) -> Message:
    """Say the verdict in its own words, and where to decide."""
    from airflow.sdk.configuration import conf

    base = str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")
    return Message(
        subject=f"Catwalk, A/B test {verdict.name}: {verdict.outcome}.",
        sentence=verdict.headline,
        link=f"{base}{DECIDE_AB_TEST}",
    )
