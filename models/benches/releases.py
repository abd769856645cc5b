"""Measures how often a release is decided rightly, by replaying many with known faults.

    python -m models.benches.releases --simulate jobs.simulate_shop:main ...

`make bench-release` names the programs. Each shop is replayed in a process of its own, with a home
of its own below CATWALK_HOME that the next time uses again. A release is trained and scored as a
run does, then judged by models/release.yaml for several crowds of customers. The last line is JSON.
Takes about half an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.command_line import run_program, text_table
from infra.errors import InputError
from infra.records.release import Outcome
from infra.settings import PREFIX
from infra.shop.historic_shops import demo_shop
from infra.shop_home import home_folder, open_home
from infra.storage import Storage
from models.benches.public_data import data_folder
from models.benches.release_rates import Row
from models.benches.release_replay import AGAIN, LEAKED, ONE_USER, SEED, swapped
from models.benches.release_shop import ShopReplay
from models.benches.release_windows import DEAD_FEED, BenchShop, Programs, fill, pairs_of

PAIRS, CROWDS = 10, 5
AT_ONCE = 2  # shops
ENDS = datetime(2026, 10, 1, tzinfo=UTC)
DEAD = f"a feed that ended {DEAD_FEED.total_seconds() / 3600:.0f} hours ago"
HEALTHY = (AGAIN, SEED)
REAL = "online_retail"
ROWS = "releases.json"
HEADER = ("shop", "release", "customers", "n", "unasked", "a person asked", "rejected")


def shops(data: str | None = None) -> dict[str, BenchShop]:
    """Return the shops by name; the real one only where its data is, in the folder `data`."""
    simulated = {
        name: BenchShop(name, {}, ENDS, events=events, days=45)
        for name, events in (("simulated", 300_000), ("simulated_small", 60_000))
    }
    try:
        files = data_folder(data) / REAL
    except InputError as error:
        print(f"{REAL} is left out: {error.fact}", flush=True)
        return simulated
    known = demo_shop(REAL)
    week = timedelta(days=7)
    return simulated | {
        REAL: BenchShop(REAL, known.settings(REAL), known.as_of, files=files, apart=week)
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay all shops, or the one that is named, and print a table and a line of JSON."""
    chosen = _arguments(arguments)
    known = shops(chosen.data)
    if chosen.shop and chosen.shop not in known:
        raise InputError(f"There is no shop '{chosen.shop}'.", f"Choose of {', '.join(known)}.")
    if chosen.shop:
        _replay(known[chosen.shop], chosen)
        return 0
    given = list(sys.argv[1:] if arguments is None else arguments)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        replayed = list(pool.map(lambda name: _in_own_process(name, given), known))
    rows = [
        Row(**{**row, "outcomes": Counter(row["outcomes"])})
        for shop in replayed
        for row in shop["rows"]
    ]
    stopped = [share for shop in replayed for share in shop["stopped"]]
    print(text_table(HEADER, _cells(rows)))
    print(json.dumps(figures(rows, stopped)))
    return 0


def figures(rows: Sequence[Row], stopped: Sequence[float], enough: int = 1_000) -> dict[str, Any]:
    """Return the figures of the benchmark; those of healthy releases are of large shops alone."""
    healthy = [row for row in rows if row.kind in HEALTHY and min(row.users) >= enough]
    return {
        "healthy_unasked": share(healthy, "release"),
        "healthy_rejected": share(healthy, "reject"),
        "swapped30_unasked": share(_of(rows, swapped(0.3)), "release"),
        "swapped50_unasked": share(_of(rows, swapped(0.5), swapped(0.7)), "release"),
        "erosion_stopped_at": max(stopped),
        "one_user_unasked": share(_of(rows, ONE_USER), "release"),
        "leak_unasked": share(_of(rows, LEAKED), "release"),
        "dead_feed_unasked": share(_of(rows, DEAD), "release"),
    }


def share(rows: Sequence[Row], outcome: Outcome) -> float | None:
    """Return the share of all releases of some rows that were decided so; None without any.

    >>> share([Row("a", "b", [5], Counter(release=3, review=1))], "release")
    0.75
    """
    counts = sum((row.outcomes for row in rows), Counter[Outcome]())
    return round(counts[outcome] / counts.total(), 4) if counts else None


def _of(rows: Sequence[Row], *kinds: str) -> list[Row]:
    return [row for row in rows if row.kind in kinds]


def _cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [
        (
            row.shop,
            row.kind,
            f"{min(row.users):,} to {max(row.users):,}",
            f"{row.outcomes.total()}",
            *(f"{share([row], outcome):.0%}" for outcome in ("release", "review", "reject")),
        )
        for row in rows
    ]


def _replay(shop: BenchShop, chosen: argparse.Namespace) -> None:
    """Replay one shop, and leave its rows in its home, also those of a replay that was stopped."""
    storage = Storage(open_home(shop.settings))
    pairs = pairs_of(shop, chosen.pairs)
    programs = Programs(chosen.simulate, chosen.ingest, chosen.gate, chosen.build)
    dead = fill(shop, pairs, programs, storage)
    replay = ShopReplay(shop.name, storage, chosen.crowds)
    for _ in replay.run(pairs):
        rows = [*replay.rows.values(), Row(shop.name, DEAD, [0], Counter({dead: 1}))]
        content = {"rows": [vars(row) for row in rows], "stopped": replay.stopped}
        (storage.settings.home / ROWS).write_text(json.dumps(content), encoding="utf-8")


def _in_own_process(shop: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Replay one shop under its own home, and return what it left there."""
    home = home_folder() / shop
    command = [sys.executable, "-m", "models.benches.releases", *arguments, "--shop", shop]
    done = subprocess.run(command, env={**os.environ, f"{PREFIX}HOME": str(home)}, check=False)
    if done.returncode:
        raise InputError(f"The replay of {shop} ended with {done.returncode}.", "See above.")
    content: dict[str, Any] = json.loads((home / ROWS).read_text(encoding="utf-8"))
    return content


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for program in fields(Programs):
        parser.add_argument(f"--{program.name}", required=True, metavar="MODULE:FUNCTION")
    parser.add_argument("--shop", help="this one alone, in this process")
    parser.add_argument("--data", help=f"folder that holds {REAL}")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="retrainings of each shop")
    parser.add_argument("--crowds", type=int, default=CROWDS, help="crowds for each release")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run_program(main))
