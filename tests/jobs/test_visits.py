"""Events in the order of visits: a session id makes one, half an hour without an event ends one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from infra.schemas import EVENTS, STEPS
from jobs.visits import by_person, steps_of

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def steps(spark: SparkSession, *events: dict[str, Any]) -> list[Row]:
    """Return the steps of events given as differences from a view of anna's at noon."""
    base = dict.fromkeys(EVENTS.columns) | {
        "event_type": "view",
        "event_time": NOON,
        "user_key": "anna",
        "item_id": "i1",
    }
    full = [base | {"event_id": f"e{number}"} | event for number, event in enumerate(events)]
    frame = spark.createDataFrame([tuple(row.values()) for row in full], EVENTS.ddl)
    frame = frame.transform(by_person).withColumn("part", F.lit("train")).transform(steps_of)
    assert tuple(frame.columns) == STEPS.columns
    assert {
        field.name: field.dataType.simpleString().upper() for field in frame.schema
    } == STEPS.kinds
    return sorted(frame.collect(), key=lambda row: (row["person_key"], row["session"], row[2]))


def at(minutes: float, **event: Any) -> dict[str, Any]:
    return {"event_time": NOON + timedelta(minutes=minutes), **event}


def order(found: list[Row]) -> list[tuple[str, int, str]]:
    return [(row["session"], row["position"], row["item_id"]) for row in found]


def test_half_an_hour_without_an_event_ends_a_visit(spark: SparkSession) -> None:
    found = steps(
        spark,
        at(100, item_id="last"),
        at(0, item_id="first"),
        at(29.99, item_id="in time"),
        at(59.99, item_id="half an hour later"),
        at(89.9, item_id="in time again"),
    )
    assert order(found) == [
        ("visit 1", 0, "first"),
        ("visit 1", 1, "in time"),
        ("visit 2", 0, "half an hour later"),
        ("visit 2", 1, "in time again"),
        ("visit 2", 2, "last"),
    ]


def test_the_session_of_the_shop_counts_however_long_it_waits(spark: SparkSession) -> None:
    found = steps(
        spark,
        at(0, session_id="s1", item_id="a"),
        at(5, item_id="of no session"),
        at(90, session_id="s1", item_id="b"),
        at(1, session_id="s2", item_id="c"),
    )
    assert order(found) == [
        ("s1", 0, "a"),
        ("s1", 1, "b"),
        ("s2", 0, "c"),
        ("visit 1", 0, "of no session"),
    ]


def test_persons_are_apart_also_in_one_session(spark: SparkSession) -> None:
    found = steps(
        spark,
        at(0, session_id="s", item_id="anna's"),
        at(1, session_id="s", item_id="berta's", user_key="berta"),
        at(2, session_id="s", item_id="a stranger's", user_key=None, visitor_key="v"),
        at(3, session_id="s", item_id="anna's again", visitor_key="v"),
    )
    assert [(row["person_key"], row["position"], row["item_id"]) for row in found] == [
        ("anna", 0, "anna's"),
        ("anna", 1, "anna's again"),
        ("berta", 0, "berta's"),
        ("v", 0, "a stranger's"),
    ]


def test_events_of_one_moment_have_one_order(spark: SparkSession) -> None:
    same = [at(0, event_id=name, item_id=name) for name in "cab"]
    assert order(steps(spark, *same)) == order(steps(spark, *same[::-1]))
    assert [row["item_id"] for row in steps(spark, *same)] == ["a", "b", "c"]


def test_what_was_paid_stays_beside_the_step(spark: SparkSession) -> None:
    [step] = steps(spark, at(0, event_type="purchase", quantity=2, unit_price=9.5))
    assert (step["event_type"], step["quantity"], step["unit_price"]) == ("purchase", 2, 9.5)
    assert step["event_time"].astimezone(UTC) == NOON and step["part"] == "train"
