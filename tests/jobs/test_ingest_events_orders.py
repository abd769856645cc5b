"""Events may name the order they are part of, and the place in the list that they are about."""

from __future__ import annotations

from infra.schemas import EVENTS
from infra.storage import Storage
from tests.jobs.shop_files import event, ingest, land, rows


def test_an_event_keeps_its_order_and_its_position(spark: object, shop: Storage) -> None:
    purchase = {"event_type": "purchase", "quantity": 1, "unit_price": 2.5, "currency": "EUR"}
    lines = [
        event(event_id="bought", **purchase, order_id="2026-000017"),
        event(event_id="seen", event_type="impression", position=3),
        event(event_id="plain"),
        event(event_id="wrong", position="third"),
    ]
    land(shop, lines)
    record = ingest(shop)
    assert (record["clean"], record["quarantined"]) == (3, {"wrong_type": 1})
    assert record["unknown_columns"] == {}
    events = {row["event_id"]: (row["order_id"], row["position"]) for row in rows(shop, "events")}
    assert events == {"bought": ("2026-000017", None), "seen": (None, 3), "plain": (None, None)}


def test_both_came_later_so_that_old_batches_stay_readable() -> None:
    assert {"order_id", "position"} <= set(EVENTS.added)
    assert not {"order_id", "position"} & set(EVENTS.required)
