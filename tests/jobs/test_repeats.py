"""Which events are compared with which, and which of several with one id stays."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from jobs.judge_events import judge
from jobs.reading import parse
from jobs.repeats import may_hold_repeated, without_repeats
from jobs.sources import load_sources
from tests.jobs.landing import ago, event, opened

FIRST, LAST = datetime.fromisoformat("2026-11-10T08Z"), datetime.fromisoformat("2026-11-10T20Z")
WEEK, MOMENT = timedelta(days=7), timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("source", "begins", "ends", "compared"),
    [
        ("shop", LAST + WEEK, LAST + 2 * WEEK, True),
        ("shop", LAST + WEEK + MOMENT, LAST + 2 * WEEK, False),
        ("shop", FIRST - 2 * WEEK, FIRST - WEEK, True),
        ("shop", FIRST - 2 * WEEK, FIRST - WEEK - MOMENT, False),
        ("shop", FIRST - 9 * WEEK, LAST + 9 * WEEK, True),
        ("other", FIRST, LAST, False),
    ],
)
def test_events_are_compared_with_batches_of_their_source_within_seven_days(
    source: str, begins: datetime, ends: datetime, compared: bool
) -> None:
    batch = {"source": source, "first_event": f"{begins}", "last_event": f"{ends}"}
    assert may_hold_repeated(batch, "shop", FIRST, LAST) is compared
    assert not may_hold_repeated({**batch, "first_event": None}, "shop", FIRST, LAST)
    assert not may_hold_repeated(batch, "shop", None, None)


def test_of_equal_ids_the_first_by_time_stays_and_then_by_its_values_wherever_it_stands(
    spark: SparkSession,
) -> None:
    early, late = {"event_time": ago(4, hour=9)}, {"event_time": ago(4, hour=11)}
    lower, upper, empty = {"item_id": "i1"}, {"item_id": "i2"}, {"session_id": None}
    pairs = [(early, late), (late, early), (lower, upper), (upper, lower), (empty, {})]
    pairs += [({**early, **upper}, {**late, **lower}), ({**late, **lower}, {**early, **upper})]
    firsts = [event(event_id=f"e{n}", **one) for n, (one, _) in enumerate(pairs)]
    seconds = [event(event_id=f"e{n}", **one) for n, (_, one) in enumerate(pairs)]
    known = [event(event_id="known", **early), event(event_id="known", **late)]
    feed = load_sources(("shop",))["shop"].events
    lines = opened(spark, b=[*firsts, *known], a=[*seconds, event(event_id="alone")])
    recent = spark.createDataFrame([("known",), ("other",)], "event_id STRING")
    kept, left_out = without_repeats(judge(parse(lines, feed), feed, "secret").persist(), recent)
    found = {row["event_id"]: (row["event_time"].hour, row["item_id"]) for row in kept.collect()}
    assert found == {
        **{"e0": (9, "i1"), "e1": (9, "i1"), "e2": (10, "i1"), "e3": (10, "i1")},
        **{"e4": (10, "i1"), "e5": (9, "i2"), "e6": (9, "i2"), "alone": (10, "i1")},
    }
    assert left_out == len(pairs) + len(known)
