"""Adds up what lists did, by day, placement, version, test, arm and market: `kpi_daily`.

What is bought counts on the day of the answer, what is sent back on the day it comes back.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, GroupedData
from pyspark.sql import functions as F

from infra.mart_schemas import KPI_DAILY
from jobs.marts.days import RETURNED_WITHIN
from jobs.marts.sales import total

GROUP = ("day", "placement", "version", "test", "phase", "arm", "market")
_COUNTS = (
    *("requests", "people", "short_lists", "items_shown", "impressions", "clicks", "carts"),
    "units",
)


def kpis_of(answers: DataFrame, exposures: DataFrame, returned: DataFrame) -> DataFrame:
    """Return the rows of `kpi_daily`.

    Parameters
    ----------
    answers : DataFrame
        Rows of `served` of some days, with their `day`.
    exposures : DataFrame
        Of the same days.
    returned : DataFrame
        What was sent back on them, of `returns_of`.
    """
    parts = [_answers(answers), _items(exposures), _bought(exposures), _returned(returned)]
    every = reduce(lambda rows, more: rows.unionByName(more, allowMissingColumns=True), parts)
    sums = (F.coalesce(F.sum(name), F.lit(0)).cast("bigint").alias(name) for name in _COUNTS)
    orders = F.size(F.array_distinct(F.flatten(F.collect_list("order_keys")))).cast("bigint")
    maps = {"gross_revenue": "gross", "returned_revenue": "returned", "items_by_source": "source"}
    named = (_map(kind, name) for name, kind in maps.items())
    grouped = every.groupBy(*GROUP).agg(*sums, orders.alias("orders"), *named)
    whole = F.transform_values("items_by_source", lambda _, amount: amount.cast("bigint"))
    return grouped.withColumn("items_by_source", whole).select(*KPI_DAILY.columns)


def returns_of(sales: DataFrame, bought: DataFrame) -> DataFrame:
    """Return what was sent back of that which lists sold, with the group of the list.

    Parameters
    ----------
    sales : DataFrame
        Rows of `sales` of some days: the returns of them count.
    bought : DataFrame
        The exposures that led to a purchase, of these days and the 30 before.
    """
    back = sales.filter("event_type = 'return'")
    group = ("request_id", "served_at", *GROUP[1:])
    lists = bought.filter("quantity > 0").select("item_id", "user_key", "visitor_key", *group)
    pairs = [
        back.join(lists.drop(_other(key)), [key, "item_id"]).select(*back.columns, *group)
        for key in ("user_key", "visitor_key")
    ]
    since = F.col("served_at") + F.expr(f"interval {RETURNED_WITHIN} days")
    both = pairs[0].unionByName(pairs[1])
    in_time = both.filter("event_time >= served_at").filter(F.col("event_time") < since)
    last = F.max(F.struct("served_at", *group[:1], *GROUP[1:])).alias("last")
    return (
        in_time.groupBy(*back.columns)
        .agg(last)
        .select("day", *(f"last.{name}" for name in GROUP[1:]), "revenue", "currency")
    )


def _other(key: str) -> str:
    return "visitor_key" if key == "user_key" else "user_key"


def _answers(answers: DataFrame) -> DataFrame:
    short = F.count_if(F.size("item_ids") < F.col("asked")).alias("short_lists")
    people = F.count_distinct(F.coalesce("user_key", "visitor_key")).alias("people")
    return answers.groupBy(*GROUP).agg(_rows("requests"), people, short)


def _items(exposures: DataFrame) -> DataFrame:
    return exposures.groupBy(
        *GROUP, F.lit("source").alias("kind"), F.col("source").alias("name")
    ).agg(
        _rows("items_shown"),
        F.count("*").cast("double").alias("amount"),
        F.count_if("was_seen").alias("impressions"),
        F.count_if("was_clicked").alias("clicks"),
        F.count_if("was_carted").alias("carts"),
        F.sum("quantity").alias("units"),
    )


def _bought(exposures: DataFrame) -> DataFrame:
    """Return money by currency, and the orders: those with several items of the lists once."""
    orders = F.array_distinct(F.flatten(F.collect_list("order_keys"))).alias("order_keys")
    return _by_currency(exposures.filter("quantity > 0"), "gross").agg(_amount(), orders)


def _returned(returned: DataFrame) -> DataFrame:
    return _by_currency(returned, "returned").agg(_amount())


def _by_currency(rows: DataFrame, kind: str) -> GroupedData:
    name = F.coalesce("currency", F.lit("")).alias("name")
    return rows.groupBy(*GROUP, F.lit(kind).alias("kind"), name)


def _amount() -> Column:
    return total(F.col("revenue")).alias("amount")


def _map(kind: str, name: str) -> Column:
    """Return the amounts of a kind by their names, sorted, so that equal maps have equal bytes."""
    pair = F.when(F.col("kind") == kind, F.struct("name", "amount"))
    return F.map_from_entries(F.sort_array(F.collect_list(pair))).alias(name)


def _rows(name: str) -> Column:
    return F.count("*").alias(name)
