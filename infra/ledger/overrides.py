"""The overrides of curators, numbered and written once; one ends by itself, or by a later record.

A server reads on from what it knows: `known = read_overrides(storage, known)`.
"""

from __future__ import annotations

from datetime import datetime

from infra.errors import InputError
from infra.ledger.ended_records import Known, add, end, read_on
from infra.places import OVERRIDES
from infra.records.serving import Ending, Override
from infra.storage import Storage


def read_overrides(storage: Storage, known: Known[Override] | None = None) -> Known[Override]:
    """Return all overrides and endings, of which `known` were read before; raise as `read_on`."""
    return read_on(storage.published, OVERRIDES, Override, known or Known())


def standing(known: Known[Override], now: datetime) -> tuple[Override, ...]:
    """Return what is in force or to come, by number; who is ended early has that `until`."""
    ends = {number: ending.at for number, ending in known.endings.items()}
    told = (
        record.model_copy(update={"until": min(record.until, ends.get(number, record.until))})
        for number, record in sorted(known.records.items())
    )
    return tuple(record for record in told if not record.is_over(now))


def add_override(storage: Storage, override: Override) -> Override:
    """Write an override, and return it with its number; raise `StorageError` where that fails."""
    return add(storage.published, OVERRIDES, override)


def end_override(storage: Storage, ending: Ending) -> Ending:
    """End an override early, and return the record of that.

    Raises
    ------
    InputError
        There is no such override, or it is over already.
    """
    known = read_overrides(storage)
    override = known.records.get(ending.ends)
    if override and override.is_over(ending.at):
        fact = f"Override {ending.ends} ended by itself at {override.until:%Y-%m-%d %H:%M} UTC."
        raise InputError(fact, "Nothing is to be done.")
    return end(storage.published, OVERRIDES, known, ending)
