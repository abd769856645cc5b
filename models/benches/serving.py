"""Measures the server over real HTTP, beside what its framework alone does on the same machine.

`make bench-serve`: 100,000 customers and 20,000 items of random likes, asked by wrk, a program of
its own. Takes about three minutes; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from infra.command_line import run_program
from infra.ledger.tokens import new_token
from models.benches.serving_bundle import KINDS, item_ids
from models.benches.serving_processes import Server, doing_nothing, serving
from models.benches.serving_shop import BenchShop, home_of_its_own
from models.benches.wrk import Load, Wrk, ended

USERS, ITEMS = 100_000, 20_000
CONNECTIONS, QUIET_CONNECTIONS = 8, 16
BODIES, EVENTS = 20_000, 20  # different bodies; events in each of theirs
SWAPS = 20
PATH = "/v1/recommendations"


@dataclass(frozen=True)
class Asked:
    """What the clients saw, and the microseconds of CPU that an answer took."""

    load: Load
    cpu_us: float


class Bench:
    """One server, one no-op, and what is asked."""

    def __init__(self, shop: BenchShop, wrk: Wrk, seconds: float) -> None:
        self._shop, self._wrk, self._seconds = shop, wrk, seconds
        self._random = np.random.default_rng(1)
        self._items = item_ids(shop.items)

    def rates(self, server: Server, noop: Server) -> dict[str, float]:
        """Ask for each kind of answer, each time after the no-op."""
        kinds = {
            "home": ("home", self._home()),
            "session": ("home", self._bodies("session_items", 3)),
            "similar": ("product_page", self._bodies("item_ids", 1)),
        }
        nothing: list[float] = []
        facts: dict[str, float] = {}
        for name, (placement, bodies) in kinds.items():
            least = self._ask(noop, f"{PATH}/home", bodies)
            top = self._ask(server, f"{PATH}/{placement}", bodies)
            half = self._at_half(f"{server.address}{PATH}/{placement}", bodies, top.load)
            nothing.append(least.load.rps)
            facts |= {f"{name}_rps": top.load.rps, f"{name}_p99_ms": half.p99_ms}
            print(_told(name, least, top, half), flush=True)
            if name == "home":  # the same questions as often: what is left is the machine's own
                alone = self._at_half(f"{noop.address}{PATH}/home", bodies, top.load)
                facts["noop_p99_ms"] = alone.p99_ms
                print(f"no-ops as often: 99 of 100 within {alone.p99_ms:.1f} ms", flush=True)
        return {"noop_rps": median(nothing), **facts}

    def events(self, server: Server) -> float:
        """Return how many events a second are on disk before their answers."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        bodies = [json.dumps({"events": self._events(now)}) for _ in range(200)]
        return EVENTS * self._ask(server, "/v1/events", bodies, 32).load.rps

    def swaps(self, server: Server) -> tuple[Load, float]:
        """Put another version live again and again under load; return what the clients saw.

        Returns
        -------
        Load
        float
            The mean seconds from the pointer to the first answer of the version.
        """
        seconds = []
        self._shop.go_live(1)
        server.wait_for(self._shop.versions[1])  # from here on both are unpacked
        server.wait_for(self._shop.versions[self._shop.go_live(0)])
        address = f"{server.address}{PATH}/home"
        load = self._wrk.start(address, self._home(), 6 * SWAPS, CONNECTIONS, 4)
        for number in range(SWAPS):
            began = time.perf_counter()
            server.wait_for(self._shop.versions[self._shop.go_live((number + 1) % 2)])
            seconds.append(time.perf_counter() - began)
        return ended(load), sum(seconds) / len(seconds)

    def warm(self, server: Server, seconds: float) -> None:
        """Let all workers answer, so that each has touched what it needs."""
        for placement, bodies in (
            ("home", self._home()),
            ("product_page", self._bodies("item_ids", 1)),
        ):
            self._wrk.run(f"{server.address}{PATH}/{placement}", bodies, seconds, 32)

    def _ask(
        self, server: Server, path: str, bodies: list[str], connections: int = CONNECTIONS
    ) -> Asked:
        """Ask as often as the server can answer."""
        before = server.cpu_s()
        load = self._wrk.run(server.address + path, bodies, self._seconds, connections)
        return Asked(load, 1e6 * (server.cpu_s() - before) / load.requests)

    def _at_half(self, address: str, bodies: list[str], top: Load) -> Load:
        """Ask half as often as the server can answer."""
        pause = round(2000 * QUIET_CONNECTIONS / top.rps)
        return self._wrk.run(address, bodies, self._seconds, QUIET_CONNECTIONS, pause)

    def _home(self) -> list[str]:
        chosen = self._random.integers(0, len(self._shop.users), BODIES)
        return [json.dumps({"user_id": self._shop.users[place]}) for place in chosen]

    def _bodies(self, field: str, amount: int) -> list[str]:
        chosen = self._random.integers(0, len(self._items), (BODIES, amount))
        return [json.dumps({field: [self._items[place] for place in row]}) for row in chosen]

    def _events(self, now: str) -> list[dict[str, str]]:
        users = self._random.integers(0, len(self._shop.users), EVENTS)
        items = self._random.integers(0, len(self._items), EVENTS)
        said = {"event_type": "view", "event_time": now}
        return [
            {**said, "user_id": self._shop.users[user], "item_id": self._items[item]}
            for user, item in zip(users, items, strict=True)
        ]


def _told(name: str, least: Asked, top: Asked, half: Load) -> str:
    share, of_cpu = top.load.rps / least.load.rps, least.cpu_us / top.cpu_us
    return (
        f"{name}: {top.load.rps:,.0f} a second, {share:.0%} of {least.load.rps:,.0f} no-ops"
        f" ({of_cpu:.0%} by CPU: {top.cpu_us:.0f} against {least.cpu_us:.0f} us);"
        f" at {half.rps:,.0f} a second 99 of 100 within {half.p99_ms:.1f} ms"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything, and print a line for each."""
    chosen = _chosen(arguments)
    with home_of_its_own():
        facts = _measured(chosen.kind, chosen.seconds)
    print(json.dumps({name: round(value, 2) for name, value in facts.items()}))
    return 0


def _measured(kind: str, seconds: float) -> dict[str, float]:
    shop = BenchShop.prepared(kind, USERS, ITEMS)
    token = new_token(shop.storage, "bench", ("recommend", "events"), "bench-serve")
    with tempfile.TemporaryDirectory() as scratch, doing_nothing() as noop:
        wrk = Wrk(token, Path(scratch))
        bench = Bench(shop, wrk, seconds)
        facts = _with_one_worker(bench, shop, noop)
        with serving(shop.home, workers=2) as server:
            bench.warm(server, seconds / 2)
            facts["own_mb_second_worker"] = min(server.own_mb())
    return facts


def _with_one_worker(bench: Bench, shop: BenchShop, noop: Server) -> dict[str, float]:
    with serving(shop.home) as server:
        print(f"first start, with unpacking: {server.ready_s:.1f} s", flush=True)
    with serving(shop.home) as server:
        facts = {"ready_s": server.ready_s}
        facts |= bench.rates(server, noop)
        facts["events_per_s"] = bench.events(server)
        facts["own_mb"] = max(server.own_mb())
        load, seconds = bench.swaps(server)
    print(f"{SWAPS} swaps, each seen after {seconds:.1f} s: {load}", flush=True)
    return facts | {"swap_failed": load.failed, "swap_p99_ms": load.p99_ms}


def _chosen(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="models.benches.serving", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--kind", choices=sorted(KINDS), default="also_bought", help="of the model")
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run_program(main))
