"""One worker: what it follows, what it writes, and the application that uvicorn runs."""

from __future__ import annotations

import asyncio
import ctypes
import hmac
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import groupby
from multiprocessing import parent_process
from operator import itemgetter

from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from infra.errors import CatwalkError, StorageError
from infra.ledger.stock import change_stock
from infra.person_keys import PersonKeys
from infra.places import LANDED_EVENTS, LANDED_SERVED
from infra.records.serving import StockChange
from infra.settings import Settings, load_settings
from infra.storage import Storage
from infra.stores.opening import open_store
from models.serving import home
from models.serving.api.guard import App, Guard
from models.serving.app import make_app
from models.serving.clock import clock
from models.serving.following import ab_tests, live, rules
from models.serving.following.looks import Looks, Repeated
from models.serving.following.remembered import Remembered
from models.serving.following.state import State
from models.serving.following.stock_files import StockFiles
from models.serving.logs import event_files
from models.serving.logs.event_files import EventFiles
from models.serving.logs.group_commit import GroupCommit
from models.serving.logs.served_log import ServedLog
from models.serving.logs.spool import Spool, land, process_name
from models.serving.metrics import Metrics
from models.serving.routes import Routes, StockItem

LAND_EVERY_SECONDS = 2.0
ADD_UP_SECONDS = 1.0
FIRST_LOOK_SECONDS = 10.0  # a large version takes longer; until then it is told as not ready
REMEMBERED_SECONDS = 2.0
MOST_WAITING = 256  # requests whose events or stock wait for a disk
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_SWITCH_SECONDS = 0.001  # for which a thread may hold up the answers
_log = logging.getLogger("catwalk")


class Worker:
    """Everything of one worker; opened by `running`."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        storage, spools = Storage(settings), home.spool(settings)
        process, seconds = process_name(), settings.serving_land_seconds
        self.state, self.metrics = State(), metrics
        self._landing = open_store(settings.landing, settings)
        self._spools = spools
        self._events = EventFiles(Spool(spools / LANDED_EVENTS, process, seconds))
        self._served = ServedLog(Spool(spools / LANDED_SERVED, process, seconds), process, metrics)
        self._looks = Looks(metrics)
        kept = Remembered(home.known(settings))
        files = StockFiles(storage, self._landing, home.stock_lock(settings))
        self._rules = rules.RulesFollower(storage, self.state, kept, files, metrics)
        self._live = live.LiveFollower(storage, self.state, kept, metrics)
        self._tests = ab_tests.TestsFollower(storage, self.state, kept, metrics)
        self._storage = storage
        self._following = (
            Repeated("following rules", self._rules.look, rules.EVERY_SECONDS),
            Repeated("following live", self._live.look, live.EVERY_SECONDS),
            Repeated("following A/B tests", self._tests.look, ab_tests.EVERY_SECONDS),
        )
        self._threads = (
            *self._following,
            Repeated("following stock files", self._rules.look_at_files, rules.EVERY_SECONDS),
            Repeated("landing", self._land, LAND_EVERY_SECONDS),
        )

    def routes(self) -> Routes:
        """Return the routes of this worker."""
        secret = self._storage.settings.user_key_secret.get_secret_value()
        return Routes(
            self.state,
            PersonKeys(secret),
            self._served,
            GroupCommit(self._events.write, MOST_WAITING),
            GroupCommit(self._change_stock, MOST_WAITING),
            hmac.digest(b"catwalk event_id", secret.encode(), "sha256"),
            self.metrics,
            clock(),
        )

    @asynccontextmanager
    async def running(self, app: FastAPI) -> AsyncIterator[None]:
        """Follow and write as long as the application runs."""
        self._live.start()
        self._tests.start()
        self._served.start()
        for thread in self._threads:
            thread.start()
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, self._wait_first)
            adding_up = asyncio.create_task(self._add_up())
            yield
            adding_up.cancel()
        finally:
            self.metrics.add_up()
            await loop.run_in_executor(None, self._stop)

    async def _add_up(self) -> None:
        while True:
            await asyncio.sleep(ADD_UP_SECONDS)
            self.metrics.add_up()

    def _wait_first(self) -> None:
        """Let a worker answer when it knows what counts now, not seconds before.

        Others of the same server may answer already, and share its port. One that remembers a
        version waits less: its storage may be away.
        """
        seconds = REMEMBERED_SECONDS if self.state.version else FIRST_LOOK_SECONDS
        ends = time.monotonic() + seconds
        for thread in self._following:
            thread.wait_first(max(0.0, ends - time.monotonic()))

    def _stop(self) -> None:
        for thread in self._threads:
            thread.stop()
        self._served.stop()
        self._events.close()
        self._land()

    def _land(self) -> None:
        """Bring what is closed to the landing folder, also of workers that died."""
        self._events.close_if_due()
        if not self._looks.take("landing folder", self._land_all):
            self.metrics.not_landed.inc()

    def _land_all(self) -> None:
        land(self._spools / LANDED_EVENTS, self._landing, event_files.LANDED)
        land(self._spools / LANDED_SERVED, self._landing, LANDED_SERVED)

    def _change_stock(self, changes: Sequence[StockItem]) -> None:
        """Write what requests of one token in a row say as one record; the last one counts."""
        for name, requests in groupby(changes, key=itemgetter(0)):
            news = {item: is_in for _, said in requests for item, is_in in said.items()}
            change = StockChange(at=datetime.now(UTC), by=name, in_stock=news)
            change_stock(self._storage, change, self._rules.stock)


def application() -> App:
    """Return the application of a worker that `serve` started; leave where that cannot be.

    With this status uvicorn stops the server: it would fail in the same way again and again.
    """
    try:
        return _application()
    except CatwalkError as error:
        _log.error("%s", error)
    except Exception:
        _log.exception("A worker cannot start.")
    sys.exit(STARTUP_FAILURE)


def _application() -> App:
    _end_with_parent()
    sys.setswitchinterval(_SWITCH_SECONDS)
    settings = load_settings()
    worker = Worker(settings, Metrics(home.metrics_folder(settings)))
    app = make_app(worker.routes(), worker.running)
    return Guard(app, lambda: worker.state.tokens, worker.metrics, settings.serving_queue)


def _end_with_parent() -> None:
    """Let a worker end when its server is killed, so that the next one gets the port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    server = parent_process()
    if server is not None and os.getppid() != server.pid:
        raise StorageError("The server was killed while this worker started.", "Start it again.")
