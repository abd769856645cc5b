"""What is live, and which versions people have rolled back from, by the pointers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from infra.errors import PublishError, StorageError
from infra.ledger.live_pointer import history
from infra.records.release import PublishRecord
from infra.report.wording import moment
from infra.storage import Storage

LOOKED_AT = 50  # pointers, the newest; each is one object to read


@dataclass(frozen=True)
class Left:
    """A roll-back, as the version sees it that was left; `to` is what went live again."""

    number: int
    version: str
    to: str
    at: datetime
    by: str
    why: str


@dataclass(frozen=True)
class Standing:
    """What is live, and what was left.

    Attributes
    ----------
    pointers : tuple of PublishRecord
        Those looked at, the newest first.
    left : mapping of str to tuple of Left
        Run to the roll-backs from what it released, the latest first.
    mistake : str
        Why nobody can tell what is live.
    """

    pointers: tuple[PublishRecord, ...] = ()
    left: Mapping[str, tuple[Left, ...]] = field(default_factory=dict)
    mistake: str = ""

    @property
    def live(self) -> PublishRecord | None:
        """What customers get now; None before the first release."""
        return next(iter(self.pointers), None)

    @property
    def released(self) -> PublishRecord | None:
        """The release of what is live, which a roll-back may have put live again."""
        return next(
            (
                pointer
                for pointer in self.pointers
                if self.live and pointer.version == self.live.version
                if pointer.is_release
            ),
            None,
        )

    def left_version(self, pointer: PublishRecord) -> Left | None:
        """Return the roll-back that ended a pointer; None if none did."""
        return next(
            (back for back in self.left.get(pointer.run, ()) if back.number == pointer.number + 1),
            None,
        )


def standing(storage: Storage) -> Standing:
    """Read the newest pointers; one that cannot be understood is a mistake, and the end."""
    try:
        return standing_of(tuple(islice(history(storage), LOOKED_AT)))
    except (PublishError, StorageError) as error:
        return Standing(mistake=error.fact)


def standing_of(pointers: tuple[PublishRecord, ...]) -> Standing:
    """Say what pointers, the newest first, say."""
    runs = {pointer.version: pointer.run for pointer in reversed(pointers)}
    left: dict[str, tuple[Left, ...]] = {}
    for pointer in pointers:
        if pointer.action == "roll_back" and pointer.previous in runs:
            run = runs[pointer.previous]
            left[run] = (*left.get(run, ()), _left(pointer, pointer.previous))
    return Standing(pointers, left)


def roll_back_words(now: Standing, asked_in: str) -> tuple[str, str]:
    """Say in a heading and a sentence what a run of `roll_back_release` moved."""
    moved = (pointer for pointer in now.pointers if pointer.asked_in == asked_in)
    pointer = next((each for each in moved if each.action == "roll_back"), None)
    if pointer is None:
        sentence = "No pointer that is on record was moved by this run. Its log says why."
        return "Nothing rolled back", now.mistake or sentence
    left = _left(pointer, pointer.previous or "nothing")
    live = now.live is not None and now.live.number == pointer.number
    since = "It is live now." if live else "Something else went live since: see Decisions."
    return f"Rolled back to {left.to}", f"{left_text(left)} {since}"


def left_text(left: Left) -> str:
    """Say that people went back from a version, when and why."""
    return (
        f"Version {left.version} was rolled back on {moment(left.at)} by {left.by}: "
        f"{left.why.rstrip('.')}. {left.to} went live again."
    )


def _left(pointer: PublishRecord, version: str) -> Left:
    decided = pointer.decided
    return Left(
        number=pointer.number,
        version=version,
        to=pointer.version,
        at=pointer.at,
        by=decided.by if decided else "",
        why=decided.why if decided else "",
    )
