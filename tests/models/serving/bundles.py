"""Small bundles that are written by hand, of models fitted on `tastes`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from infra.person_keys import fingerprint
from infra.placements import ListRule
from infra.stores.digests import write_manifest
from models.bundle.served_items import ServedItems
from models.bundle_layout import BESTSELLERS, CARD, KEYS, MODEL
from models.candidates import Candidate
from models.recommender import Interactions, Recommender
from models.recommenders.todays_model import TodaysModel
from models.training.trained_model import FIT, Fit
from tests.conftest import SECRET
from tests.models.conftest import AS_OF, RUN, Row

LONGEST = 10
RULES = (ListRule("bought", 30), ListRule("seen"), ListRule("nothing"))
MARKETS = ("AT", "DE")
BOUGHT = {"leave_out": "bought", "within_days": 30}
PLACEMENTS: dict[str, dict[str, Any]] = {
    "home": {"answers": "personal", **BOUGHT},
    "catalogue": {"answers": "personal", "within": "category", **BOUGHT},
    "product_page": {"answers": "similar", "leave_out": "nothing"},
    "same_brand": {"answers": "similar", "same": ["brand"], "leave_out": "nothing"},
    "cart": {"answers": "together", "leave_out": "nothing"},
    "again": {"answers": "again", "leave_out": "nothing"},
    "retargeting": {"answers": "looked_at", **BOUGHT},
}


def write_bundle(
    folder: Path,
    model: Recommender,
    candidate: Candidate,
    train: Interactions,
    catalogue: Sequence[Row],
    placements: dict[str, dict[str, Any]] = PLACEMENTS,
) -> Path:
    """Write the files that a server reads. Of each history every other item was bought."""
    (folder / MODEL).mkdir(parents=True)
    model.save(folder / MODEL)
    (folder / MODEL / FIT).write_text(_fit(candidate).model_dump_json())
    items = items_of(catalogue)
    items.save(folder)
    _write_people(folder, model, train, items)
    why = {name: {"length": LONGEST, "why": "w", **entry} for name, entry in placements.items()}
    card = {"placements": {"success": ["purchase"], "placements": why}}
    (folder / CARD).write_text(json.dumps(card))
    facts = {"as_of": AS_OF.isoformat(), "cut": AS_OF.isoformat(), "run": RUN}
    write_manifest(folder, {**facts, KEYS: fingerprint(SECRET)})
    return folder


def items_of(catalogue: Sequence[Row]) -> ServedItems:
    """Return the items of a bundle as `read_served_items` does."""
    rows = sorted(catalogue, key=lambda row: row["item_id"])
    shown = np.array([row["has_picture"] and row["in_stock"] for row in rows])
    names = {"ids": "item_id", "titles": "title", "brands": "brand"}
    names |= {"categories": "category", "colours": "colour", "markets": "markets"}
    names |= {"urls": "url", "picture_urls": "picture_url"}
    texts = {
        name: np.array([row[column] or "" for row in rows], dtype=np.str_)
        for name, column in names.items()
    }
    return ServedItems(
        **texts,
        prices=np.array([row["price"] for row in rows]),
        has_picture=np.array([row["has_picture"] for row in rows]),
        recommendable=shown,
        recommendable_at_cut=shown,
    )


def _write_people(
    folder: Path, model: Recommender, train: Interactions, items: ServedItems
) -> None:
    users, matrix = np.char.encode(train.users), train.weights
    owners = np.repeat(np.arange(len(users)), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, owners))
    bought_at = np.where(matrix.indices % 2 == 0, int(AS_OF.timestamp()) - 86_400, 0)[order]
    np.savez(
        folder / "histories.npz",
        users=users,
        starts=matrix.indptr.astype(np.int64),
        items=np.searchsorted(items.ids, train.items)[matrix.indices[order]].astype(np.int32),
        weights=matrix.data[order],
        bought_at=bought_at,
    )
    todays = TodaysModel(model, items.ids, items.recommendable)
    lists: dict[str, Any] = {"users": users}
    for rule in RULES:
        seen = matrix.copy()
        since = int(rule.bought_since(AS_OF).timestamp())
        kept = {"seen": bought_at >= 0, "nothing": bought_at < 0, "bought": bought_at >= since}
        seen.data = np.zeros_like(matrix.data)
        seen.data[order] = kept[rule.leave_out]
        seen.eliminate_zeros()
        given = todays.recommend(train.users, LONGEST, exclude_seen=False, seen=seen)
        lists[f"items_{rule.name}"] = given.items
        lists[f"scores_{rule.name}"] = given.scores
    np.savez(folder / "lists.npz", **lists)
    best = todays.recommend(np.array(["nobody"]), len(items.ids)).items[0]
    np.savez(folder / BESTSELLERS, items=best[best >= 0].astype(np.int32))


def _fit(candidate: Candidate) -> Fit:
    return Fit(
        candidate=candidate.name,
        class_path=candidate.class_path,
        parameters=candidate.parameters,
        seed=7,
        training_threads=1,
        run=RUN,
        cut=AS_OF,
        as_of=AS_OF,
        interactions=1,
        users=1,
        items=1,
        items_without_attributes=0,
    )
