"""The steps gate: checks the order of what people did, from which models of visits learn."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from expectations.checking.gate import WRONG_COLUMNS, Gate
from expectations.checking.measure import Measure, count, incomplete, repeats
from infra.records.gates import GateRecord
from infra.schemas import EVENT_TYPES, STEPS
from infra.storage import Storage

_TABLE = "steps"
_SHOWN = "person_key, session, position, item_id, part, event_time"
_TYPES = ", ".join(f"'{name}'" for name in EVENT_TYPES)
_VISITS = """(select person_key, session, count(*) as steps, min(position) as first_place,
    max(position) as last_place from steps group by all)"""
_AFTER = """(select *, lag(event_time) over
    (partition by person_key, session order by position) as before from steps)"""

MEASURES = {
    "wrong_columns": WRONG_COLUMNS,
    "rows": Measure("events in the order of visits", "count(*)", _TABLE),
    "persons": Measure("different persons", "count(distinct person_key)", _TABLE),
    "incomplete_steps": incomplete(
        "events without a value that every step must have", STEPS, _SHOWN
    ),
    "unknown_types": count(
        "events of an unknown type",
        f"event_type not in ({_TYPES})",
        _TABLE,
        f"{_SHOWN}, event_type",
    ),
    "unknown_parts": count(
        "events that are neither to learn from nor to be judged by",
        "coalesce(part not in ('train', 'holdout'), true)",
        _TABLE,
        _SHOWN,
    ),
    "repeated_places": repeats(
        "events that share their place in a visit", "person_key, session, position", _TABLE
    ),
    "visits_with_gaps": count(
        "visits whose places are not counted from 0 on",
        "first_place <> 0 or last_place <> steps - 1",
        _VISITS,
        "person_key, session, steps, first_place, last_place",
    ),
    "steps_out_of_order": count(
        "events that happened before the one that precedes them in their visit",
        "event_time < before",
        _AFTER,
        _SHOWN,
    ),
    "lone_steps_share": Measure(
        "share of the visits with one event alone", "avg((steps = 1)::int)", _VISITS
    ),
    "future_steps_in_train": count(
        "events to learn from that happened after the cut",
        "part = 'train' and coalesce(event_time >= (select cut from facts), true)",
        _TABLE,
        _SHOWN,
    ),
    "past_steps_in_holdout": count(
        "events to be judged by that happened before the cut or after the run's time",
        "part = 'holdout' and coalesce(event_time < (select cut from facts)"
        " or event_time >= (select as_of from facts), true)",
        _TABLE,
        _SHOWN,
    ),
}


def _facts(storage: Storage, run: str) -> dict[str, Any]:
    manifest = storage.lake.manifest(_TABLE, run)
    return {name: datetime.fromisoformat(manifest[name]) for name in ("cut", "as_of")}


GATE = Gate("steps", MEASURES, {_TABLE: STEPS}, _facts, ("rows", "persons"))


def gate_steps(storage: Storage, run: str) -> GateRecord:
    """Check the steps of a run; raise `GateError` when stopped."""
    return GATE.run(storage, run)
