"""The page Decisions: what was live when, what went live, and who decided what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from infra.errors import InputError
from infra.ledger.decision_log import Decision, entries
from infra.ledger.live_pointer import history
from infra.ledger.who_was_live import decided_by, parse_moment, who_was_live
from infra.places import DECISION_LOG, LIVE
from infra.records.release import PublishRecord
from infra.report.runs import is_run, run_title
from infra.report.standing import left_text, standing_of
from infra.report.templates import Frame, fill
from infra.storage import Storage
from infra.stores.numbered import missing, numbers

SHOWN = 25  # entries on one page; each is one object to read
KINDS = {
    "verdict": "Verdict",
    "approval": "Review",
    "choice": "Choice",
    "batch": "Batch",
    "ab_test": "A/B test",
}
TONES = {
    "release": "good",
    "approved": "good",
    "accepted": "good",
    "review": "warn",
    "reject": "bad",
    "rejected": "bad",
    "stopped": "bad",
    "discarded": "bad",
}


@dataclass(frozen=True)
class DecisionsPage:
    """The content of the page.

    Attributes
    ----------
    asked : str
        The moment as somebody wrote it; empty where nobody asked.
    answer : tuple of (str, str)
        What was live then, as names and values.
    mistake : str
        Why there is no answer.
    pointers : tuple of PublishRecord
        What went live last, newest first.
    decisions : tuple of (int, Decision)
        Entries of the log, newest first.
    deleted : tuple of (str, str)
        Which pointers and entries are gone, by kind: nobody but a person deletes them.
    older : int or None
        Where the next page of the log starts.
    """

    asked: str
    answer: tuple[tuple[str, str], ...]
    mistake: str
    pointers: tuple[PublishRecord, ...]
    decisions: tuple[tuple[int, Decision], ...]
    deleted: tuple[tuple[str, str], ...]
    older: int | None


def find_decisions(storage: Storage, asked: str = "", before: int | None = None) -> DecisionsPage:
    """Return what the page shows.

    Parameters
    ----------
    storage : Storage
        The places of the shop.
    asked : str
        A moment; empty asks nothing.
    before : int, optional
        Show the entries of the log below this number.

    Raises
    ------
    StorageError, PublishError
        An entry or a pointer cannot be read: half an answer would mislead.
    """
    answer, mistake = _answer(storage, asked)
    log = list(islice(entries(storage.reports, before), SHOWN + 1))
    return DecisionsPage(
        asked=asked,
        answer=answer,
        mistake=mistake,
        pointers=tuple(islice(history(storage), SHOWN)),
        decisions=tuple(log[:SHOWN]),
        deleted=tuple(_deleted(storage)),
        older=log[SHOWN - 1][0] if len(log) > SHOWN else None,
    )


def render_decisions(page: DecisionsPage, frame: Frame) -> str:
    """Turn the page into HTML."""
    stands = standing_of(page.pointers)
    names = {
        "kinds": KINDS,
        "tones": TONES,
        "shown": SHOWN,
        "standing": stands,
        "left_text": left_text,
        "run_title": run_title,
    }
    return fill("decisions.html", frame, page=page, by=decided_by, is_run=is_run, **names)


def _answer(storage: Storage, asked: str) -> tuple[tuple[tuple[str, str], ...], str]:
    if not asked:
        return (), ""
    now = datetime.now(UTC)
    try:
        moment = parse_moment(asked, now)
    except InputError as error:
        return (), str(error)
    return tuple(who_was_live(storage, moment, now)), ""


def _deleted(storage: Storage) -> list[tuple[str, str]]:
    kinds = (
        ("Pointers", storage.published, LIVE),
        ("Entries of the log", storage.reports, DECISION_LOG),
    )
    gone = [(name, missing(numbers(store, folder))) for name, store, folder in kinds]
    return [(name, ", ".join(map(str, which))) for name, which in gone if which]
