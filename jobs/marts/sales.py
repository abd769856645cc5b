"""Says what carts, purchases and returns are worth, and to which order they belong."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from infra.mart_schemas import SALES

MONEY = "decimal(28,4)"  # adds up exactly, in whatever order


def worth(events: DataFrame) -> DataFrame:
    """Return carts, purchases and returns, with their `day`, as rows of `sales`.

    A shop may write the pieces of a return below zero; what has no number of pieces is one.
    """
    pieces = F.abs(F.coalesce("quantity", F.lit(1))).cast("bigint")
    price = F.coalesce(F.col("unit_price").try_cast("decimal(14,4)"), F.lit(0))
    moved = events.filter(F.col("event_type").isin("cart", "purchase", "return"))
    revenue = (pieces * price).cast("double")
    made = {"quantity": pieces, "revenue": revenue, "order_key": _order(), "day": F.col("day")}
    return moved.select(*(made.get(name, F.col(name)).alias(name) for name in SALES.columns))


def sales_of(events: DataFrame) -> DataFrame:
    """Return the purchases and returns."""
    return worth(events).filter("event_type in ('purchase', 'return')")


def total(amount: Column) -> Column:
    """Add up money exactly, and return it as a float; 0 of nothing."""
    return F.coalesce(F.sum(amount.cast(MONEY)).cast("double"), F.lit(0.0))


def _order() -> Column:
    """Name the order of a purchase: the shop's number, else the session, else the day."""
    named = F.coalesce(
        F.concat(F.lit("order "), F.col("order_id")),
        F.concat(F.lit("session "), F.col("session_id")),
        F.concat(F.lit("day "), F.col("day").cast("string")),
    )
    return F.concat_ws(" ", F.coalesce("user_key", "visitor_key"), named)
