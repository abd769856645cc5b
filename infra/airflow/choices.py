"""What the forms of the DAGs offer: batches that wait, versions to go back to, runs, A/B tests.

Airflow reads a DAG's file every few seconds, and what its form offers with it. So what was found is
kept in the home for a minute. Whatever goes wrong, a form offers nothing and takes any text.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from infra.errors import CatwalkError
from infra.ledger.ab_tests import read_ab_tests
from infra.ledger.ab_verdicts import offer_of
from infra.ledger.batches import read_batches, stopped_batches
from infra.ledger.live_pointer import history, live
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import placements_of
from infra.report.runs import all_runs
from infra.settings import load_settings
from infra.storage import Storage

KEPT_SECONDS = 60.0
OFFERED = 20
FILE = "choices-{}.json"  # below the home of Airflow
log = logging.getLogger(__name__)


def waiting_batches(storage: Storage) -> tuple[str, ...]:
    """Return the batches that wait for a decision; none where they cannot be read."""
    try:
        return stopped_batches(read_batches(storage))
    except CatwalkError:
        return ()


def earlier_versions(storage: Storage) -> tuple[str, ...]:
    """Return the versions that were live before, the latest first; raises `PublishError`."""
    pointers = list(islice(history(storage), OFFERED))
    now = {pointer.version for pointer in pointers[:1]}
    return tuple(dict.fromkeys(p.version for p in pointers if p.version not in now))


def latest_runs(storage: Storage) -> tuple[str, ...]:
    """Return the last retrainings, the latest first; raises `StorageError`."""
    return tuple(all_runs(storage.reports)[:OFFERED])


def other_candidates(storage: Storage) -> tuple[str, ...]:
    """Return what can be tested against what is live: the other candidates of its run."""
    pointer = live(storage)
    verdict = RunRecords(storage, pointer.run).load_verdict() if pointer else None
    if pointer is None or verdict is None:
        return ()
    fit = (each.name for each in verdict.candidates if each.outcome != "reject")
    return tuple(name for name in fit if name != pointer.candidate)


def live_placements(storage: Storage) -> tuple[str, ...]:
    """Return the placements of the run that made what is live."""
    pointer = live(storage)
    return tuple(placements_of(storage, pointer.run).placements) if pointer else ()


def running_tests(storage: Storage) -> tuple[str, ...]:
    """Return the running A/B tests, each with its newest verdict; raises `StorageError`."""
    return tuple(offer_of(storage, state) for state in read_ab_tests(storage).running())


def offered(what: Callable[[Storage], tuple[str, ...]]) -> list[str]:
    """Return what a form offers, at most a minute old; nothing where it cannot be found out."""
    try:
        settings = load_settings()
        kept = settings.airflow_home / FILE.format(what.__name__)
        found = _kept(kept)
        return _keep(kept, list(what(Storage(settings)))) if found is None else found
    except Exception as error:  # a form is worth less than the DAG that has it
        log.info("Nothing is offered for %s: %s.", what.__name__, type(error).__name__)
        return []


def _kept(file: Path) -> list[str] | None:
    try:
        fresh = time.time() - file.stat().st_mtime < KEPT_SECONDS
        return [str(text) for text in json.loads(file.read_text())] if fresh else None
    except (OSError, ValueError, TypeError):
        return None


def _keep(file: Path, found: list[str]) -> list[str]:
    aside = file.with_name(f".{file.name}.{time.time_ns()}")
    if file.parent.is_dir():
        aside.write_text(json.dumps(found))
        aside.replace(file)
    return found
