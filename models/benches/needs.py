"""Measures what each candidate needs per user, item and pair: memory, time, and disk.

`python -m models.benches.needs`: each candidate as `candidates.yaml` has it is fitted on random
pairs, in a process of its own, then with twice the users, twice the items, and twice the pairs.
What doubling one of them adds is what one more of it needs. Prints a table in Markdown; the last
line is JSON. A model that trains in epochs does one of them here. Takes some minutes; needs Linux.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from infra.settings import Settings
from models.candidates import Candidate, candidate_named, load_candidates, make
from models.recommender import Interactions, ItemFeatures
from models.recommenders.capabilities import LearnsFromSteps, LearnsFromTable

BASE = (40_000, 8_000, 800_000)  # users, items, pairs
AXES = ("user", "item", "pair")
ASKED = 2_000  # users who get a list of 20
BRANDS = 200
ONE_EPOCH = {"epochs": 1, "patience": 0}
Facts = dict[str, float]


@dataclass(frozen=True)
class Need:
    """What one more user, item or pair adds to each number, and what the base takes."""

    base: Facts
    more: Mapping[str, Facts]


def shop(users: int, items: int, pairs: int) -> tuple[Interactions, ItemFeatures]:
    """Draw pairs with a skewed popularity, and items of a brand and a category each."""
    random = np.random.default_rng(7)
    places = (items * random.random(pairs * 5 // 4) ** 2).astype(np.int64)
    codes = np.unique(random.integers(0, users, len(places)) * items + places)
    codes = np.sort(random.permutation(codes)[:pairs])
    weights = np.ones(len(codes), dtype=np.float32)
    matrix = csr_matrix((weights, (codes // items, codes % items)), shape=(users, items))
    start, hours = np.datetime64("2026-11-01", "us"), random.integers(480, size=len(codes))
    train = Interactions(
        np.array([f"{number:032x}" for number in range(users)]),
        np.array([f"item{number:06d}" for number in range(items)]),
        matrix,
        start + hours.astype("timedelta64[h]"),
    )
    marks = random.integers(0, BRANDS, 2 * items)
    attributes = (np.ones(2 * items, np.float32), marks, np.arange(items + 1) * 2)
    shown = np.ones(items, dtype=np.bool_)
    names = tuple(f"brand={number}" for number in range(BRANDS))
    table = csr_matrix(attributes, shape=(items, BRANDS))
    titles = np.array([f"summer dress {number % 997}" for number in range(items)])
    return train, ItemFeatures(train.items, names, table, shown, shown, titles)


def measure(candidate: Candidate, users: int, items: int, pairs: int) -> Facts:
    """Fit, save and ask a model in this process; memory is what the fit adds at its peak."""
    train, features = shop(users, items, pairs)
    epochs = ONE_EPOCH if "epochs" in candidate.parameters else {}
    chosen = candidate.model_copy(update={"parameters": {**candidate.parameters, **epochs}})
    recipe = make(chosen, Settings())
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    started = time.process_time()
    model = recipe.fit(train, features)
    fitted = time.process_time()
    peak = _memory("VmHWM") - before
    model.recommend(train.users[:ASKED], 20)
    asked = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    return {
        "memory": peak,
        "seconds": fitted - started,
        "disk": float(size),
        "list": (asked - fitted) / ASKED,
    }


def need(name: str) -> Need:
    """Measure one candidate at the base, and with twice of each."""
    base = _in_a_process(name, BASE)
    more = {}
    for place, axis in enumerate(AXES):
        twice = tuple(size * (1 + (place == at)) for at, size in enumerate(BASE))
        added = _in_a_process(name, twice)
        more[axis] = {what: (added[what] - base[what]) / BASE[place] for what in base}
    return Need(base, more)


def line(name: str, needs: Need) -> str:
    """Write the row of one candidate: bytes, and time of one processor."""
    cells = [f"{needs.base['memory'] / 1e6:,.0f} MB", f"{needs.base['seconds']:.1f} s"]
    for axis in AXES:
        more = needs.more[axis]
        cells.append(f"{max(more['memory'], 0):,.0f} B")
        cells.append(f"{max(more['disk'], 0):,.0f} B")
        cells.append(f"{max(more['seconds'], 0) * 1e6:,.1f} µs")
    cells.append(f"{needs.base['list'] * 1e3:.2f} ms")
    return f"| `{name}` | " + " | ".join(cells) + " |"


def main() -> int:
    """Measure every candidate that learns from arrays, and print a row for each."""
    if len(sys.argv) > 1:
        name, *sizes = sys.argv[1:]
        users, items, pairs = map(int, sizes)
        print(json.dumps(measure(candidate_named(name), users, items, pairs)))
        return 0
    facts = {}
    for candidate in load_candidates(every=True):
        if isinstance(make(candidate, Settings()), LearnsFromTable | LearnsFromSteps):
            continue  # Spark's memory is that of its executors
        needs = need(candidate.name)
        print(line(candidate.name, needs), flush=True)
        facts[candidate.name] = {"base": needs.base, "more": dict(needs.more)}
    print(json.dumps(facts))
    return 0


def _in_a_process(name: str, sizes: tuple[int, ...]) -> Facts:
    command = [sys.executable, "-m", "models.benches.needs", name, *map(str, sizes)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    facts: Facts = json.loads(done.stdout.splitlines()[-1])
    return facts


def _memory(line: str) -> float:
    """Return a number of this process's status in bytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return float(status.partition(f"{line}:")[2].split()[0]) * 1024


if __name__ == "__main__":
    sys.exit(main())
