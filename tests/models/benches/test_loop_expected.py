"""What the marts must say is counted right, on a handful of events counted by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.storage import Storage
from models.benches.loop_expected import expected, expected_units, noted_requests
from models.benches.loop_served import ROBOT, Answered, Lived

NOON = datetime(2026, 10, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def event(number: int, kind: str, at: datetime, **facts: Any) -> dict[str, Any]:
    own = {"event_id": str(number), "event_type": kind, "event_time": at.isoformat()}
    return {**own, "user_id": "u1", "item_id": "coat", **facts}


def lived() -> Lived:
    """Two lists show a coat to one customer, who clicks in both and buys once; another is lost."""
    answers = [
        Answered("first", NOON, "u1", "v1", "control", ("coat", "hat")),
        Answered("second", NOON + 5 * MINUTE, "u1", "v1", "control", ("coat",)),
        Answered("lost", NOON, "u2", "v2", "treatment", ("coat", "hat")),
        Answered("other", NOON, "u3", "v2", "treatment", ("hat",)),
    ]
    sold = {"order_id": "o1", "unit_price": 19.99}
    events = [
        event(1, "impression", NOON, request_id="first"),
        event(2, "click", NOON + MINUTE, request_id="first"),
        event(3, "click", NOON + 6 * MINUTE, request_id="second"),
        event(4, "purchase", NOON + 10 * MINUTE, **sold),
        event(5, "purchase", NOON + 10 * MINUTE, item_id="hat", **sold),
        event(6, "impression", NOON, request_id="lost", user_id="u2"),
        event(7, "click", NOON, request_id="first", user_id=ROBOT),
        event(8, "purchase", NOON + timedelta(days=3), user_id="u3", order_id="o2", unit_price=5.0),
    ]
    return Lived(answers, {each["event_id"]: each for each in events})


def test_the_last_click_has_the_purchase_and_lost_lines_count_for_nothing() -> None:
    assert expected(lived(), {"first", "second", "other"}) == {
        "exposures": 4,
        "impressions": 1,
        "clicks": 2,
        "units": 1,  # the hat was never clicked
        "cents": 1_999,
        "orders": 1,
    }
    without = expected(lived(), {"first", "other"})
    assert (without["clicks"], without["orders"]) == (1, 1), "the click before takes its place"


def test_units_have_all_they_bought_in_their_days() -> None:
    noted = {"first", "second", "other"}
    assert expected_units(lived(), noted, timedelta(days=3)) == {
        "control": {"units_of_test": 1, "cents": 3_998, "orders": 1},
        "treatment": {"units_of_test": 1, "orders": 0},
    }


def test_lost_lines_are_seen_by_their_numbers(shop: Storage) -> None:
    served = Path(shop.landing) / "served"
    served.mkdir(parents=True)
    lines = [{"request_id": f"r{number}", "process": "p", "sequence": number} for number in (1, 4)]
    text = "\n".join([*map(json.dumps, lines), '{"request_id": "r5", "pro'])
    (served / "one.jsonl").write_text(text)
    assert noted_requests(shop) == ({"r1", "r4"}, 2)
