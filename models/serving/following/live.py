"""Follows the live pointer: a new version answers once it was tried; until then the old one does.

A new version is unpacked and tried by a process of its own, opened beside the old one and asked
for each placement, then put in its place between two requests.
"""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import models
from infra.errors import BundleError, CatwalkError, InputError
from infra.ledger.live_pointer import live
from infra.records.release import PublishRecord
from infra.storage import Storage
from models.merchandising.shop_rules import NO_RULES
from models.serving.answering import answer
from models.serving.following.looks import Looks, require_records
from models.serving.following.remembered import Remembered
from models.serving.following.state import State
from models.serving.home import unpacked
from models.serving.metrics import Metrics
from models.serving.own_keys import require_own_keys
from models.serving.question import Question
from models.serving.version import Version

EVERY_SECONDS = 2.0
AGAIN_SECONDS = 30.0  # a version that does not answer is tried again then
UNPACK_SECONDS = 900.0
_NICENESS = 10  # of unpacking, so that answers come first
_CURE = "Look at the version, or publish another one; what answered before goes on."
_log = logging.getLogger("catwalk")


class LiveFollower:
    """Brings what is live into the state of a worker."""

    def __init__(self, storage: Storage, state: State, kept: Remembered, metrics: Metrics) -> None:
        self._storage, self._state, self._kept, self._metrics = storage, state, kept, metrics
        self._looks = Looks(metrics)
        self._try_again = 0.0

    def start(self) -> None:
        """Let what was live last answer, if it is on this disk: the storage may be away."""
        record = self._kept.live()
        if record and unpacked(self._storage.settings, record.version).is_dir():
            self._swap(record)

    def look(self) -> None:
        """Look once at the pointer, and follow it."""
        self._looks.take("live pointer", self._look)

    def _look(self) -> None:
        record = live(self._storage)
        require_records(record.number if record else 0, self._state.pointer, "live pointer")
        self._state.looked = time.monotonic()
        if record is None:
            return
        self._metrics.newest_pointer.set(record.number)
        now = self._state.pointer
        if now and now.number == record.number:
            self._state.refused = ""
        elif self._state.refused != record.version or time.monotonic() >= self._try_again:
            self._follow(record)

    def _follow(self, record: PublishRecord) -> None:
        try:
            _unpack(self._storage, record.version)
        except CatwalkError as error:
            self._refuse(record, str(error))
            return
        if live(self._storage) == record:  # or it was rolled back while it was unpacked
            self._swap(record)

    def _swap(self, record: PublishRecord) -> None:
        try:
            folder = unpacked(self._storage.settings, record.version)
            require_own_keys(folder, self._storage.settings)
            version = _tried(folder, self._state)
        except Exception as error:  # whatever it is, what answered before goes on
            self._refuse(record, f"{type(error).__name__}: {error}")
            return
        self._state.version, self._state.pointer, self._state.refused = version, record, ""
        gc.collect()
        gc.freeze()  # what stays is not looked at again
        self._metrics.swaps.inc()
        self._metrics.pointer.set(record.number)
        self._metrics.live_since.set(record.at.timestamp())
        self._kept.keep_live(record)
        _log.warning("%s answers, of pointer %d.", record.version, record.number)

    def _refuse(self, record: PublishRecord, why: str) -> None:
        if self._state.refused != record.version:
            _log.error("%s is refused: %s", record.version, why)
        self._state.refused = record.version
        self._try_again = time.monotonic() + AGAIN_SECONDS
        self._metrics.refused.inc()


def _unpack(storage: Storage, version: str) -> None:
    """Let another process fetch, check, unpack and try a version, unless that was done.

    Raises
    ------
    BundleError
        It did not.
    """
    if unpacked(storage.settings, version).is_dir():
        return
    try:
        done = subprocess.run(
            [sys.executable, "-m", "models.serving.unpack", version],
            capture_output=True,
            text=True,
            timeout=UNPACK_SECONDS,
            cwd=Path(models.__file__).parent.parent,
            preexec_fn=lambda: os.nice(_NICENESS),
        )
    except subprocess.TimeoutExpired as error:
        fact = f"Unpacking {version} took more than {UNPACK_SECONDS:.0f} s."
        raise BundleError(fact, _CURE) from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}."]
        raise BundleError(f"{version} could not be unpacked: {lines[-1]}", _CURE)


def _tried(folder: Path, state: State) -> Version:
    """Open a version and ask it for each of its placements."""
    version, rules, now = Version.open(folder), state.rules or NO_RULES, datetime.now(UTC)
    for placement in version.placements.placements:
        with suppress(InputError):  # it needs a category
            answer(version, rules, Question(placement=placement), now)
    return version
