"""The verdicts on A/B tests in the reports: a file for each test and day."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from infra.errors import CatwalkError
from infra.places import AB_TESTS
from infra.records.ab_verdicts import AbVerdict
from infra.rules import parse_json
from infra.storage import Storage

CURE = "Run judge_ab_tests again."
SHOWN = 12  # letters of the hash of a verdict that a form shows
NONE_YET = "-"  # in their place, before the first verdict
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})\.json")


@dataclass(frozen=True)
class KeptVerdict:
    """A verdict, and the hash of its bytes: a decision names the one it was taken on."""

    verdict: AbVerdict
    sha256: str


def save_ab_verdict(storage: Storage, verdict: AbVerdict) -> KeptVerdict:
    """Write the verdict of a day in place of an earlier one of that day."""
    content = verdict.model_dump_json(indent=1).encode()
    storage.reports.write(_key(verdict.name, verdict.day.isoformat()), content)
    return KeptVerdict(verdict, hashlib.sha256(content).hexdigest())


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
            yield KeptVerdict(verdict, hashlib.sha256(content).hexdigest())


def offer_of(storage: Storage, name: str) -> str:
    """Return a test with its newest verdict, as a form offers it: `NAME HASH: headline`."""
    try:
        kept = latest_ab_verdict(storage, name)
    except CatwalkError as error:
        return f"{name} {NONE_YET}: {error.fact}"
    if kept is None:
        return f"{name} {NONE_YET}: no verdict yet."
    return f"{name} {kept.sha256[:SHOWN]}: {kept.verdict.headline}"


def _key(name: str, day: str) -> str:
    return f"{AB_TESTS}/{name}/{day}.json"
