"""Measures what each candidate needs per user, item and pair: memory, time, and disk.

`python -m models.benches.needs`: each candidate as `candidates.yaml` has it is fitted on random
pairs, in a process of its own, then with twice the users, twice the items, and twice the pairs.
What doubling one of them adds is what one more of it needs. Prints a table in Markdown; the last
line is JSON. Who learns from visits gets the same pairs in visits of five; a model that trains in
epochs does one of them here. Takes a quarter of an hour; needs Linux.
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

from infra.schemas import EVENT_TYPES
from models.benches.bench_settings import bench_settings
from models.candidates import Candidate, candidate_named, load_candidates, make
from models.recommender import Interactions, ItemFeatures
from models.recommenders.capabilities import LearnsFromSteps, LearnsFromTable
from models.steps import Steps

BASE = (40_000, 8_000, 800_000)  # users, items, pairs
AXES = ("user", "item", "pair")
ASKED = 2_000  # users who get a list of 20
BRANDS = 200
OF_VISIT = 5  # steps
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


def visits_of(train: Interactions) -> Steps:
    """Let everybody do what they have pairs of in visits of five steps, and buy every fifth."""
    lengths = np.diff(train.weights.indptr)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((train.last_times, rows))
    place = np.arange(len(rows)) - np.repeat(train.weights.indptr[:-1], lengths)
    starts = np.flatnonzero(place % OF_VISIT == 0)
    view, purchase = (EVENT_TYPES.index(name) for name in ("view", "purchase"))
    persons = np.flatnonzero(lengths)
    return Steps(
        persons=train.users[persons],
        items=train.items,
        visitors=np.searchsorted(persons, rows[starts]),
        starts=np.append(starts, len(rows)),
        item=train.weights.indices[order].astype(np.int64),
        kind=np.where(place % OF_VISIT == OF_VISIT - 1, purchase, view).astype(np.int8),
        times=train.last_times[order],
        quantity=np.full(len(rows), np.nan),
        unit_price=np.full(len(rows), np.nan),
    )


def measure(candidate: Candidate, users: int, items: int, pairs: int) -> Facts:
    """Fit, save and ask a model in this process; memory is what the fit adds at its peak."""
    train, features = shop(users, items, pairs)
    epochs = ONE_EPOCH if "epochs" in candidate.parameters else {}
    chosen = candidate.model_copy(update={"parameters": {**candidate.parameters, **epochs}})
    recipe = make(chosen, bench_settings())
    steps = visits_of(train) if isinstance(recipe, LearnsFromSteps) else None
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    started = time.process_time()
    model = (
        recipe.fit(train, features) if steps is None else recipe.fit_steps(train, features, steps)
    )
    fitted = time.process_time()
    peak = _memory("VmHWM") - before
    model.recommend(train.users[:ASKED], 20)
    asked = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
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
    """Measure every candidate that learns in this process, and print a row for each."""
    if len(sys.argv) > 1:
        name, *sizes = sys.argv[1:]
        users, items, pairs = map(int, sizes)
        print(json.dumps(measure(candidate_named(name), users, items, pairs)))
        return 0
    facts = {}
    for candidate in load_candidates(every=True):
        if isinstance(make(candidate, bench_settings()), LearnsFromTable):
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
