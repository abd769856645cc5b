"""Lists what the events gate measures of a batch, of its source and of the batches before it."""

from __future__ import annotations

from expectations import past
from expectations.checking.gate import WRONG_COLUMNS
from expectations.checking.measure import FACTS, Measure, count, fact, repeats, share
from infra.schemas import EVENT_TYPES, EVENTS, QUARANTINE_REASONS

_TABLE = "events"
_TYPES = ", ".join(f"'{name}'" for name in EVENT_TYPES)
_SHOWN = "event_id, event_time, event_type, user_key, visitor_key, item_id"
_WRITTEN = "(select epoch(written_at) from facts)"
_PERSON = "coalesce(user_key, visitor_key)"
OTHER_REASONS, OUT_OF_TIME = "any_other_reason", "files_out_of_time"
_MANY = 50  # events of a batch: below, one person is a large share of many a small one
_FEW = 20  # persons: of fewer, each has a large share
_PERSONS = f"(select {_PERSON} as person, count(*) as events from events group by 1)"
# of persons with half of so many alone: of all, ten million events would be as many groups
_OF_ITEMS = f"""(select item_id, {_PERSON} as person, count(*) as events,
        any_value(item_events) as item_events
    from events
    join (select {_PERSON} as busy from events group by 1 having count(*) >= {_MANY // 2})
        on busy = {_PERSON}
    join (select item_id, count(*) as item_events from events group by 1) using (item_id)
    group by 1, 2)"""

_MISSING = {
    f"{column}_missing_share": share(
        f"share of events without {words}", f"{column} is null", _TABLE, _SHOWN
    )
    for column, words in {
        "event_id": "an id",
        "event_time": "a time",
        "event_type": "a type",
        "item_id": "an item",
    }.items()
}

_QUARANTINED = {
    f"quarantined_{reason}": Measure(
        f"share of the rows that were refused as {reason.replace('_', ' ')}",
        f"any_value(quarantined_{reason})",
        "facts",
        "reason, regexp_extract(file, '[^/]+$') as file",
        f"reason = '{reason}'"
        if reason in QUARANTINE_REASONS
        else f"reason not in {QUARANTINE_REASONS}",
        "quarantine",
    )
    for reason in (*QUARANTINE_REASONS, OTHER_REASONS)
}

BATCH = {
    "wrong_columns": WRONG_COLUMNS,
    "rows": Measure("events in the batch", "count(*)", _TABLE),
    **_MISSING,
    "person_missing_share": share(
        "share of events without a user and without a visitor",
        f"{_PERSON} is null",
        _TABLE,
        _SHOWN,
    ),
    "stranger_share": share(
        "share of events of visitors without a user id", "user_key is null", _TABLE
    ),
    "repeated_ids": repeats("events that occur more than once", "event_id", _TABLE),
    "unknown_type_share": share(
        "share of events of an unknown type", f"event_type not in ({_TYPES})", _TABLE, _SHOWN
    ),
    "wrong_ratings": count(
        "ratings that are not 1 to 5", "rating not between 1 and 5", _TABLE, "event_id, rating"
    ),
    "wrong_quantities": count(
        "events of no piece or less",
        "quantity = 0 or (quantity < 0 and event_type <> 'return')",  # so a shop may write returns
        _TABLE,
        "event_id, event_type, quantity",
    ),
    "wrong_currencies": count(
        "events whose currency is not three capital letters",
        "not regexp_full_match(currency, '[A-Z]{3}')",
        _TABLE,
        "event_id",
    ),
    "negative_prices": count(
        "events with a price below zero or none at all",
        "unit_price < 0 or not isfinite(unit_price)",
        _TABLE,
        "event_id, event_type, item_id, unit_price",
    ),
    "unpriced_purchase_share": Measure(
        "share of the purchases that have no price",
        "coalesce(avg((unit_price is null)::int) filter (where event_type = 'purchase'), 0)",
        _TABLE,
        "event_id, item_id",
        "event_type = 'purchase' and unit_price is null",
    ),
    "first_year": Measure(
        "year of the oldest event",
        "year(min(event_time))",
        _TABLE,
        _SHOWN,
        shown_of="(from events order by event_time limit 3)",
    ),
    "minutes_ahead": Measure(
        "minutes by which the newest event is ahead of the clock that wrote the batch",
        f"max(greatest(epoch(event_time) - {_WRITTEN}, 0)) filter (event_time is not null) / 60",
        _TABLE,
        _SHOWN,
        shown_of="(from events order by event_time desc limit 3)",
    ),
    "busiest_person_share": Measure(
        f"share of the events that are of one person among {_FEW} or more, who has {_MANY}",
        f"case when count(*) < {_FEW} then 0 else"
        f" coalesce(max(events) filter (where events >= {_MANY}), 0) / sum(events) end",
        _PERSONS,
        "person, events",
        f"events >= {_MANY}",
        f"(from {_PERSONS} order by events desc limit 3)",
    ),
    "one_person_of_item_share": Measure(
        f"largest share of an item's events that are of one person, of {_MANY} or more",
        f"coalesce(max(events / item_events) filter (where item_events >= {_MANY}), 0)",
        _OF_ITEMS,
        "item_id, person, events",
        f"item_events >= {_MANY}",
        f"(from {_OF_ITEMS} where item_events >= {_MANY}"
        " order by events / item_events desc limit 3)",
    ),
    "users": Measure(
        "different users, and visitors without a user id", f"count(distinct {_PERSON})", _TABLE
    ),
    "items": Measure("different items", "count(distinct item_id)", _TABLE),
    OUT_OF_TIME: Measure(
        "files of which no row is in time",
        f"any_value({OUT_OF_TIME})",
        FACTS,
        f'unnest({OUT_OF_TIME}_named) as "file"',
    ),
    "quarantined_share": fact(
        "quarantined_share", "share of the rows that could not be read as events"
    ),
    **_QUARANTINED,
}

OF_SOURCE = {
    "hours_since_last_event": fact(
        "hours_since_last_event", "hours from the newest event to the time of the run"
    ),
    "accepted_batches": fact("accepted_batches", "batches of events that are accepted"),
    "not_events_share": fact(
        "not_events_share", "share of the new rows that a rule of the source ignores"
    ),
}

OF_LANDING = {
    "unread_files": fact("unread_files", "files below the landing folder that no source reads"),
}

MEASURES = {**BATCH, **past.MEASURES, **OF_SOURCE, **OF_LANDING}
TABLES = {_TABLE: EVENTS}
