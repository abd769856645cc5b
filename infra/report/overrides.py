"""The page Overrides: what curators pin, boost and block now, what is to come, and what is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from infra.ledger.ended_records import Known
from infra.ledger.overrides import read_overrides, standing
from infra.places import OVERRIDES
from infra.records.serving import Ending, Override
from infra.report.templates import Frame, fill
from infra.storage import Storage
from infra.stores.numbered import missing, numbers

SHOWN = 25  # of those that are over
TONES = {"pin": "good", "boost": "calm", "block": "bad"}


@dataclass(frozen=True)
class OverridesPage:
    """The content of the page; of each kind the newest first.

    Attributes
    ----------
    in_force, to_come, over : tuple of Override
        One that was ended early has that moment as its `until`.
    endings : dict of int to Ending
        Who ended which one early, by its number.
    deleted : str
        The numbers that are gone: nobody but a person deletes them.
    """

    in_force: tuple[Override, ...]
    to_come: tuple[Override, ...]
    over: tuple[Override, ...]
    endings: dict[int, Ending]
    deleted: str


def find_overrides(storage: Storage, now: datetime) -> OverridesPage:
    """Return what the page shows at a time.

    Raises
    ------
    StorageError
        A record cannot be read: half an answer would mislead.
    """
    known = read_overrides(storage)
    ahead = standing(known, now)[::-1]
    gone = missing(numbers(storage.published, OVERRIDES))
    return OverridesPage(
        in_force=tuple(rule for rule in ahead if rule.in_force(now)),
        to_come=tuple(rule for rule in ahead if not rule.in_force(now)),
        over=_over(known, {rule.number for rule in ahead})[:SHOWN],
        endings=dict(known.endings),
        deleted=", ".join(map(str, gone)),
    )


def render_overrides(page: OverridesPage, frame: Frame) -> str:
    """Turn the page into HTML."""
    return fill("overrides.html", frame, page=page, tones=TONES, shown=SHOWN)


def _over(known: Known[Override], ahead: set[int]) -> tuple[Override, ...]:
    found = (rule for number, rule in known.records.items() if number not in ahead)
    ended = {number: ending.at for number, ending in known.endings.items()}
    told = (
        rule.model_copy(update={"until": min(rule.until, ended.get(rule.number, rule.until))})
        for rule in found
    )
    return tuple(sorted(told, key=lambda rule: rule.until, reverse=True))
