"""What each gate measures: one pass of SQL over a table gives one row of numbers.

Great Expectations over millions of rows costs minutes and gigabytes; over one row of aggregates
it costs half a second, and says the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.schemas import EVENT_TYPES


@dataclass(frozen=True)
class Measure:
    """A number about a table.

    Attributes
    ----------
    says : str
        What is checked, in words a product manager reads.
    sql : str
        DuckDB aggregate over the gate's tables.
    """

    says: str
    sql: str


_TYPES = ", ".join(f"'{name}'" for name in EVENT_TYPES)

EVENTS = {
    "rows": Measure("events in the batch", "(select count(*) from events)"),
    "user_key_null_share": Measure(
        "share of events without a user", "(select avg((user_key is null)::int) from events)"
    ),
    "item_id_null_share": Measure(
        "share of events without an item", "(select avg((item_id is null)::int) from events)"
    ),
    "unknown_type_share": Measure(
        "share of events of an unknown type",
        f"(select avg(coalesce(event_type not in ({_TYPES}), true)::int) from events)",
    ),
    "repeated_ids": Measure(
        "events that stand more than once",
        "(select count(*) - count(distinct hash(event_id)) from events)",
    ),
    "quarantined_share": Measure(
        "share of the rows that could not be read as events",
        "(select quarantined / greatest(rows_read, 1) from manifest)",
    ),
    "negative_prices": Measure(
        "events with a negative price", "(select count(*) from events where unit_price < 0)"
    ),
    "users": Measure("different users", "(select count(distinct user_key) from events)"),
    "items": Measure("different items", "(select count(distinct item_id) from events)"),
}

INTERACTIONS = {
    "train_rows": Measure(
        "user-item pairs to learn from",
        "(select count(*) from interactions where part = 'train')",
    ),
    "holdout_rows": Measure(
        "user-item pairs to be judged by",
        "(select count(*) from interactions where part = 'holdout')",
    ),
    "users": Measure("different users", "(select count(distinct user_key) from interactions)"),
    "items": Measure("different items", "(select count(distinct item_id) from interactions)"),
    "unusable_weights": Measure(
        "pairs whose weight is not a positive number",
        "(select count(*) from interactions"
        " where weight is null or not isfinite(weight) or weight <= 0)",
    ),
    "repeated_pairs": Measure(
        "pairs that stand more than once",
        "(select count(*) - count(distinct (user_key, item_id, part)) from interactions)",
    ),
    "future_rows_in_train": Measure(
        "pairs to learn from that happened after the cut",
        "(select count(*) from interactions, manifest"
        " where part = 'train' and last_time >= manifest.cut)",
    ),
    "unknown_item_share": Measure(
        "share of the items that are not in the catalogue",
        "(select avg((items.item_id is null)::int)"
        " from (select distinct item_id from interactions) seen left join items using (item_id))",
    ),
    "catalogue_items": Measure("items in the catalogue", "(select count(*) from items)"),
    "refused_item_share": Measure(
        "share of the catalogue's rows that could not be read",
        "(select refused_items from manifest)",
    ),
    "repeated_items": Measure(
        "items that stand more than once in the catalogue",
        "(select count(*) - count(distinct item_id) from items)",
    ),
    "priced_share": Measure(
        "share of the catalogue with a positive price",
        "(select avg(coalesce(price > 0, false)::int) from items)",
    ),
    "picture_share": Measure(
        "share of the catalogue with a picture", "(select avg(has_picture::int) from items)"
    ),
    "stock_share": Measure(
        "share of the catalogue in stock", "(select avg(in_stock::int) from items)"
    ),
}

RECOMMENDATIONS = {
    "users_share": Measure(
        "share of the users who have a list",
        "(select avg((lists.user_key is not null)::int)"
        " from (select distinct user_key from interactions) wanted"
        " left join (select distinct user_key from recommendations) lists using (user_key))",
    ),
    "full_lists_share": Measure(
        "share of the lists that are full",
        "(select avg(coalesce(len(item_ids) = wanted, false)::int) from recommendations, manifest)",
    ),
    "lists_with_repeats": Measure(
        "lists that show an item twice",
        "(select count(*) from recommendations"
        " where len(item_ids) <> len(list_distinct(item_ids)))",
    ),
    "unavailable_items": Measure(
        "recommended items that are unknown, without a picture or out of stock",
        "(select count(*) from (select distinct unnest(item_ids) as item_id from recommendations)"
        " left join catalogue using (item_id)"
        " where not coalesce(has_picture and in_stock, false))",
    ),
    "repeated_users": Measure(
        "users with more than one list",
        "(select count(*) - count(distinct user_key) from recommendations)",
    ),
    "catalogue_share": Measure(
        "share of the available catalogue that somebody is shown",
        "(select count(distinct item_id) from (select unnest(item_ids) as item_id"
        " from recommendations)) / (select greatest(count(*), 1) from catalogue"
        " where has_picture and in_stock)",
    ),
    "distinct_lists_share": Measure(
        "share of the lists that are different from all others",
        "(select count(distinct hash(item_ids)) / greatest(count(*), 1) from recommendations)",
    ),
}
