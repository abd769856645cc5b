"""The recommendations gate: checks that every user has full lists of items that can be bought.

A list for each personal placement of the shop, without what that placement leaves out. Placements
that show customers their own items have lists of those who have any, however short.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from expectations.checking.gate import WRONG_COLUMNS, Gate
from expectations.checking.measure import Measure, count, repeats
from infra.ledger.run_rules import placements_of
from infra.placements import AGAIN, OF_HISTORY, Placement
from infra.records.gates import GateRecord
from infra.schemas import CATALOGUE, INTERACTIONS, RECOMMENDATIONS
from infra.storage import Storage
from infra.utc import in_utc

_TABLE = "recommendations"
_LEAST_PEOPLE = 2_000  # a shop with fewer counts as one with so many: two of them may be odd
_PLACEMENTS = "(select unnest(placements, recursive := true) from facts)"
_PERSONAL = f"(from {_PLACEMENTS} where not of_history)"
_SHOWN = "placement, user_key, len(item_ids) as items"
_ELIGIBLE = f"""(select placement, user_key, lists.user_key is not null as has_list
    from (select distinct user_key from interactions) cross join {_PERSONAL}
    left join (select distinct placement, user_key from recommendations) lists
    using (placement, user_key))"""
_STRANGERS = """(select placement, user_key from recommendations
    anti join interactions using (user_key))"""
_LENGTHS = f"""(select placement, user_key, len(item_ids) as items, wanted, of_history,
    coalesce(if(of_history, len(item_ids) not between 1 and wanted, len(item_ids) <> wanted), true)
    as is_short from recommendations left join {_PLACEMENTS} using (placement))"""
_FULL = f"""(select 1 - count(*) filter (where is_short) / greatest(count(*), {_LEAST_PEOPLE})
    as share from {_LENGTHS} group by placement)"""
_OWN = f"""(select placement, user_key, item_id, answers, bought
    from (select placement, user_key, unnest(item_ids) as item_id from recommendations)
    join (from {_PLACEMENTS} where of_history) using (placement)
    left join (select user_key, item_id, bool_or(bought_time is not null) as bought
    from interactions group by all) using (user_key, item_id))"""
_UNWANTED = f"""(select user_key, item_id, bought_time from interactions
    where (select bool_or(leave_out = 'seen') from {_PLACEMENTS})
    or bought_time >= (select min(since::timestamptz) from {_PLACEMENTS}))"""
_LEFT_OUT = f"""(select placement, user_key, item_id
    from (select placement, user_key, unnest(item_ids) as item_id from recommendations)
    join {_PLACEMENTS} using (placement) join {_UNWANTED} using (user_key, item_id)
    where leave_out = 'seen' or bought_time >= since::timestamptz)"""
_SHOWN_ITEMS = """(select item_id, shown, catalogue.item_id is not null as is_known, in_stock,
    has_picture from (select unnest(item_ids) as item_id, count(*) as shown from recommendations
    group by 1) left join catalogue using (item_id))"""
_AVAILABLE = """(select shown.item_id is not null as is_shown from catalogue
    left join (select distinct unnest(item_ids) as item_id from recommendations) shown
    using (item_id) where has_picture and in_stock)"""
_LISTS = f"""(select placement, item_ids, count(*) as users
    from recommendations join {_PERSONAL} using (placement) group by all)"""
_DISTINCT = f"(select count(*) / sum(users) as share from {_LISTS} group by placement)"
_FALLING = "list_reverse_sort(scores)"

MEASURES = {
    "wrong_columns": WRONG_COLUMNS,
    "lists": Measure("lists", "count(*)", _TABLE),
    "users_share": Measure(
        "share of the users who have a list: of the placement with the fewest",
        "min(share)",
        f"(select avg(has_list::int) as share from {_ELIGIBLE} group by placement)",
        "placement, user_key",
        "not has_list",
        _ELIGIBLE,
    ),
    "full_lists_share": Measure(
        "share of the lists that are full: of the placement with the fewest, "
        f"fewer than {_LEAST_PEOPLE:,} lists counted as so many",
        "min(share)",
        _FULL,
        "placement, user_key, items, wanted",
        "is_short",
        _LENGTHS,
    ),
    "short_lists": count(
        "lists that are shorter or longer than their placement asks for",
        "is_short",
        _LENGTHS,
        "placement, user_key, items, wanted",
    ),
    "left_out_items": count(
        "recommended items that their placement leaves out for this user",
        "true",
        _LEFT_OUT,
        "placement, user_key, item_id",
    ),
    "not_own_items": count(
        "items that the customer did not buy, or bought, where a list says the opposite",
        f"bought is distinct from (answers = '{AGAIN}')",
        _OWN,
        "placement, user_key, item_id",
    ),
    "unknown_placements": count(
        "lists for a placement that nobody named, or that has no published lists",
        f"placement not in (select placement from {_PLACEMENTS})",
        _TABLE,
        _SHOWN,
    ),
    "repeated_users": repeats(
        "users with more than one list for a placement", "placement, user_key", _TABLE
    ),
    "lists_for_strangers": count(
        "lists for users nobody has seen", "true", _STRANGERS, "placement, user_key"
    ),
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
        "different lists, as a share of all lists: of the placement with the fewest",
        "min(share)",
        _DISTINCT,
        "placement, users as users_with_the_same_list, item_ids[1:3]::varchar as first_items",
        "users > 1",
        _LISTS,
    ),
}


def _facts(storage: Storage, run: str) -> dict[str, Any]:
    as_of = in_utc(datetime.fromisoformat(storage.lake.manifest(INTERACTIONS.name, run)["as_of"]))
    placements = placements_of(storage, run).listed
    return {"placements": [_fact(name, rule, as_of) for name, rule in placements.items()]}


def _fact(name: str, placement: Placement, as_of: datetime) -> dict[str, Any]:
    rule = placement.rule
    since = rule.bought_since(as_of) if rule.leave_out == "bought" else None
    said = {"placement": name, "wanted": placement.length, "answers": placement.answers}
    said |= {"of_history": placement.answers in OF_HISTORY}
    return {**said, "leave_out": rule.leave_out, "since": since}


GATE = Gate(
    "recommendations",
    MEASURES,
    {
        "recommendations": RECOMMENDATIONS,
        "interactions": INTERACTIONS,
        "catalogue": CATALOGUE,
    },
    _facts,
    ("lists", "users_share", "full_lists_share", "catalogue_share"),
)


def gate_recommendations(storage: Storage, run: str) -> GateRecord:
    """Check the lists of a run; raise `GateError` when stopped."""
    return GATE.run(storage, run)
