"""Follows the live pointer: a new version answers once it was tried; until then the old one does.

A new version is unpacked and tried by a process of its own, opened beside the old one and asked
for each placement, then put in its place between two requests.
"""

from __future__ import annotations

import gc
import logging
import time

from infra.errors import CatwalkError
from infra.ledger.live_pointer import live
from infra.records.release import PublishRecord
from infra.storage import Storage
from models.serving.following.looks import Looks, require_records
from models.serving.following.opening import open_tried, unpack
from models.serving.following.remembered import Remembered
from models.serving.following.state import State
from models.serving.home import unpacked
from models.serving.metrics import Metrics

EVERY_SECONDS = 2.0
AGAIN_SECONDS = 30.0  # a version that does not answer is tried again then
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
            unpack(self._storage, record.version)
        except CatwalkError as error:
            self._refuse(record, str(error))
            return
        if live(self._storage) == record:  # or it was rolled back while it was unpacked
            self._swap(record)

    def _swap(self, record: PublishRecord) -> None:
        try:
            version = open_tried(self._storage, record.version, self._state.rules)
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
