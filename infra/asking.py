"""A question that Airflow asks a person, and the answer: all that models know of the form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Question:
    """What a person is asked.

    Attributes
    ----------
    subject : str
        One line.
    body : str
        Markdown; what came from data in it is escaped.
    digest : str
        Digest of what is asked about; the form contains it, and the answer returns it.
    """

    subject: str
    body: str
    digest: str


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes
    ----------
    by : str or None
        The user whom Airflow knows to have answered; None if nobody did in time.
    digest : str
        That of the form which was answered: Airflow may show an old one.
    """

    approved: bool
    by: str | None
    at: datetime
    why: str
    digest: str
