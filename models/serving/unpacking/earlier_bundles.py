"""Makes what bundles of earlier Catwalks lack, so that they can be served too.

Such a bundle leaves out of its lists whatever the model knows that a user had: so all of it counts
as bought on the last day.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.parquet import ParquetFile

from infra.placements import HOME, ListRule
from models.bundle.bundle import load_recommender
from models.bundle.histories import Histories
from models.bundle.lists import Lists, padded
from models.bundle.served_items import ServedItems
from models.bundle_layout import BESTSELLERS, LISTS, MODEL, STRANGER
from models.recommender import NONE, Recommender, positions
from models.recommenders.todays_model import TodaysModel
from models.serving.version import as_of, placements_of


def complete(bundle: Path, target: Path) -> None:
    """Write the files that a bundle lacks into another folder, packed as in a bundle of today."""
    if all((bundle / name).exists() for name in (Lists.FILE, Histories.FILE, BESTSELLERS)):
        return
    items, model = ServedItems.load(bundle), load_recommender(bundle / MODEL)
    if not (bundle / Lists.FILE).exists():
        _lists(bundle, items, placements_of(bundle).home.rule).save(target)
    if not (bundle / Histories.FILE).exists():
        _histories(model, items, int(as_of(bundle).timestamp())).save(target)
    if not (bundle / BESTSELLERS).exists():
        todays = TodaysModel(model, items.ids, items.recommendable)
        amount = max(1, int(items.recommendable.sum()))
        best = todays.recommend(np.array([STRANGER]), amount).items[0]
        np.savez(target / BESTSELLERS, items=best[best != NONE].astype(np.int32))


def _lists(bundle: Path, items: ServedItems, rule: ListRule) -> Lists:
    rows = pa.concat_tables(
        [ParquetFile(file).read() for file in sorted((bundle / LISTS).glob("*.parquet"))]
    )
    if "placement" in rows.column_names:  # lists of still earlier versions are all those of home
        rows = rows.filter(pc.equal(rows["placement"], HOME))
    longest = pc.max(pc.list_value_length(rows["item_ids"])).as_py() or 0
    places, scores = padded(rows, items.ids, longest)
    keys = np.asarray([key.encode() for key in rows["user_key"].to_pylist()], dtype=np.bytes_)
    order = np.argsort(keys)
    return Lists(keys[order], {rule.name: places[order]}, {rule.name: scores[order]})


def _histories(model: Recommender, items: ServedItems, bought_at: int) -> Histories:
    """Return what a model remembers of its users; nothing of one that remembers nothing."""
    source = getattr(model, "neighbours", getattr(model, "factors", model))
    users = getattr(source, "users", np.empty(0, dtype=np.str_))
    starts = getattr(source, "seen_starts", np.zeros(1, dtype=np.int64))
    seen = getattr(source, "seen_items", np.empty(0, dtype=np.int32))
    weights = getattr(source, "seen_weights", np.ones(len(seen), dtype=np.float32))
    owners = np.repeat(np.arange(len(users)), np.diff(starts))
    places = positions(items.ids, model.items)[seen] if len(seen) else seen
    order = np.lexsort((places, -weights, owners))
    order = order[places[order] != NONE]
    present, first = np.unique(owners[order], return_index=True)
    return Histories(
        users=np.char.encode(users[present], "utf-8"),
        starts=np.append(first, len(order)).astype(np.int64),
        items=places[order].astype(np.int32),
        weights=weights[order].astype(np.float32),
        bought_at=np.full(len(order), bought_at),
        n_items=len(items.ids),
    )
