"""Tells people that a run needs them: a line in the log, and e-mail and a webhook if set.

Whatever goes wrong here is logged and changes nothing else: a task ends as it would have ended.
Messages use the words of the report, never a row of data or the text of an error.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import httpx
from airflow.sdk import BaseNotifier

from infra.airflow.report_links import report_address, run_about
from infra.ledger.questions import is_to_be_told, note_told
from infra.report.runs import run_title
from infra.report.summary import summary_now
from infra.settings import Settings, load_settings
from infra.storage import Storage

SECONDS = 10.0  # to wait for a webhook


@dataclass(frozen=True)
class Message:
    """What to tell: one line, a sentence, and where to read more."""

    subject: str
    sentence: str
    link: str

    @property
    def text(self) -> str:
        """All of it as plain text."""
        return f"{self.subject}\n{self.sentence}\n{self.link}"

    @property
    def html(self) -> str:
        """All of it for a mail."""
        link = escape(self.link)
        text = f"<p><b>{escape(self.subject)}</b></p><p>{escape(self.sentence)}</p>"
        return f'{text}<p><a href="{link}">{link}</a></p>'


class ReportNotifier(BaseNotifier):
    """Tells how a run is going and where its report is.

    Parameters
    ----------
    what : str
        What became of the task, to follow its name: `failed`.
    task : str
        The name of the task; empty for the one that tells.
    over : bool
        Whether no step will follow; Airflow itself still calls the run running for a moment.
    daily : bool
        Whether it is about a question, of which people are told at most once a day.
    """

    def __init__(
        self,
        what: str = "failed",
        *,
        task: str = "",
        over: bool = True,
        daily: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.what, self.task, self.over, self.daily = what, task, over, daily

    def notify(self, context: Any) -> None:
        """Tell everybody who is to be told."""
        try:
            self._tell(context)
        except Exception as error:
            self.log.error("Nobody could be told: %s.", type(error).__name__)

    def _tell(self, context: Any) -> None:
        """Tell by every channel; a message that failed does not count as the one of the day."""
        settings = load_settings()
        storage, asked_in = Storage(settings), context["dag_run"].run_id
        if self.daily and not is_to_be_told(storage, asked_in):
            self.log.info("People were told of a question within 24 hours: Reports shows this one.")
            return
        message = self._message(context, storage)
        self.log.warning("%s %s %s", message.subject, message.sentence, message.link)
        if tell(message, settings, self.log) and self.daily:
            note_told(storage, asked_in)

    def _message(self, context: Any, storage: Storage) -> Message:
        run, task = context["dag_run"], self.task or context["ti"].task_id
        key = run_about(run.dag_id, run.run_id, context.get("params") or {})
        summary = summary_now(storage.reports, key, over=self.over)
        return Message(
            subject=f"Catwalk, {run_title(key)}: {task} {self.what}. {summary.word}.",
            sentence=" ".join(summary.sentence.split()),
            link=report_address(run.dag_id, run.run_id),
        )


def tell(message: Message, settings: Settings, log: Any) -> bool:
    """Tell whether a message went out; a channel that fails does not stop the others."""
    sent = False
    for name, send in _channels(settings).items():
        try:
            send(message)
            sent = True
        except Exception as error:  # its text may hold an address that is secret
            log.error("Telling by %s failed: %s.", name, type(error).__name__)
    return sent


def _channels(settings: Settings) -> dict[str, Callable[[Message], None]]:
    channels: dict[str, Callable[[Message], None]] = {}
    if settings.notify_email:
        channels["e-mail"] = lambda message: _mail(message, settings.notify_email)
    if webhook := settings.notify_webhook.get_secret_value():
        channels["webhook"] = lambda message: _post(message, webhook)
    return channels


def _mail(message: Message, addresses: tuple[str, ...]) -> None:
    """Send through Airflow's own connection `smtp_default`, which also names the sender."""
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    mail = SmtpNotifier(to=list(addresses), subject=message.subject, html_content=message.html)
    mail.notify({})


def _post(message: Message, webhook: str) -> None:
    """Send what Slack, Mattermost and Teams understand."""
    for name in ("httpx", "httpcore"):  # they log each address, and this one is secret
        logging.getLogger(name).setLevel(logging.WARNING)
    answer = httpx.post(
        webhook,
        json={"text": message.text},
        timeout=SECONDS,
        follow_redirects=True,
        verify=ssl.create_default_context(),  # the machine's: companies add their own
    )
    answer.raise_for_status()
