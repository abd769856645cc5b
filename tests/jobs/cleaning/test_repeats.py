"""Which events are compared with which, and which of several with one id stays."""

from __future__ import annotations

from datetime import date
from functools import partial

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from infra.schemas import EVENTS
from jobs.cleaning.repeats import OTHERWISE, compare_ids, may_hold_repeated
from jobs.cleaning.row_outcome import sort_rows
from jobs.landing.reading import parse
from jobs.landing.sources import load_sources
from tests.jobs.shop_files import ago, event, opened

DAY = date.fromisoformat


@pytest.mark.parametrize(
    ("held", "near"),
    [
        (["2026-11-03"], True),
        (["2026-11-02"], False),
        (["2026-11-19"], True),
        (["2026-11-20"], False),
        (["2025-12-24", "2026-12-24"], False),  # an odd event beside those of today
        (["2025-12-24", "2026-11-11"], True),
        (["2025-10-30"], True),
        ([], False),
    ],
)
def test_events_are_compared_with_batches_that_hold_a_day_within_seven(
    held: list[str], near: bool
) -> None:
    days = {DAY("2026-11-10"), DAY("2026-11-12"), DAY("2025-11-01")}
    assert may_hold_repeated({"days": held}, days) is near
    assert not may_hold_repeated({"days": held}, set())
    assert may_hold_repeated({}, days), "whoever wrote it did not note days"


def test_of_equal_ids_the_first_stays_what_says_the_same_is_a_repeat_and_all_else_a_conflict(
    spark: SparkSession,
) -> None:
    early, late = {"event_time": ago(4, hour=9)}, {"event_time": ago(4, hour=11)}
    lower, upper, empty = {"item_id": "i1"}, {"item_id": "i2"}, {"session_id": None}
    pairs = [(early, late), (late, early), (lower, upper), (upper, lower), (empty, {})]
    pairs += [({**early, **upper}, {**late, **lower}), ({**late, **lower}, {**early, **upper})]
    firsts = [event(event_id=f"e{n}", **one) for n, (one, _) in enumerate(pairs)]
    seconds = [event(event_id=f"e{n}", **one) for n, (_, one) in enumerate(pairs)]
    same = [event(event_id="same"), event(event_id="same")]
    known = [event(event_id="known", **early), event(event_id="known", **late)]
    feed = load_sources(("shop",))["shop"].events
    sorted_rows = partial(sort_rows, feed=feed, secret="secret")
    before = [event(event_id="known", **early), event(event_id="other")]
    earlier = parse(opened(spark, a=before, mapping=[event(event_id="mapped", **early)]), feed)
    made_otherwise = F.col("file").contains("mapping").alias(OTHERWISE)
    recent = sorted_rows(earlier).select(*EVENTS.columns, made_otherwise).persist()
    mapped = event(event_id="mapped", order_id="o1", **early)
    lines = opened(spark, b=[*firsts, *known, *same, mapped], a=[*seconds, event(event_id="alone")])
    compared = compare_ids(sorted_rows(parse(lines, feed)).persist(), recent, recent)
    found = {
        row["event_id"]: (row["event_time"].hour, row["item_id"]) for row in compared.kept.collect()
    }
    assert found == {
        **{"e0": (9, "i1"), "e1": (9, "i1"), "e2": (10, "i1"), "e3": (10, "i1")},
        **{"e4": (10, "i1"), "e5": (9, "i2"), "e6": (9, "i2"), "alone": (10, "i1")},
        "same": (10, "i1"),
    }
    assert compared.repeats == 4, "of `e4`, `same`, `known`: they say what was said; and `mapped`"
    assert compared.conflicts is not None
    conflicts = {row["event_id"]: row["rows"] for row in compared.conflicts.collect()}
    assert conflicts == dict.fromkeys(["e0", "e1", "e2", "e3", "e5", "e6", "known"], 1)
