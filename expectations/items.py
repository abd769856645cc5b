"""The items gate: checks what models learn about items, and the catalogue shown to customers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from expectations.checking.gate import WRONG_COLUMNS, Gate
from expectations.checking.measure import Measure, count, fact, incomplete, repeats, share
from infra.records.gates import GateRecord
from infra.schemas import CATALOGUE, ITEMS
from infra.storage import Storage

_SHOWN = "item_id, price, has_picture, in_stock"
_ATTRIBUTES = ("title", "brand", "category", "colour")
_FILLED = " + ".join(f"({name} is not null and {name} <> '')::int" for name in _ATTRIBUTES)

MEASURES = {
    "wrong_columns": WRONG_COLUMNS,
    "catalogue_items": Measure("items in the catalogue", "count(*)", "catalogue"),
    "learned_items": Measure("items described for the training", "count(*)", "items"),
    "incomplete_catalogue": incomplete(
        "items of the catalogue without a value that every item must have", CATALOGUE, _SHOWN
    ),
    "incomplete_items": incomplete(
        "items described for the training without a value that every item must have",
        ITEMS,
        "item_id, has_picture, in_stock, updated_at",
    ),
    "repeated_items": repeats(
        "items that occur more than once in the catalogue", "item_id", "catalogue"
    ),
    "repeated_learned_items": repeats(
        "items that are described more than once for the training", "item_id", "items"
    ),
    "unusable_prices": count(
        "items whose price is zero, negative or not a number",
        "price <= 0 or not isfinite(price)",
        "catalogue",
        _SHOWN,
    ),
    "unpriced_share": share(
        "share of the catalogue without a price", "price is null", "catalogue", _SHOWN
    ),
    "picture_share": share("share of the catalogue with a picture", "has_picture", "catalogue"),
    "stock_share": share("share of the catalogue in stock", "in_stock", "catalogue"),
    "untitled_share": share(
        "share of the catalogue without a title",
        "title is null or trim(title) = ''",
        "catalogue",
        _SHOWN,
    ),
    "attributes_filled_share": Measure(
        "share of the attributes (title, brand, category, colour) that are filled",
        f"avg(({_FILLED}) / {len(_ATTRIBUTES)})",
        "items",
    ),
    "items_from_the_future": count(
        "items described by what became known after the cut",
        "coalesce(updated_at >= (select cut from facts), true)",
        "items",
        "item_id, updated_at",
    ),
    "refused_share": fact("refused_share", "share of the catalogue's rows that cannot be read"),
}


def _facts(storage: Storage, run: str) -> dict[str, Any]:
    manifest = storage.lake.manifest("items", run)
    refused = sum(manifest["refused"].values()) / max(manifest["rows_read"], 1)
    return {"cut": datetime.fromisoformat(manifest["cut"]), "refused_share": refused}


GATE = Gate(
    "items", MEASURES, {"items": ITEMS, "catalogue": CATALOGUE}, _facts, ("catalogue_items",)
)


def gate_items(storage: Storage, run: str) -> GateRecord:
    """Check the items and the catalogue of a run; raise `GateError` when stopped."""
    return GATE.run(storage, run)
