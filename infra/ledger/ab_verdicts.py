"""The verdicts on A/B tests in the reports: a file for each test and day.

A verdict that somebody decided on is copied under its hash: the file of its day may be rewritten.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from infra.errors import CatwalkError
from infra.ledger.ab_tests import TestState
from infra.places import AB_TESTS
from infra.records.ab_verdicts import AbVerdict, ToldVerdict
from infra.rules import parse_json
from infra.storage import Storage
from infra.stores.object_store import AlreadyExistsError, read_if_there

CURE = "Run judge_ab_tests again."
TELL_AGAIN = "Delete it: people are then told once more."
SHOWN = 12  # letters of the hash of a verdict that a form shows
NONE_YET = "-"  # in their place, before the first verdict
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})\.json")


@dataclass(frozen=True)
class KeptVerdict:
    """A verdict and its bytes, whose hash a decision names that was taken on it."""

    verdict: AbVerdict
    content: bytes

    @property
    def sha256(self) -> str:
        """The hash of the bytes."""
        return hashlib.sha256(self.content).hexdigest()


def save_ab_verdict(storage: Storage, verdict: AbVerdict) -> KeptVerdict:
    """Write the verdict of a day in place of an earlier one of that day."""
    content = verdict.model_dump_json(indent=1).encode()
    storage.reports.write(_key(verdict.name, verdict.day.isoformat()), content)
    return KeptVerdict(verdict, content)


def latest_ab_verdict(storage: Storage, name: str) -> KeptVerdict | None:
    """Return the newest verdict on a test by its name; None before the first.

    Raises
    ------
    StorageError
        It cannot be read or understood.
    """
    return next(ab_verdicts(storage, name), None)


def ab_verdicts(storage: Storage, name: str, before: date | None = None) -> Iterator[KeptVerdict]:
    """Give the verdicts on a test, the newest first, each read when it is asked for."""
    keys = (key.rpartition("/")[2] for key in storage.reports.list(f"{AB_TESTS}/{name}"))
    days = sorted((match[1] for match in map(_DAY.fullmatch, keys) if match), reverse=True)
    for day in days:
        if before is None or day < before.isoformat():
            key = _key(name, day)
            content = storage.reports.read(key)
            verdict = parse_json(content, AbVerdict, f"The verdict {key}", CURE)
            yield KeptVerdict(verdict, content)


def verdict_of_phase(storage: Storage, state: TestState) -> KeptVerdict | None:
    """Return the newest verdict on the phase of a test that counts; None before the first.

    One on an earlier phase is about other units. Raises as `latest_ab_verdict`.
    """
    kept = latest_ab_verdict(storage, state.test.name)
    return kept if kept and kept.verdict.phase == state.phase_number else None


def keep_decided(storage: Storage, kept: KeptVerdict) -> None:
    """Keep the bytes of a verdict that a decision is bound to; once is enough."""
    try:
        storage.reports.create(_key_of_bound(kept.verdict.name, kept.sha256), kept.content)
    except AlreadyExistsError:
        return


def verdict_decided_on(storage: Storage, name: str, shown: str) -> KeptVerdict | None:
    """Return the verdict whose hash begins so, of those that were kept for a decision."""
    for key in storage.reports.list(f"{AB_TESTS}/{name}/decided"):
        if shown and key.rpartition("/")[2].startswith(shown):
            content = read_if_there(storage.reports, key)
            if content is not None:
                return KeptVerdict(
                    parse_json(content, AbVerdict, f"The verdict {key}", CURE), content
                )
    return None


def is_told(storage: Storage, verdict: AbVerdict) -> bool:
    """Whether people were told last of a verdict of this phase and outcome."""
    key = _key_of_told(verdict.name)
    content = read_if_there(storage.reports, key)
    if content is None:
        return False
    told = parse_json(content, ToldVerdict, f"The note {key}", TELL_AGAIN)
    return (told.phase, told.outcome) == (verdict.phase, verdict.outcome)


def note_told_verdict(storage: Storage, verdict: AbVerdict) -> None:
    """Note that people were told of a verdict."""
    told = ToldVerdict(phase=verdict.phase, outcome=verdict.outcome)
    storage.reports.write(_key_of_told(verdict.name), told.model_dump_json(indent=1).encode())


def offer_of(storage: Storage, state: TestState) -> str:
    """Return a test with its newest verdict, as a form offers it: `NAME HASH: headline`."""
    name = state.test.name
    try:
        kept = verdict_of_phase(storage, state)
    except CatwalkError as error:
        return f"{name} {NONE_YET}: {error.fact}"
    if kept is None:
        return f"{name} {NONE_YET}: no verdict yet."
    return f"{name} {kept.sha256[:SHOWN]}: {kept.verdict.headline}"


def _key_of_told(name: str) -> str:
    return f"{AB_TESTS}/{name}/told.json"


def _key_of_bound(name: str, sha256: str) -> str:
    return f"{AB_TESTS}/{name}/decided/{sha256}.json"


def _key(name: str, day: str) -> str:
    return f"{AB_TESTS}/{name}/{day}.json"
