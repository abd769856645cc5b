"""Fills a home for the benchmark of releases: ingests a shop, then builds the tables of many runs.

The jobs and the gate are the real ones, called by the names that the command line gives. A home
that is filled already is used again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from infra.demo.data import Delivery, deliver_files
from infra.errors import GateError
from infra.lake import run_key
from infra.ledger.batches import accepted_batches, read_batches
from infra.loading import load_named
from infra.records.release import Outcome
from infra.schemas import HISTORY
from infra.settings import Settings
from infra.spark.session import start_local
from infra.storage import Storage

HALF_A_DAY = timedelta(hours=12)
MONTH = timedelta(days=28)
DEAD_FEED = timedelta(hours=67)
FIRST_DAY = date(2026, 8, 1)
FILL = run_key("fill")


@dataclass(frozen=True)
class Programs:
    """The parts of the shop that fill a home, as `package.module:function`."""

    simulate: str
    ingest: str
    gate: str
    build: str


@dataclass(frozen=True)
class BenchShop:
    """A shop whose releases are replayed.

    Attributes
    ----------
    name : str
    settings : dict
        CATWALK_ variables that fit its data.
    last : datetime
        When its data ends.
    events, days : int
        How much is simulated; 0 for a folder of files.
    files : Path or None
        The folder of a real shop.
    apart : timedelta
        Between the moments at which chains of retrainings begin.
    """

    name: str
    settings: dict[str, str]
    last: datetime
    events: int = 0
    days: int = 0
    files: Path | None = None
    apart: timedelta = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """One run of a shop: its folder name, and the time it replays."""

    run: str
    as_of: datetime

    @classmethod
    def at(cls, as_of: datetime) -> Window:
        """Name the run by its time."""
        return cls(run_key(f"{as_of:%Y%m%dT%H%M}"), as_of)


@dataclass(frozen=True)
class Pair:
    """Two retrainings half a day apart: the first one's winner is live when the second is judged.

    Attributes
    ----------
    old : Window
        A month before, for a model that should have been replaced long ago.
    """

    before: Window
    now: Window
    old: Window


def pairs_of(shop: BenchShop, amount: int) -> tuple[Pair, ...]:
    """Return pairs of windows that end with the data, in chains of three windows.

    Examples
    --------
    >>> from datetime import UTC
    >>> shop = BenchShop("s", {}, datetime(2026, 8, 31, tzinfo=UTC))
    >>> [f"{pair.before.as_of:%dT%H} {pair.now.as_of:%dT%H}" for pair in pairs_of(shop, 3)]
    ['30T00 30T12', '30T12 31T00', '29T00 29T12']
    """
    return tuple(_pairs(shop, amount))


def _pairs(shop: BenchShop, amount: int) -> Iterator[Pair]:
    for number in range(amount):
        chain, place = divmod(number, 2)
        end = shop.last - chain * shop.apart
        now = end - HALF_A_DAY * (1 - place)
        old = Window.at(shop.last - MONTH - HALF_A_DAY * (chain % 2))
        yield Pair(Window.at(now - HALF_A_DAY), Window.at(now), old)


def fill(shop: BenchShop, pairs: tuple[Pair, ...], programs: Programs, storage: Storage) -> Outcome:
    """Ingest the shop and build the tables of every window, unless that was done.

    Returns
    -------
    Outcome
        What the events gate says of the same data 67 hours after its last event.

    Raises
    ------
    GateError
        The data of the shop does not pass the events gate.
    """
    _deliver(shop, programs, storage.settings)
    start_local(storage.settings)
    if not accepted_batches(read_batches(storage)):
        load_named(programs.ingest)(["--run", FILL])
        load_named(programs.gate)(storage, FILL, shop.last)
    done = storage.lake.partitions(HISTORY.name)  # the last of the tables that a build writes
    windows = {window for pair in pairs for window in (pair.before, pair.now, pair.old)}
    for window in sorted(windows, key=lambda window: window.as_of):
        if window.run not in done:
            print(f"{shop.name}: tables as of {window.as_of:%Y-%m-%d %H:%M}", flush=True)
            arguments = ["--run", window.run, "--as-of", window.as_of.isoformat()]
            load_named(programs.build)(arguments)
    return _gate_of_dead_feed(shop, programs, storage)


def _deliver(shop: BenchShop, programs: Programs, settings: Settings) -> None:
    landing = Path(settings.landing)
    if shop.files is not None:
        deliver_files(shop.files, Delivery(shop.name, shop.last), settings)
    elif not (landing / "simulation.json").exists():
        size = ["--events", str(shop.events), "--days", str(shop.days)]
        first = shop.last.date() - timedelta(days=shop.days)
        load_named(programs.simulate)([str(landing), *size, "--first-day", str(first)])


def _gate_of_dead_feed(shop: BenchShop, programs: Programs, storage: Storage) -> Outcome:
    """Check the batches as of 67 hours after the data ended, as the first run after that would."""
    try:
        load_named(programs.gate)(storage, FILL, shop.last + DEAD_FEED)
    except GateError:
        return "reject"
    return "release"
