"""Values are found wherever a path leads, and no shape of a line ends the run."""

from __future__ import annotations

import json
from typing import Any

from pyspark.sql import SparkSession

from jobs.landing.reading import LONGEST_ROW
from jobs.landing.sources import EventFeed
from tests.jobs.shop_files import ago, sorted_rows

PRODUCTS = "contexts.data[schema=iglu:shop/products/1-0-0].data.list"
SNOWPLOW = {
    "files": "events/snowplow/*.json",
    "format": "jsonl",
    "time_zone": "in_text",
    "max_age_days": 400,
    "explode": PRODUCTS,
    "fields": [
        *("event_id", "event_name", "collector_tstamp", "domain_userid", "user.id"),
        f"{PRODUCTS}[].sku",
        f"{PRODUCTS}[].it's.now",
        "geo[1].city",
    ],
    "columns": {
        "event_id": "event_id",
        "event_type": "event_name",
        "event_time": "collector_tstamp",
        "visitor_id": "domain_userid",
        "user_id": "user.id",
        "item_id": f"coalesce(`{PRODUCTS}[].sku`, 'none')",
        "placement": f"{PRODUCTS}[].it's.now",
        "market": "geo[1].city",
    },
    "event_types": {"page_view": "view"},
}


def context(products: object) -> dict[str, object]:
    page = {"schema": "iglu:shop/page/1-0-0", "data": {"list": [{"sku": "no product"}]}}
    return {"data": [page, {"schema": "iglu:shop/products/1-0-0", "data": {"list": products}}]}


def line(event_id: str, products: object = ..., **more: object) -> str:
    row: dict[str, object] = {
        "event_id": event_id,
        "event_name": "page_view",
        "collector_tstamp": ago(2),
        "domain_userid": "cookie",
    }
    if products is not ...:
        row["contexts"] = context(products)
    return json.dumps(row | more)


LINES = {
    line("none"): [("none", "none", None, None)],
    line("empty", []): [("empty", "none", None, None)],
    line("null", None): [("null", "none", None, None)],
    line("object", {"sku": "A"}): "wrong_type",
    line("two", [{"sku": "A", "it's": {"now": "x"}}, {"sku": 12}]): [
        ("two#1", "A", "x", None),
        ("two#2", "12", None, None),
    ],
    line("holes", [None, {}]): [("holes#1", "none", None, None), ("holes#2", "none", None, None)],
    line("as text", json.dumps([{"sku": "A"}])): [("as text#1", "A", None, None)],
    line("number", 7): "wrong_type",
    line("context", contexts="none"): "wrong_type",
    line("deep", contexts={"data": [1, [2], "3", None]}): [("deep", "none", None, None)],
    line("geo", geo=["", {"city": "Ulm"}]): [("geo", "none", None, "Ulm")],
    line("short", geo=[]): [("short", "none", None, None)],
    line("flat", **{"user.id": "anna", "user": {"id": "eve"}}): [("flat", "none", None, None)],
    line("both", user={"id": "anna"}): [("both", "none", None, None)],
    line("twice")[:-1] + ', "user": {"id": "anna", "id": "eve"}}': "malformed_json",
    line("after", [{"sku": "A"}]) + "]": "malformed_json",
    line("many", [{}] * 201): "too_many_elements",
    line("long", [{"sku": "A", "note": "x" * 2 * LONGEST_ROW}]): [("long#1", "A", None, None)],
    line("too long", [{"sku": "A", "note": "x" * 4 * LONGEST_ROW}]): "too_long",
    line("broken", contexts=1)[:-1]: "malformed_json",
    '{"event_id": ' + "[" * 5_000: "malformed_json",
    "[]": "malformed_json",
}


def test_a_value_is_found_wherever_its_path_leads(spark: SparkSession) -> None:
    feed = EventFeed.model_validate(SNOWPLOW)
    found: dict[str, Any] = {}
    for row in sorted_rows(spark, feed, day=list(LINES)):
        assert row["outcome"] in ("clean", "quarantined")
        if row["outcome"] == "quarantined":
            assert found.setdefault(row["raw"].decode(), row["reason"]) == row["reason"]
            continue
        name = row["event_id"].partition("#")[0]
        raw = next(text for text in LINES if text.startswith(f'{{"event_id": "{name}"'))
        found.setdefault(raw, []).append(
            tuple(row[column] for column in ("event_id", "item_id", "placement", "market"))
        )
        assert (row["user_key"] is not None) == (name in ("flat", "both"))
    for rows in found.values():
        if isinstance(rows, list):
            rows.sort()
    assert found == LINES
