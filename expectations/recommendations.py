"""The recommendations gate: checks that every user has a full list of items that can be bought."""

from __future__ import annotations

from typing import Any

from expectations.checking.gate import WRONG_COLUMNS, Gate
from expectations.checking.measure import Measure, count, repeats
from infra.ledger.run_rules import placements_of
from infra.records.gates import GateRecord
from infra.schemas import CATALOGUE, INTERACTIONS, RECOMMENDATIONS
from infra.storage import Storage

_TABLE = "recommendations"
_SHOWN = "user_key, len(item_ids) as items"
_ELIGIBLE = """(select user_key, lists.user_key is not null as has_list
    from (select distinct user_key from interactions)
    left join (select distinct user_key from recommendations) lists using (user_key))"""
_STRANGERS = """(select user_key from recommendations
    anti join interactions using (user_key))"""
_SHOWN_ITEMS = """(select item_id, shown, catalogue.item_id is not null as is_known, in_stock,
    has_picture from (select unnest(item_ids) as item_id, count(*) as shown from recommendations
    group by 1) left join catalogue using (item_id))"""
_AVAILABLE = """(select shown.item_id is not null as is_shown from catalogue
    left join (select distinct unnest(item_ids) as item_id from recommendations) shown
    using (item_id) where has_picture and in_stock)"""
_LISTS = "(select item_ids, count(*) as users from recommendations group by 1)"
_FALLING = "list_reverse_sort(scores)"

MEASURES = {
    "wrong_columns": WRONG_COLUMNS,
    "lists": Measure("lists", "count(*)", _TABLE),
    "users_share": Measure(
        "share of the users who have a list",
        "avg(has_list::int)",
        _ELIGIBLE,
        "user_key",
        "not has_list",
    ),
    "full_lists_share": Measure(
        "share of the lists that are full",
        "avg(coalesce(len(item_ids) = (select wanted from facts), false)::int)",
        _TABLE,
        _SHOWN,
        "coalesce(len(item_ids) <> (select wanted from facts), true)",
    ),
    "repeated_users": repeats("users with more than one list", "user_key", _TABLE),
    "lists_for_strangers": count("lists for users nobody has seen", "true", _STRANGERS, "user_key"),
    "lists_with_repeats": count(
        "lists that show an item twice",
        "len(item_ids) <> len(list_distinct(item_ids))",
        _TABLE,
        _SHOWN,
    ),
    "unordered_lists": count(
        "lists that are not sorted from the best item to the worst, or lack a score",
        "coalesce(len(scores) <> len(item_ids), true) or list_contains(scores, 'nan')"
        f" or list_aggregate(scores, 'count') <> len(scores) or scores <> {_FALLING}",
        _TABLE,
        _SHOWN,
    ),
    "unknown_items": count(
        "recommended items that are not in the catalogue",
        "not is_known",
        _SHOWN_ITEMS,
        "item_id, shown",
    ),
    "unavailable_items": count(
        "recommended items that are out of stock or without a picture",
        "is_known and not coalesce(has_picture and in_stock, false)",
        _SHOWN_ITEMS,
        "item_id, in_stock, has_picture, shown",
    ),
    "catalogue_share": Measure(
        "share of the available catalogue that somebody is shown",
        "avg(is_shown::int)",
        _AVAILABLE,
    ),
    "distinct_lists_share": Measure(
        "different lists, as a share of all lists",
        "count(*) / sum(users)",
        _LISTS,
        "users as users_with_the_same_list, item_ids[1:3]::varchar as first_items",
        "users > 1",
    ),
}


def _facts(storage: Storage, run: str) -> dict[str, Any]:
    return {"wanted": placements_of(storage, run).home.length}


GATE = Gate(
    "recommendations",
    MEASURES,
    {
        "recommendations": RECOMMENDATIONS,
        "interactions": INTERACTIONS,
        "catalogue": CATALOGUE,
    },
    _facts,
)


def gate_recommendations(storage: Storage, run: str) -> GateRecord:
    """Check the lists of a run; raise `GateError` when stopped."""
    return GATE.run(storage, run)
