"""Tells people once that a KPI fell after a release, with the way to the roll-back form."""

from __future__ import annotations

import logging

from infra.airflow.notify import Message, tell
from infra.airflow.report_links import ROLL_BACK_DAG
from infra.ledger.alarms import alarm_of, note_alarm
from infra.records.alarms import ReleaseWatch
from infra.report.alarms import fell_text
from infra.settings import load_settings
from infra.storage import Storage

log = logging.getLogger(__name__)


def tell_alarm(storage: Storage, watch: ReleaseWatch) -> bool:
    """Tell whether people were told now; never twice of one release.

    Where no channel took the message, the next call tries again; without any channel it is in the
    log, and noted.
    """
    if not watch.fallen or alarm_of(storage, watch.number) is not None:
        return False
    message = alarm_message(watch)
    log.warning("%s %s %s", message.subject, message.sentence, message.link)
    settings = load_settings()
    silent = not settings.notify_email and not settings.notify_webhook.get_secret_value()
    if not tell(message, settings, log) and not silent:
        return False
    note_alarm(storage, watch)
    return True


def alarm_message(watch: ReleaseWatch) -> Message:
    """Say what fell, by how much, and that a person decides."""
    from airflow.sdk.configuration import conf

    base = str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")
    return Message(
        subject=f"Catwalk: less is clicked or bought since {watch.version} went live.",
        sentence=f"Against the same weekdays before, {fell_text(watch)}. Something else may be "
        "the reason. Nothing was changed: if customers see something wrong, roll back.",
        link=f"{base}/dags/{ROLL_BACK_DAG}",
    )
