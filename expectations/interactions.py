"""The interactions gate: checks that there is enough to learn from and to score by, and clean."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from expectations.checking.gate import WRONG_COLUMNS, Gate
from expectations.checking.measure import Measure, count, fact, incomplete, repeats
from infra.records.gates import GateRecord
from infra.schemas import INTERACTIONS, ITEMS
from infra.storage import Storage

_TABLE = "interactions"
_SHOWN = "user_key, item_id, part, weight, last_time"
_HOLDOUT_USERS = """(select user_key, bool_or(part = 'train') as is_known
    from interactions group by 1 having bool_or(part = 'holdout' and successes > 0))"""
_ITEMS = """(select item_id, events, items.item_id is null as is_unknown
    from (select item_id, sum(events) as events from interactions group by 1)
    left join items using (item_id))"""
_WIDTHS = """(select user_key, count(distinct item_id) as items from interactions group by 1)"""

_COUNTS = ("train_rows", "holdout_rows", "users", "items")

MEASURES = {
    "wrong_columns": WRONG_COLUMNS,
    "train_rows": Measure(
        "user-item pairs to learn from",
        "count(*) filter (where part = 'train' and weight > 0)",
        _TABLE,
    ),
    "holdout_rows": Measure(
        "user-item pairs to be judged by: a success each",
        "count(*) filter (where part = 'holdout' and successes > 0)",
        _TABLE,
    ),
    "incomplete_pairs": incomplete(
        "pairs without a value that every pair must have", INTERACTIONS, _SHOWN
    ),
    "unknown_parts": count(
        "pairs that are neither to learn from nor to be judged by",
        "coalesce(part not in ('train', 'holdout'), true)",
        _TABLE,
        _SHOWN,
    ),
    "holdout_share": Measure(
        "share of the pairs that are kept to be judged by", "avg((part = 'holdout')::int)", _TABLE
    ),
    "users": Measure("different users", "count(distinct user_key)", _TABLE),
    "items": Measure("different items", "count(distinct item_id)", _TABLE),
    "density": Measure(
        "share of all users times all items that is filled",
        "count(distinct (user_key, item_id))"
        " / nullif(count(distinct user_key) * count(distinct item_id), 0)",
        _TABLE,
    ),
    "known_users_share": Measure(
        "share of the users to be judged by whom the models can know",
        "avg(is_known::int)",
        _HOLDOUT_USERS,
    ),
    "unusable_weights": count(
        "pairs whose weight is no number, negative, or 0 without a success or a purchase",
        "weight is null or not isfinite(weight) or weight < 0"
        " or (weight = 0 and coalesce(successes = 0 and purchases = 0, true))",
        _TABLE,
        _SHOWN,
    ),
    "repeated_pairs": repeats("pairs that occur more than once", "user_key, item_id, part", _TABLE),
    "future_rows_in_train": count(
        "pairs to learn from that happened after the cut",
        "part = 'train' and coalesce(last_time >= (select cut from facts), true)",
        _TABLE,
        _SHOWN,
    ),
    "past_rows_in_holdout": count(
        "pairs to be judged by that happened before the cut or after the run's time",
        "part = 'holdout' and coalesce(last_time < (select cut from facts)"
        " or last_time >= (select as_of from facts), true)",
        _TABLE,
        _SHOWN,
    ),
    "unknown_item_share": Measure(
        "share of the items that are not in the catalogue",
        "avg(is_unknown::int)",
        _ITEMS,
        "item_id",
        "is_unknown",
    ),
    "unknown_item_event_share": Measure(
        "share of the events that are of items not in the catalogue",
        "coalesce(sum(events) filter (where is_unknown) / sum(events), 0)",
        _ITEMS,
        "item_id, events",
        "true",
        f"(from {_ITEMS} where is_unknown order by events desc, item_id limit 3)",
    ),
    "widest_user_share": Measure(
        "largest share of the catalogue that one user had to do with",
        "max(items) / greatest((select count(*) from items), 1)",
        _WIDTHS,
        "user_key, items",
        "true",
        f"(from {_WIDTHS} order by items desc, user_key limit 3)",
    ),
    "left_out_users": fact(
        "left_out_users", "users left out since they do more on a day than a person can"
    ),
    "left_out_events": fact("left_out_events", "events of those users in the window"),
}


def _facts(storage: Storage, run: str) -> dict[str, Any]:
    manifest = storage.lake.manifest(_TABLE, run)
    times = {name: datetime.fromisoformat(manifest[name]) for name in ("cut", "as_of")}
    left_out = manifest.get("left_out_users", {"users": 0, "events": 0})  # earlier, nobody was
    return times | {f"left_out_{name}": count for name, count in left_out.items()}


GATE = Gate(
    "interactions", MEASURES, {"interactions": INTERACTIONS, "items": ITEMS}, _facts, _COUNTS
)


def gate_interactions(storage: Storage, run: str) -> GateRecord:
    """Check the interactions of a run; raise `GateError` when stopped."""
    return GATE.run(storage, run)
