"""Weighs the events of a person and an item: once a day, halved with age, less what came back.

A piece that was returned takes its own weight back. It belongs to the latest purchase before the
return that is not yet sent back: shops take things back for weeks, so the newest is the likeliest.
A return without a purchase before it, in the same part of the window, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from infra.errors import SettingsError
from infra.rules import Strict, load_mapping
from infra.schemas import EVENT_TYPES, INTERACTIONS
from jobs.cut import TRAIN, Times, split_at

WEIGHTS = Path(__file__).with_name("event_weights.yaml")
PURCHASE, RETURN = "purchase", "return"
_PAIR = ("user_key", "item_id", "part")
_MOST_PIECES = 1_000_000  # of one event: more is a typing mistake, and sums must stay exact


class EventWeight(Strict):
    """What one event of a type counts, and why."""

    weight: float = Field(ge=0, le=100)
    why: str = Field(min_length=1)


def load_weights(file: Path = WEIGHTS) -> dict[str, float]:
    """Return the weight of every event type; raise `SettingsError` if one is missing or unknown."""
    rules = load_mapping(file, EventWeight)
    for name in set(rules) ^ set(EVENT_TYPES):
        raise SettingsError(
            f"{file}: '{name}' is unknown or missing.",
            f"It needs exactly {', '.join(EVENT_TYPES)}.",
        )
    return {name: rule.weight for name, rule in rules.items()}


def take_back(events: DataFrame) -> DataFrame:
    """Say of each purchase how many of its pieces were kept: columns `pieces` and `kept`.

    Returns are left out of the answer. All other events have one piece, which is kept.
    """
    traded = F.col("event_type").isin(PURCHASE, RETURN)
    whole = F.lit(1).cast("long")
    looks = events.filter(~traded).withColumns({"pieces": whole, "kept": whole})
    number = F.abs(F.coalesce("quantity", F.lit(1)).cast("long"))  # shops write returns below zero
    pieces = F.least(F.greatest(number, F.lit(1)), F.lit(_MOST_PIECES))
    return looks.unionByName(events.filter(traded).withColumn("pieces", pieces).transform(_matched))


def _matched(trades: DataFrame) -> DataFrame:
    """Match returns to purchases as a pile: what was bought last lies on top, and goes first.

    `_height` is the height of the pile after an event; a return from an empty pile takes nothing.
    Of a purchase those pieces are kept that lie below the lowest height of any later time.
    """
    order = (F.col("event_time"), F.col("event_type"), F.col("event_id"))  # purchase before return
    forwards = Window.partitionBy(*_PAIR).orderBy(*order)
    until_now = forwards.rowsBetween(Window.unboundedPreceding, 0)
    backwards = Window.partitionBy(*_PAIR).orderBy(*(column.desc() for column in order))
    later = backwards.rowsBetween(Window.unboundedPreceding, -1)
    bought = F.col("event_type") == PURCHASE
    sold = trades.withColumn(
        "_sum", F.sum(F.when(bought, F.col("pieces")).otherwise(-F.col("pieces"))).over(until_now)
    )
    overdrawn = F.least(F.min("_sum").over(until_now), F.lit(0))
    piled = sold.withColumn("_height", F.col("_sum") - overdrawn)
    lowest = F.coalesce(F.min("_height").over(later), F.col("_height"))
    below = F.least(F.col("_height"), lowest) - (F.col("_height") - F.col("pieces"))
    kept = piled.withColumn("kept", F.greatest(below, F.lit(0)))
    return kept.filter(bought).drop("_sum", "_height")


def once_a_day(events: DataFrame) -> DataFrame:
    """Count events of one person, item and type once a UTC day; the pieces of purchases add up."""
    day = F.to_date("event_time").alias("_day")
    return events.groupBy(*_PAIR, "event_type", day).agg(
        F.max("event_time").alias("event_time"),
        F.max("is_success").alias("is_success"),
        (F.sum("kept") / F.sum("pieces")).alias("kept"),
    )


def weigh(
    events: DataFrame, weights: Mapping[str, float], window: Times, half_life: float
) -> DataFrame:
    """Give each event its type's weight, halved per `half_life` days of age at its part's end."""
    table = F.create_map(*(F.lit(part) for pair in weights.items() for part in pair))
    end = F.when(F.col("part") == TRAIN, F.lit(window.cut)).otherwise(F.lit(window.end))
    age = (end.cast("double") - F.col("event_time").cast("double")) / 86_400
    halved = F.pow(F.lit(0.5), age / half_life)
    return events.withColumn("weight", table[F.col("event_type")] * F.col("kept") * halved)


def add_up(events: DataFrame) -> DataFrame:
    """Sum the weighted events of a pair; one that neither counts nor was bought is left out."""
    bought = F.col("event_type") == PURCHASE
    counts = (F.col("weight") > 0) | F.col("is_success") | bought
    return (
        events.filter(counts)
        .groupBy(*_PAIR)
        .agg(
            F.sum("weight").cast("float").alias("weight"),
            F.count("*").cast("int").alias("events"),
            F.sum(F.col("is_success").cast("int")).cast("int").alias("successes"),
            F.sum(bought.cast("int")).cast("int").alias("purchases"),
            F.max("event_time").alias("last_time"),
            F.max(F.when(bought, F.col("event_time"))).alias("bought_time"),
        )
        .filter("weight > 0 or successes > 0 or purchases > 0")  # a float may halve to nothing
        .select(*INTERACTIONS.columns)
    )


def pairs_of(events: DataFrame, window: Times, half_life: float) -> DataFrame:
    """Turn the events of the window into weighted pairs of the parts before and after its cut."""
    kept = events.transform(split_at, window.cut).transform(take_back).transform(once_a_day)
    return kept.transform(weigh, load_weights(), window, half_life).transform(add_up)
