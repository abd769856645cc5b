"""What the catalogue says with care, in one reading of many kinds of rows."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import Row, SparkSession

from infra.storage import Storage
from jobs.batches.refused_items import refused_items
from jobs.catalogue import (
    FEED,
    as_known_at,
    catalogue_at,
    facts_of,
    newest_of,
    read_feeds,
    readable,
)
from jobs.landing.reading import FILE
from jobs.landing.sources import load_sources

END = datetime(2026, 11, 29, tzinfo=UTC)
HOUR = 3600
ITEM = {"has_picture": True, "in_stock": True, "price": 5, "updated_at": "2026-11-20T00:00:00Z"}


def land(shop: Storage, name: str, at: float, *rows: dict[str, Any]) -> None:
    file = Path(shop.landing) / "items/shop" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps({**ITEM, **row}) + "\n" for row in rows))
    os.utime(file, (at, at))


def test_a_wrong_row_sells_nothing_and_is_named(spark: SparkSession, shop: Storage) -> None:
    arrived = END.timestamp() - 30 * HOUR
    later = {"updated_at": "2026-11-27T00:00:00Z"}
    first = [{"item_id": f"i{n}", "title": "x" * 2000} for n in range(8)]
    mended = {"item_id": "mended", "updated_at": "27.11.2026"}
    land(shop, "1.jsonl", arrived, *first, {"item_id": "gone"}, mended)
    second = [{"item_id": f" i{n} ", **later} for n in range(4)]
    second += [
        {"item_id": "i1", **later, "in_stock": False},
        {"item_id": "i4", **later, "in_stock": "sold out"},
        {"item_id": "i5", **later, "price": 0},
        {"item_id": "i6", "updated_at": "27.11.2026"},
        {"item_id": "i7\0", **later},
        {"item_id": 7.0, **later},
    ]
    land(shop, "2.jsonl", arrived + 2 * HOUR, *second)
    ahead = {"item_id": "ahead", "updated_at": "2099-01-01T00:00:00Z"}
    land(shop, "2b.jsonl", arrived + 2 * HOUR, {"item_id": "mended"}, ahead)  # a part of the same
    source = load_sources(("shop",))["shop"]
    feed = source.items
    assert feed is not None
    with shop.lake_scratch() as copies:
        items = read_feeds(spark, [feed], shop, copies).persist()
        catalogue = catalogue_at(items, END).persist()
        found = {row["item_id"]: row for row in catalogue.collect()}
        sold = {name for name, row in found.items() if row["in_stock"]}
        assert (sold, len(found)) == ({"i0", "i2", "i3", "i7", "gone", "mended"}, 10)
        assert found["i5"]["price"] is None and len(found["i7"]["title"]) == 1000
        shown = refused_items(items, FEED, [source])
        assert [(row["file"], row["reason"]) for row in shown] == [
            *[("2.jsonl", "wrong_id")] * 2,
            *[("2.jsonl", "wrong_type")] * 2,
            ("1.jsonl", "wrong_type"),
        ]
        assert {row["fields"]["in_stock"] for row in shown} == {"true", "sold out"}
        facts = facts_of(items, catalogue, END)
        counts = {name: facts[name] for name in facts if not name.endswith("named")}
        assert counts == {
            "newest_refused_share": 4 / 12,
            "age_hours": 28.0,
            "refused_rows": 4,
            "withheld_items": 3,
            "contradicting_items": 1,
            "vanished_items": 2,
        }
        assert facts["withheld_items_named"] == ["i4", "i5", "i6"]
        assert facts["contradicting_items_named"] == ["i1"]
        assert facts["vanished_items_named"] == ["gone", "i7"]
        assert facts["refused_rows_named"][-1] == "wrong_type i6 2.jsonl"
        timeless = feed.model_copy(update={"timeless": True})
        always = read_feeds(spark, [timeless], shop, copies).transform(readable)
        cut = datetime(2026, 11, 1, tzinfo=UTC)
        known = {row["item_id"]: row["in_stock"] for row in as_known_at(always, cut).collect()}
        assert (len(known), known["i1"], known["i0"]) == (11, False, True)


def test_files_that_share_items_are_exports_and_others_are_parts_of_one() -> None:
    def file(name: str, ids: int, refused: int = 0) -> Row:
        facts = {"arrived": END, "updated": None, "rows": ids, "refused": refused, "ids": ids}
        return Row(**{FILE: name, **facts})

    parts = newest_of([file("b", 30), file("a", 30, refused=30)], 60, 60)
    assert (parts.files, parts.rows, parts.refused, parts.is_whole) == (("a", "b"), 60, 30, True)
    exports = newest_of([file("20 November", 60, refused=9), file("27 November", 57)], 60, 60)
    assert (exports.files, exports.rows, exports.refused) == (("27 November",), 57, 0)
    assert exports.is_whole, "what it lacks has vanished"
    assert not newest_of([file("changes", 3)], 3, 60).is_whole
