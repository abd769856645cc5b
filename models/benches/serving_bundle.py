"""Writes a bundle of any size, of random likes and lists, to measure the server by."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.placements import ListRule
from infra.stores.digests import write_manifest
from models.bundle.histories import Histories
from models.bundle.lists import Lists
from models.bundle.served_items import ServedItems
from models.bundle_layout import BESTSELLERS, CARD, MODEL
from models.recommender import Recommender
from models.recommenders.factors import Factors
from models.recommenders.neighbours import Neighbours
from models.training.trained_model import FIT, Fit

HISTORY, NEIGHBOURS, COMPONENTS, LONGEST = 30, 100, 64, 20
PATTERNS = 64  # of neighbours: drawing them for every item takes a minute
SHARE_BOUGHT = 0.3
AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
PLACEMENTS: dict[str, dict[str, object]] = {
    "home": {"answers": "personal", "length": 20, "leave_out": "bought", "within_days": 30},
    "product_page": {"answers": "similar", "length": 20, "leave_out": "nothing"},
    "cart": {"answers": "together", "length": 20, "leave_out": "nothing"},
    "again": {"answers": "again", "length": 20, "leave_out": "nothing"},
    "catalogue": {
        "answers": "personal",
        "within": "category",
        "length": 20,
        "leave_out": "bought",
        "within_days": 30,
    },
}


def item_ids(amount: int) -> list[str]:
    """Return ids of items, sorted."""
    return [f"item{number:06d}" for number in range(amount)]


def write_bundle(folder: Path, kind: str, keys: list[str], items: int, seed: int = 7) -> None:
    """Write a bundle for some customers, sorted keys; its model is one of `KINDS`."""
    random = np.random.default_rng(seed)
    (folder / MODEL).mkdir(parents=True)
    KINDS[kind](random, keys, items).save(folder / MODEL)
    (folder / MODEL / FIT).write_text(_fit(kind, len(keys), items).model_dump_json())
    _items(random, items).save(folder)
    _histories(random, keys, items).save(folder)
    _lists(random, keys, items).save(folder)
    np.savez(folder / BESTSELLERS, items=random.permutation(items).astype(np.int32))
    entries = {name: {**entry, "why": "w"} for name, entry in PLACEMENTS.items()}
    card = {"placements": {"success": ["purchase"], "placements": entries}}
    (folder / CARD).write_text(json.dumps(card))
    write_manifest(folder, {"as_of": AS_OF.isoformat(), "cut": AS_OF.isoformat(), "run": "bench"})


def also_bought(random: np.random.Generator, keys: list[str], items: int) -> Neighbours:
    """Return a model of random neighbours."""
    near = np.argsort(random.random((PATTERNS, items)), axis=1)[:, :NEIGHBOURS]
    pattern = random.integers(0, PATTERNS, items)
    neighbours = np.sort((near[pattern] + np.arange(items)[:, None]) % items, axis=1)
    users = len(keys)
    return Neighbours(
        users=np.array(keys),
        items=np.array(item_ids(items)),
        popularity=random.random(items).astype(np.float32),
        recommendable=np.ones(items, dtype=np.bool_),
        seen_starts=np.arange(users + 1, dtype=np.int64) * HISTORY,
        seen_items=np.sort(_distinct(random, users, items, HISTORY), axis=1).ravel(),
        seen_weights=random.random(users * HISTORY).astype(np.float32),
        similar_starts=np.arange(items + 1, dtype=np.int64) * NEIGHBOURS,
        neighbour_items=neighbours.astype(np.int32).ravel(),
        similarities=random.random(items * NEIGHBOURS).astype(np.float32),
    )


def factors(random: np.random.Generator, keys: list[str], items: int) -> Factors:
    """Return a model of random vectors."""
    users = len(keys)
    return Factors(
        users=np.array(keys),
        items=np.array(item_ids(items)),
        user_vectors=random.normal(size=(users, COMPONENTS + 1)).astype(np.float32),
        item_vectors=random.normal(size=(items, COMPONENTS + 1)).astype(np.float32),
        popularity=random.random(items).astype(np.float32),
        recommendable=np.ones(items, dtype=np.bool_),
        seen_starts=np.arange(users + 1, dtype=np.int64) * HISTORY,
        seen_items=np.sort(_distinct(random, users, items, HISTORY), axis=1).ravel(),
        biases=1,
    )


KINDS: dict[str, Callable[[np.random.Generator, list[str], int], Recommender]] = {
    "also_bought": also_bought,
    "factors": factors,
}
CLASSES = {
    "also_bought": "models.recommenders.also_bought:AlsoBought",
    "factors": "models.recommenders.lightfm_hybrid:LightFMHybrid",
}


def _distinct(random: np.random.Generator, users: int, items: int, each: int) -> NDArray[np.int32]:
    """Draw distinct items for every user, shape (users, each)."""
    steps = random.integers(1, items // each, (users, each))
    drawn = (np.cumsum(steps, axis=1) + random.integers(0, items, (users, 1))) % items
    return drawn.astype(np.int32)


def _items(random: np.random.Generator, amount: int) -> ServedItems:
    ids, unknown = np.array(item_ids(amount)), np.full(amount, "")
    shown = np.ones(amount, dtype=np.bool_)
    return ServedItems(
        ids=ids,
        titles=np.char.add("Title of ", ids),
        brands=np.char.add("brand", random.integers(0, 200, amount).astype(str)),
        categories=np.char.add("category", random.integers(0, 40, amount).astype(str)),
        colours=np.char.add("colour", random.integers(0, 20, amount).astype(str)),
        prices=random.random(amount) * 100,
        recommendable=shown,
        recommendable_at_cut=shown,
        has_picture=shown,
        markets=unknown,
        urls=unknown,
        picture_urls=unknown,
    )


def _histories(random: np.random.Generator, keys: list[str], items: int) -> Histories:
    users = len(keys)
    bought = random.random(users * HISTORY) < SHARE_BOUGHT
    weights = np.sort(random.random((users, HISTORY)), axis=1)[:, ::-1]
    return Histories(
        users=np.char.encode(np.array(keys)),
        starts=np.arange(users + 1, dtype=np.int64) * HISTORY,
        items=_distinct(random, users, items, HISTORY).ravel(),
        weights=weights.astype(np.float32).ravel(),
        bought_at=np.where(bought, int(AS_OF.timestamp()) - 86_400, 0),
        n_items=items,
    )


def _lists(random: np.random.Generator, keys: list[str], items: int) -> Lists:
    drawn = _distinct(random, len(keys), items, LONGEST)
    scores = np.sort(random.random((len(keys), LONGEST)), axis=1)[:, ::-1].astype(np.float32)
    rule = ListRule("bought", 30).name
    return Lists(np.char.encode(np.array(keys)), {rule: drawn}, {rule: scores})


def _fit(kind: str, users: int, items: int) -> Fit:
    facts = {"seed": 7, "training_threads": 1, "run": "bench", "cut": AS_OF, "as_of": AS_OF}
    counts = {"interactions": 1, "users": users, "items": items, "items_without_attributes": 0}
    said = {"candidate": kind, "class_path": CLASSES[kind], "parameters": {}}
    return Fit.model_validate({**said, **facts, **counts})
