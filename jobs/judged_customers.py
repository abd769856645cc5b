"""Counts, for every midnight a hold-out could start at, the customers it would leave to judge.

A customer is judged at a cut if they had done something before it, and took after it, as a success,
an item that was known at the cut and that their list would not have left out. All midnights are
counted in one pass: each has a bit of a whole number, and each pair of customer and item the bits
of the midnights at which it would be wanted. The count is that of the evaluation, but for customers
all of whose purchases were sent back: they count here, though a model learns nothing of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from infra.placements import ListRule
from jobs.cut import DAY
from jobs.weights import PURCHASE, load_weights


def judged_customers(
    events: DataFrame, items: DataFrame, rule: ListRule, midnights: Sequence[datetime]
) -> dict[datetime, int]:
    """Return how many customers each midnight would leave to judge.

    Parameters
    ----------
    events : DataFrame
        Of the window: `user_key`, `item_id`, `event_type`, `event_time`, `is_success`.
    items : DataFrame
        The rows of the catalogue: `item_id`, `updated_at`.
    rule : ListRule
        What the list leaves out that releases are judged by.
    midnights : sequence of datetime
        At most 62, the earliest first, a day apart.
    """
    time = F.col("event_time")
    weighs = F.col("event_type").isin(*_weighing())
    taken = F.max(F.when(F.col("is_success"), time))
    known = F.min(F.when(weighs, time))
    pairs = events.groupBy("user_key", "item_id").agg(
        _up_to(taken, midnights).alias("wanted"), _left_out(rule, midnights).alias("left_out")
    )
    users = events.groupBy("user_key").agg(_after(known, midnights).alias("user_known"))
    wanted = (
        pairs.filter("wanted <> 0")
        .join(users, "user_key")
        .join(_items_known(events.filter(weighs), items, midnights), "item_id")
    )
    bits = F.expr("wanted & user_known & item_known & ~left_out")
    judged = wanted.groupBy("user_key").agg(F.bit_or(bits).alias("bits"))
    sums = [
        F.coalesce(F.sum(F.expr(f"shiftright(bits, {place}) & 1L")), F.lit(0))
        for place in range(len(midnights))
    ]
    return dict(zip(midnights, judged.agg(*sums).collect()[0], strict=True))


def _items_known(events: DataFrame, items: DataFrame, midnights: Sequence[datetime]) -> DataFrame:
    """Return the midnights at which an item is known: by the catalogue, or by who took it."""
    times = events.select("item_id", "event_time").unionByName(
        items.select("item_id", F.col("updated_at").alias("event_time"))
    )
    known = _after(F.min("event_time"), midnights)
    return times.groupBy("item_id").agg(known.alias("item_known"))


def _left_out(rule: ListRule, midnights: Sequence[datetime]) -> Column:
    """Return the midnights at which a list would leave a pair out, of all its events."""
    time, bought = F.col("event_time"), F.col("event_type") == PURCHASE
    if rule.leave_out == "bought":
        until = time + F.expr(f"interval {rule.within_days} days")
        barred = _up_to(until, midnights).bitwiseAND(_after(time, midnights))
        return F.coalesce(F.bit_or(F.when(bought, barred)), F.lit(0))
    if rule.leave_out == "seen":
        seen = F.col("is_success") | bought | F.col("event_type").isin(*_weighing())
        return _after(F.min(F.when(seen, time)), midnights)
    return F.lit(0).cast("long")


def _weighing() -> list[str]:
    """Return the types of events that models learn from."""
    return [name for name, weight in load_weights().items() if weight > 0]


def _up_to(time: Column, midnights: Sequence[datetime]) -> Column:
    """Return the bits of the midnights that are not after a time; none where it is null."""
    return F.coalesce(_low_bits(time, midnights), F.lit(0).cast("long"))


def _after(time: Column, midnights: Sequence[datetime]) -> Column:
    """Return the bits of the midnights after a time; none where it is null."""
    return F.coalesce(F.bitwise_not(_low_bits(time, midnights)), F.lit(0).cast("long"))


def _low_bits(time: Column, midnights: Sequence[datetime]) -> Column:
    """Return as many low bits as there are midnights not after a time."""
    seconds = time.cast("double") - F.lit(midnights[0].timestamp())
    count = F.floor(seconds / DAY.total_seconds()) + 1
    within = F.least(F.greatest(count, F.lit(0)), F.lit(len(midnights))).cast("int")
    return F.call_function("shiftleft", F.lit(1).cast("long"), within) - F.lit(1)
