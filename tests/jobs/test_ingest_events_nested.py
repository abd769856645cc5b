"""Lines of nested JSON: fields are paths, a line may be several events, and the books hold."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from infra.storage import Storage
from jobs import replay_quarantine
from tests.conftest import REPOSITORY
from tests.jobs.shop_files import TODAY, ago, ingest, land, rows

MICROS = int((TODAY.timestamp() - 4 * 86_400 + 36_000) * 1e6)


@pytest.fixture
def nested(shop: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a shop have the sources of nested lines that our page shows; return their file."""
    page = (REPOSITORY / "docs/how-to/add_a_source.md").read_text(encoding="utf-8")
    shown = "".join(
        re.findall(r"^```yaml\n((?:ga4|segment):.*?)^```", page, re.DOTALL | re.MULTILINE)
    )
    file = tmp_path / "sources.yaml"
    file.write_text(shown.replace("explode: items", "most_elements: 3\n    explode: items"))
    monkeypatch.setenv("CATWALK_SOURCES", "ga4,segment")
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(file))
    return file


def param(key: str, **value: object) -> dict[str, object]:
    return {"key": key, "value": value}


def ga4(name: str = "purchase", number: int = 1, **changes: object) -> str:
    """Write an event as the export of GA4 does; `...` leaves a field out."""
    row: dict[str, object] = {
        "event_date": "20261128",
        "event_timestamp": str(MICROS + number),
        "event_name": name,
        "event_params": [
            param("page_location", string_value="https://shop.example/a?b=[c]"),
            param("ga_session_id", int_value="1764300000"),
            param("batch_ordering_id", int_value=str(number)),
        ],
        "user_pseudo_id": "123.456",
        "ecommerce": {"transaction_id": "T-9", "purchase_revenue": 31.5},
        "items": [
            {
                "item_id": "A-1",
                "item_name": "Mantel \u201eAlma\u201c",
                "price": 10.5,
                "quantity": 1,
            },
            {"item_id": "B-2", "price": "5.25", "quantity": "4", "item_params": []},
        ],
    }
    row |= changes
    return json.dumps({key: value for key, value in row.items() if value is not ...})


def segment(number: int, products: object, **changes: object) -> str:
    row: dict[str, object] = {
        "messageId": f"ajs-{number}",
        "type": "track",
        "event": "Order Completed",
        "timestamp": ago(3),
        "userId": None,
        "anonymousId": "a-1",
        "context": {"page": {"url": "https://shop.example/"}, "library": {"name": "analytics.js"}},
        "properties": {"order_id": "O-1", "products": products},
    }
    return json.dumps(row | changes)


BAD = ga4(number=4, items=[{"item_id": "A-1"}, {"item_id": "C-3", "quantity": "viele"}, {}])
SHOE = {"product_id": "S-1", "tags": ["new", "home"]}
LINES: dict[str, list[tuple[str, int]]] = {  # and the rows of events they are
    "ga4": [
        (ga4(), 2),
        (ga4(), 2),  # the same again
        (ga4("page_view", 2, items=[]), 1),
        (ga4("session_start", 3, items=...), 1),
        (BAD, 3),
        (ga4(number=5, items=[{"item_id": str(n)} for n in range(4)]), 1),
        (ga4(number=6)[:-1], 1),
        (ga4(number=6) + "]", 1),
        (ga4("add_to_cart", 7, items=[{"item_id": "D-4"}], ecommerce=...), 1),
        (ga4("add_to_cart", 8, items=[]), 1),
        (ga4("page_view", 9, ecommerce="none", items=[]), 1),
    ],
    "segment": [
        (segment(1, [SHOE, {"product_id": 7}]), 2),
        (segment(2, json.dumps([SHOE])), 1),  # a list that was written as a text
        (segment(3, "none"), 1),
        (segment(4, [SHOE], context="https://shop.example/"), 1),
        (segment(5, ["S-1"]), 1),
        (segment(6, [SHOE], properties=[]), 1),  # PHP writes an empty object so
        (segment(7, [SHOE]).replace('"O-1"', '{"id": "O-1"}'), 1),
    ],
}
REASONS = {"malformed_json": 2, "missing_field": 3, "too_many_elements": 1, "wrong_type": 5}


def test_the_books_of_nested_lines_are_in_rows_of_events(
    nested: Path, shop: Storage, spark: object
) -> None:
    for source, lines in LINES.items():
        land(shop, [line for line, _ in lines], source=source)
    record: Any = ingest(shop)
    assert record["read"] == sum(count for lines in LINES.values() for _, count in lines)
    assert record["duplicates"] == 2
    assert record["not_events"] == {"no_item": 3}
    assert record["quarantined"] == REASONS
    assert record["clean"] == 7 == record["read"] - 2 - 3 - sum(REASONS.values())
    events = rows(shop, "events")
    facts = ("item_id", "unit_price", "quantity", "order_id", "session_id")
    assert {tuple(row[name] for name in facts) for row in events if row["session_id"]} == {
        ("A-1", 10.5, 1, "T-9", "1764300000"),
        ("A-1", None, None, "T-9", "1764300000"),
        ("B-2", 5.25, 4, "T-9", "1764300000"),
        ("D-4", None, None, None, "1764300000"),
    }
    assert len({row["event_id"] for row in events}) == record["clean"]
    placements = {row["event_id"]: row["placement"] for row in events if not row["session_id"]}
    assert placements == {"ajs-1:1": "home", "ajs-1:2": None, "ajs-2:1": "home"}
    raw = Counter((row["raw"], row["reason"]) for row in rows(shop, "quarantine"))
    assert raw[BAD.encode(), "wrong_type"] == raw[BAD.encode(), "missing_field"] == 1
    shown = next(row["fields"] for row in record["examples"] if row["reason"] == "missing_field")
    assert shown["items[].quantity"] == '[null, "viele", null]'

    replayed = ["replay", "--source", "ga4", "--reason", "missing_field", "--fix"]
    replay_quarantine.main([*replayed, """sed -i 's/{}/{"item_id": "E-5"}/'"""])
    again: Any = ingest(shop, "run=again")
    assert again["read"] == 3 + 1  # both lines with such rows; of one only the mended row is new
    assert (again["clean"], again["duplicates"]) == (1, 1)
    assert again["quarantined"] == {"missing_field": 1, "wrong_type": 1}
