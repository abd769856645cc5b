"""Tells of every item that was answered what followed: seen, clicked, into the cart, bought.

Grain: one row per answer and item. Impressions and clicks name the answer. A cart or a purchase is
credited to the last list in which the same person clicked the item, if the click was in time before
it; without a click to none. The same person is the same user, or the same visitor.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from infra.mart_schemas import EXPOSURES
from jobs.marts.sales import MONEY, worth

REACTION = "interval 24 hours"  # after the answer
CLOCKS_DIFFER = "interval 5 minutes"


def exposures_of(answers: DataFrame, events: DataFrame, hours: float) -> DataFrame:
    """Return the items of answers with what followed.

    Parameters
    ----------
    answers : DataFrame
        Rows of `served` with their `day`, also of the two days around those that are asked for:
        they may take a purchase away.
    events : DataFrame
        With their `day`, from a day before the first answer to three after the last.
    hours : float
        Between a click and what is credited to it.
    """
    seen = reactions(answers, events)
    credited = credits(clicks(answers, events), worth(events), hours)
    joined = answers.join(seen, "request_id", "left").join(
        _by_request(credited), "request_id", "left"
    )
    items = joined.select("*", F.posexplode("item_ids").alias("place", "item_id"))
    first = F.array_position("item_ids", F.col("item_id")) == F.col("place") + 1
    return items.filter(first).select(*_columns())


def reactions(answers: DataFrame, events: DataFrame) -> DataFrame:
    """Return per request the items that were seen and those that were clicked."""
    named = _in_time(answers.select("request_id", "served_at"), events, ("impression", "click"))

    def items(kind: str, name: str) -> Column:
        return F.collect_set(F.when(F.col("event_type") == kind, F.col("item_id"))).alias(name)

    return named.groupBy("request_id").agg(items("impression", "seen"), items("click", "clicked"))


def clicks(answers: DataFrame, events: DataFrame) -> DataFrame:
    """Return the clicks on items that were answered, with who clicked when."""
    lists = answers.select("request_id", "served_at", "item_ids")
    named = _in_time(lists, events, ("click",))
    known = named.filter(F.array_contains("item_ids", F.col("item_id")))
    clicked_at = F.col("event_time").alias("clicked_at")
    return known.select("request_id", "item_id", "user_key", "visitor_key", clicked_at)


def credits(clicked: DataFrame, moved: DataFrame, hours: float) -> DataFrame:
    """Return carts and purchases with the `request_id` of the last click in time before them."""
    wanted = moved.filter("event_type in ('cart', 'purchase')")
    in_time = (F.col("event_time") >= F.col("clicked_at")) & (
        F.unix_micros("event_time") < F.unix_micros("clicked_at") + int(hours * 3_600_000_000)
    )
    pairs = [
        wanted.join(_clicks_by(clicked, key), [key, "item_id"]).filter(in_time)
        for key in ("user_key", "visitor_key")
    ]
    every = pairs[0].unionByName(pairs[1])
    last = F.max(F.struct("clicked_at", "request_id")).alias("last")
    return every.groupBy(*wanted.columns).agg(last).select(*wanted.columns, "last.request_id")


def _clicks_by(clicked: DataFrame, key: str) -> DataFrame:
    of_key = clicked.filter(F.col(key).isNotNull())
    return of_key.select(key, "item_id", "clicked_at", "request_id")


def _in_time(answers: DataFrame, events: DataFrame, types: tuple[str, ...]) -> DataFrame:
    """Join events to the answers that they name, if they are about the day after it."""
    named = events.filter(F.col("request_id").isNotNull() & F.col("event_type").isin(*types))
    columns = ("request_id", "item_id", "event_type", "event_time", "user_key", "visitor_key")
    joined = named.select(*columns).join(answers, "request_id")
    return joined.filter(
        (F.col("event_time") >= F.col("served_at") - F.expr(CLOCKS_DIFFER))
        & (F.col("event_time") < F.col("served_at") + F.expr(REACTION))
    )


def _by_request(credited: DataFrame) -> DataFrame:
    """Return per request what is credited to each of its items."""
    bought = F.col("event_type") == "purchase"
    money = F.struct(
        "event_time", "event_id", "currency", F.col("revenue").cast(MONEY).alias("revenue")
    )
    of_item = credited.groupBy("request_id", "item_id").agg(
        F.bool_or(F.col("event_type") == "cart").alias("was_carted"),
        F.sort_array(F.collect_set(F.when(bought, F.col("order_key")))).alias("order_keys"),
        F.coalesce(F.sum(F.when(bought, F.col("quantity"))), F.lit(0)).alias("quantity"),
        F.sort_array(F.collect_list(F.when(bought, money))).alias("money"),
    )
    first = F.col("money")[0]["currency"]
    same = F.filter("money", lambda part: part["currency"].eqNullSafe(first))
    start = F.lit(0).cast(MONEY)
    revenue = F.aggregate(same, start, lambda sum_, part: (sum_ + part["revenue"]).cast(MONEY))
    facts = F.struct(
        "item_id",
        "was_carted",
        "order_keys",
        "quantity",
        F.when(F.size("money") > 0, first).alias("currency"),
        revenue.cast("double").alias("revenue"),
    )
    return of_item.groupBy("request_id").agg(F.collect_list(facts).alias("credited"))


def _columns() -> list[Column]:
    item = F.col("item_id")
    found = F.filter("credited", lambda part: part["item_id"] == item)
    mine = F.when(F.size(found) > 0, found[0])
    made = {
        "position": F.col("place") + 1,
        "source": F.get("sources", F.col("place")),
        "was_seen": F.coalesce(F.array_contains("seen", item), F.lit(False)),
        "was_clicked": F.coalesce(F.array_contains("clicked", item), F.lit(False)),
        "was_carted": F.coalesce(mine["was_carted"], F.lit(False)),
        "order_keys": F.coalesce(mine["order_keys"], F.array().cast("array<string>")),
        "quantity": F.coalesce(mine["quantity"], F.lit(0)).cast("bigint"),
        "revenue": F.coalesce(mine["revenue"], F.lit(0.0)),
        "currency": mine["currency"],
    }
    return [made.get(name, F.col(name)).alias(name) for name in EXPOSURES.columns]
