"""The ids that a source without any makes of its lines say what is the same event."""

from __future__ import annotations

from pyspark.sql import SparkSession

from jobs.landing.sources import load_sources
from tests.jobs.shop_files import sorted_rows


def line(quantity: str = "6", number: str = "536365", time: str = "08:26:00") -> str:
    return f"{number},85123A,WHITE HEART,{quantity},2010-12-01 {time},2.55,17850,United Kingdom"


def test_a_line_of_online_retail_has_the_same_id_in_every_delivery(spark: SparkSession) -> None:
    day = [line(), line(), line("12"), line("six"), line(number="536366")]
    corrected = [line(time="08:20:00"), *day[:2], line("6.0")]
    feed = load_sources(("online_retail",))["online_retail"].events
    files = {"day": day, "again": day, "replayed": [line("7")], "corrected": corrected}
    found = sorted_rows(spark, feed, **files)
    ids = {
        name: [row["event_id"] for row in found if row["file"].endswith(f"/{name}")]
        for name in files
    }
    assert [len(own) for own in ids.values()] == [len(lines) for lines in files.values()]
    assert len(set(ids["day"])) == 5  # equal lines of a delivery are as many events
    assert set(ids["again"]) == set(ids["day"])
    assert not set(ids["replayed"]) & set(ids["day"])  # what was quarantined is no repeat
    assert len(set(ids["corrected"])) == 4
    assert len(set(ids["corrected"]) & set(ids["day"])) == 2  # what was not corrected has its ids
    assert all(name.startswith("536365-85123A-") for name in ids["corrected"])
