"""Measures time and memory of models at the size of a large shop, on random vectors.

`python -m models.benches.costs`: 100,000 users x 20,000 items, 5 million interactions; the last
line is JSON. Other libraries are timed on a sample of the users, and scaled up; a library that is
not installed is null. Takes some minutes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from models.data.run_tables import interactions
from models.metrics.ranking import K, marked, precision
from models.recommender import Interactions, Matrix
from models.recommenders.factors import Factors
from models.recommenders.lightfm_hybrid import LightFMHybrid, identity_and_attributes
from models.recommenders.top_k import THREADS, Vectors
from models.training.peak_memory import UNITS_PER_MB

USERS, ITEMS, PAIRS, COMPONENTS = 100_000, 20_000, 5_000_000, 64
LONG = 100  # of the lists for everyone
SAMPLE = 6_000  # users for the other libraries
ATTRIBUTES = 200


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_gb() -> float:
    """Return the highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / UNITS_PER_MB / 1024


def rows(random: np.random.Generator) -> pa.Table:
    """Draw distinct pairs as the table `interactions` has them; items by a skewed popularity."""
    items = (ITEMS * random.random(PAIRS * 11 // 10) ** 2).astype(np.int64)
    codes = np.unique(random.integers(0, USERS, len(items)) * ITEMS + items)
    codes = random.permutation(codes)[:PAIRS]
    names = pa.array([f"user{number:06d}" for number in range(USERS)])
    products = pa.array([f"item{number:05d}" for number in range(ITEMS)])
    time_ = np.full(len(codes), np.datetime64("2026-11-01", "us"))
    return pa.table(
        {
            "user_key": names.take(pa.array(codes // ITEMS)),
            "item_id": products.take(pa.array(codes % ITEMS)),
            "weight": pa.array(np.ones(len(codes), dtype=np.float32)),
            "last_time": pa.array(time_, pa.timestamp("us", tz="UTC")),
        }
    )


def factors(train: Interactions, random: np.random.Generator) -> Factors:
    """Return random vectors beside the real histories."""
    return Factors(
        users=train.users,
        items=train.items,
        user_vectors=random.normal(size=(len(train.users), COMPONENTS)).astype(np.float32),
        item_vectors=random.normal(size=(len(train.items), COMPONENTS)).astype(np.float32),
        popularity=np.ones(len(train.items), dtype=np.float32),
        recommendable=np.ones(len(train.items), dtype=np.bool_),
        seen_starts=train.weights.indptr.astype(np.int64),
        seen_items=train.weights.indices.astype(np.int32),
    )


def evaluate_all(model: Factors, wanted: Matrix) -> float:
    """Return precision at 10 of every user, seen items left out."""
    hits = marked(wanted, model.recommend(model.users, K).items)
    return float(precision(hits, np.ones(len(hits), dtype=np.int64)).mean())


def as_lightfm(users: Vectors, items: Vectors) -> Any:
    """Put given vectors into a LightFM model."""
    from lightfm import LightFM

    model = LightFM(no_components=users.shape[1])
    model._initialize(users.shape[1], len(items), len(users))
    model.user_embeddings, model.item_embeddings = users.copy(), items.copy()
    return model


def lightfm_evaluation(model: Any, wanted: Matrix, seen: Matrix, sample: Any) -> float:
    """Return the seconds LightFM's own precision would take for everyone.

    By the difference of two samples, so that what it does once a call is not scaled up: by 400
    users alone it looked half as slow again.
    """
    from lightfm.evaluation import precision_at_k

    def took(users: Any) -> float:
        tested = wanted[users].tocoo()
        places = (users[tested.row], tested.col)
        test = csr_matrix((np.ones(len(tested.row), dtype=np.float32), places), shape=wanted.shape)
        arguments = {"train_interactions": seen, "k": K, "num_threads": THREADS}
        return seconds(lambda: precision_at_k(model, test, **arguments))

    fewer = sample[::5]
    each = (took(sample) - took(fewer)) / (len(sample) - len(fewer))
    return float(each * wanted.shape[0])


def lightfm_loop(model: Any, seen: Matrix, sample: Any) -> float:
    """Return the seconds a loop over `predict` would take for everyone's top-100."""
    every = np.arange(seen.shape[1], dtype=np.int32)

    def loop() -> None:
        for user in sample:
            scores = model.predict(int(user), every, num_threads=THREADS)
            scores[seen[user].indices] = -np.inf
            best = np.argpartition(-scores, LONG)[:LONG]
            best[np.argsort(-scores[best])]

    return float(seconds(loop) * seen.shape[0] / len(sample))


def implicit_topk(users: Vectors, items: Vectors, seen: Matrix) -> float | None:
    """Return the seconds of implicit's own top-100, on a tenth of the users; None without it."""
    if not find_spec("implicit"):
        return None
    from implicit.cpu.topk import topk

    part = len(users) // 10
    arguments = {"filter_query_items": seen[:part], "num_threads": THREADS}
    return 10 * seconds(lambda: topk(items, users[:part], LONG, **arguments))


def train_epoch(train: Interactions, random: np.random.Generator) -> dict[str, float]:
    """Train one epoch with attributes; return minutes, the process's memory and threads."""
    starts = np.arange(ITEMS + 1) * 4
    columns = random.integers(0, ATTRIBUTES, ITEMS * 4)
    ones = np.ones(len(columns), dtype=np.float32)
    attributes = csr_matrix((ones, columns, starts), shape=(ITEMS, ATTRIBUTES))
    features = identity_and_attributes(attributes, 0.1)
    model = LightFMHybrid(components=COMPONENTS, epochs=1, num_threads=THREADS)
    took = seconds(lambda: model.train_on(model.untrained(), train.weights, features, 1))
    return {
        "epoch_minutes": round(took / 60, 2),
        "epoch_gb": round(peak_gb(), 2),
        "epoch_threads": THREADS,
    }


def main() -> int:
    """Measure everything, and print a line for each."""
    random = np.random.default_rng(7)
    table = rows(random)
    every_item = np.array([f"item{number:05d}" for number in range(ITEMS)])
    started = time.perf_counter()
    train = interactions(table, every_item)
    facts: dict[str, float | None] = {"matrix_s": round(time.perf_counter() - started, 2)}
    facts["matrix_gb"] = round(peak_gb(), 2)
    print(f"matrix of {train.weights.nnz:,} pairs: {facts['matrix_s']} s, {facts['matrix_gb']} GB")
    del table
    facts |= _speedups(train, random)
    facts |= train_epoch(train, random)
    print(f"one epoch of LightFM: {facts['epoch_minutes']} min, {facts['epoch_gb']} GB in all")
    print(json.dumps(facts))
    return 0


def _speedups(train: Interactions, random: np.random.Generator) -> dict[str, float | None]:
    model = factors(train, random)
    wanted = _wanted(train, random)
    sample = np.sort(random.choice(len(train.users), SAMPLE, replace=False))
    lightfm = as_lightfm(model.user_vectors, model.item_vectors)
    ours = seconds(lambda: evaluate_all(model, wanted))
    theirs = lightfm_evaluation(lightfm, wanted, train.weights, sample)
    print(f"evaluate: ours {ours:.1f} s, LightFM {theirs:.0f} s", flush=True)
    lists = seconds(lambda: model.recommend(train.users, LONG))
    loop = lightfm_loop(lightfm, train.weights, sample)
    library = implicit_topk(model.user_vectors, model.item_vectors, train.weights)
    print(f"top-{LONG}: ours {lists:.1f} s, predict loop {loop:.0f} s, implicit {library}")
    return {
        "evaluate_speedup": round(theirs / ours, 1),
        "topk_speedup_vs_predict": round(loop / lists, 1),
        "topk_speedup_vs_implicit": None if library is None else round(library / lists, 2),
    }


def _wanted(train: Interactions, random: np.random.Generator) -> Matrix:
    """Draw five items per user, none of which they had."""
    users = np.repeat(np.arange(len(train.users)), 5)
    marks = np.ones(len(users), dtype=np.int8)
    places = (users, random.integers(0, ITEMS, len(users)))
    drawn = csr_matrix((marks, places), shape=train.weights.shape).astype(bool).astype(np.int8)
    fresh = csr_matrix(drawn - drawn.multiply(train.weights.astype(bool).astype(np.int8)))
    fresh.eliminate_zeros()
    return fresh.astype(bool)


if __name__ == "__main__":
    sys.exit(main())
