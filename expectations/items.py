"""The items gate: checks what models learn about items, and the catalogue shown to customers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from expectations.checking.gate import WRONG_COLUMNS, Gate
from expectations.checking.measure import FACTS, Measure, count, fact, incomplete, repeats, share
from infra.records.gates import GateRecord, RefusedRows
from infra.schemas import CATALOGUE, ITEMS
from infra.storage import Storage

_SHOWN = "item_id, price, has_picture, in_stock"
_ATTRIBUTES = ("title", "brand", "category", "colour")
_FILLED = " + ".join(f"({name} is not null and {name} <> '')::int" for name in _ATTRIBUTES)

NAMED = ("refused_rows", "withheld_items", "contradicting_items", "vanished_items")
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
    "refused_share": fact(
        "refused_share", "share of the rows of the newest catalogue that cannot be read"
    ),
    "catalogue_age_hours": fact(
        "catalogue_age_hours", "hours since the catalogue of a source came or changed"
    ),
    **{
        name: Measure(says, f"any_value({name})", FACTS, shows=f'unnest({name}_named) as "named"')
        for name, says in {
            "refused_rows": "rows of the newest catalogue that cannot be read",
            "withheld_items": "items held back: free, or their newest row cannot be read",
            "contradicting_items": "items that are described twice, differently, at one moment",
            "vanished_items": "items on sale that the newest whole catalogue lacks",
        }.items()
    },
}


def _facts(storage: Storage, run: str) -> dict[str, Any]:
    manifest = storage.lake.manifest("items", run)
    all_rows = sum(manifest["refused"].values()) / max(manifest["rows_read"], 1)
    told = manifest.get("catalogue", {})  # earlier versions did not look at deliveries
    lists = {f"{name}_named": told.get(f"{name}_named", []) for name in NAMED}
    return {
        "cut": datetime.fromisoformat(manifest["cut"]),
        "refused_share": told.get("newest_refused_share", all_rows),
        "catalogue_age_hours": told.get("age_hours", 0.0),
        **{name: told.get(name, 0) for name in NAMED},
        **lists,
    }


def _refused(storage: Storage, run: str) -> RefusedRows:
    """Return the rows of the catalogue's files that are no items; earlier versions kept none."""
    manifest = storage.lake.manifest("items", run)
    told = {"counts": manifest["refused"], "examples": manifest.get("refused_examples", [])}
    return RefusedRows.model_validate(told)


GATE = Gate(
    "items",
    MEASURES,
    {"items": ITEMS, "catalogue": CATALOGUE},
    _facts,
    ("catalogue_items",),
    _refused,
)


def gate_items(storage: Storage, run: str) -> GateRecord:
    """Check the items and the catalogue of a run; raise `GateError` when stopped."""
    return GATE.run(storage, run)
