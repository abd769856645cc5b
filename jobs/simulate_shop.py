"""Simulates a fashion shop: files of events and catalogue to test against, dirt and truth included.

    python -m jobs.simulate_shop landing --events 300000 --days 14 --first-day 2026-11-10

writes one or more event files and one catalogue a day, then `simulation.json`, the truth:
`lines` = `clean` + `duplicates` + `quarantined`, with `clean` exactly the number asked for.
Rows to be quarantined and duplicates come on top; rows with personal text or an unknown column
replace good rows and count as clean. A fifth of the shoppers come as strangers, with a visitor id;
some of them log in later. The good events are the same with and without faults. The
same options give the same bytes, and memory does not grow with the number of events.
An interrupted run is finished by running it again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np

from infra.errors import InputError
from infra.schemas import EVENT_TYPES
from jobs.simulation.catalogue import Catalogue
from jobs.simulation.faults import QUARANTINED, Faults
from jobs.simulation.identities import Identities
from jobs.simulation.lines import EventLines
from jobs.simulation.options import DEFAULT_FAULTS, SimulationOptions, parse_faults
from jobs.simulation.sessions import Block, Shop
from jobs.simulation.shoppers import PickTable, Shoppers, affinities
from jobs.simulation.writer import Folder, Truth

__all__ = ["SimulationOptions", "Truth", "main", "simulate"]

BLOCK = 25_000  # events in memory at a time
# Monday to Sunday: a shop's weekend is busier than its week.
WEEKDAYS = (0.95, 0.9, 0.92, 0.97, 1.05, 1.2, 1.25)


def simulate(into: Path, options: SimulationOptions) -> Truth:
    """Write a simulated shop into a folder and return the truth about it.

    Does nothing when the folder holds this very simulation already.

    Raises
    ------
    InputError
        The folder holds another simulation or files of something else.
    """
    folder = Folder(into, options)
    finished = folder.claim()
    if finished is not None:
        _say(f"{into} holds this simulation already; nothing to do.")
        return finished
    truth = _Simulation(options, folder).run()
    folder.finish(truth)
    return truth


class _Simulation:
    """One run over all days. Memory: the users, the items and one block of events."""

    def __init__(self, options: SimulationOptions, folder: Folder) -> None:
        self._options, self._folder = options, folder
        # One stream per part, so that faults do not change what the shoppers do.
        shop, items, users, tastes, dirt, ids = (
            np.random.default_rng([options.seed, part]) for part in range(6)
        )
        self._catalogue = Catalogue(options.items, options.days, items)
        self._shoppers = Shoppers(options.users, options.days, users)
        self._affinity = affinities(self._catalogue.attributes, tastes)
        self._shop = Shop(self._shoppers, self._catalogue, shop)
        self._identities = Identities(options.users, options.days, ids)
        self._lines = EventLines(options.seed, options.items, self._identities)
        self._faults = Faults(options.faults, self._lines.numbering, dirt)
        self._by_type = np.zeros(len(EVENT_TYPES), np.int64)
        self._seen = np.zeros(options.users, np.bool_)

    def run(self) -> Truth:
        started, done = time.monotonic(), 0
        for day, events in enumerate(_events_per_day(self._options)):
            self._open_day(day)
            self._folder.items(day, self._catalogue.lines(self._options.first_day))
            self._folder.events(day, self._blocks(day, events))
            done += events
            rate = done / max(time.monotonic() - started, 1e-9)
            _say(f"{self._options.day(day)}  {done:,} events, {rate:,.0f} a second")
        return self._truth()

    def _open_day(self, day: int) -> None:
        self._catalogue.open_day(day)
        self._shoppers.open_day(day)
        self._identities.open_day(day)
        self._shop.open_day(PickTable(self._catalogue, self._affinity))
        self._faults.open_day(last=day + 1 == self._options.days)

    def _blocks(self, day: int, events: int) -> Iterator[list[str]]:
        """Yield the day's lines block by block, dirt included."""
        done = 0
        while done < events:
            size = min(BLOCK, events - done)
            block = self._shop.block(size, done / events, (done + size) / events)
            self._count(block)
            good = self._lines.format(block, self._options.day(day))
            yield self._faults.spoil(good)
            done += len(good)

    def _count(self, block: Block) -> None:
        self._by_type += np.bincount(block.events.code, minlength=len(EVENT_TYPES))
        self._seen[block.users[block.events.who]] = True

    def _truth(self) -> Truth:
        faults = dict(self._faults.counts)
        quarantined = sum(faults.get(kind, 0) for kind in QUARANTINED)
        clean, duplicates = int(self._by_type.sum()), faults.get("duplicate", 0)
        return Truth(
            options=self._options.as_json(),
            lines=clean + duplicates + quarantined,
            clean=clean,
            duplicates=duplicates,
            quarantined=quarantined,
            faults=faults,
            clean_by_type=dict(zip(EVENT_TYPES, self._by_type.tolist(), strict=True)),
            users=int(self._seen.sum()),
            items=self._catalogue.listed,
            files=self._folder.files,
        )


def _events_per_day(options: SimulationOptions) -> list[int]:
    """Share the events over the days by weekday; the shares add up exactly."""
    weights = [WEEKDAYS[options.day(day).weekday()] for day in range(options.days)]
    reached = np.cumsum(weights) / np.sum(weights) * options.events
    steps: list[int] = np.diff(np.round(reached).astype(np.int64), prepend=0).tolist()
    return steps


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    defaults = SimulationOptions()
    parser = argparse.ArgumentParser(
        prog="python -m jobs.simulate_shop",
        description="Write a simulated fashion shop: events, catalogue, dirt, and the truth.",
        epilog=f"Kinds of fault: {', '.join(DEFAULT_FAULTS)}.",
    )
    parser.add_argument("into", type=Path, metavar="INTO", help="folder to write into")
    numbers = {
        "events": "unique good events (default 300000)",
        "days": "days to simulate (default 14)",
        "users": "users by the last day (default: by the events, 6000 for 300000)",
        "items": "items by the last day (default: by the events, 2000 for 300000)",
        "seed": "same seed, same bytes (default 7)",
    }
    for name, text in numbers.items():
        default = 0 if name in ("users", "items") else getattr(defaults, name)
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=text)
    parser.add_argument(
        "--first-day",
        type=date.fromisoformat,
        default=defaults.first_day,
        metavar="YYYY-MM-DD",
        help="UTC (default %(default)s)",
    )
    parser.add_argument(
        "--faults",
        default="default",
        metavar="KIND=RATE,...",
        help="share of each kind per good event; or default (1%% in all), or none",
    )
    parser.add_argument("--gzip", action="store_true", help="compress every file")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0, or 2 when an option cannot be used."""
    chosen = vars(_parser().parse_args(arguments))
    into = chosen.pop("into")
    try:
        chosen["faults"] = parse_faults(chosen["faults"])
        truth = simulate(into, SimulationOptions(**chosen))
    except InputError as error:
        _say(f"error: {error}")
        return 2
    _say(f"{truth.lines:,} lines, {truth.clean:,} clean; the truth is in {into}/simulation.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
