"""Times and numbers as other systems write them, in the form that the source names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.cleaning.times import comes_twice, read_time
from jobs.landing.sources import EventFeed, load_sources
from tests.jobs.shop_files import GOOD, event, sorted_rows

AT = datetime(2026, 11, 28, 9, 3, 20, tzinfo=UTC)
BERLIN = {"time_zone": "Europe/Berlin"}
FEED = load_sources(("shop",))["shop"].events
# by form and zone: texts that are AT, and texts that are no time
FORMS: dict[tuple[str, str], tuple[list[str], list[str]]] = {
    ("iso", "in_text"): (
        ["2026-11-28T09:03:20Z", "2026-11-28 10:03:20+0100"],
        ["2026-11-28 09:03:20 UTC", "2026-11-28 09:03:20+00", "1795856600"],
    ),
    ("offset", "in_text"): (
        [
            *("2026-11-28 09:03:20 UTC", "2026-11-28 09:03:20.000000+00", "2026-11-28T09:03:20Z"),
            *("2026-11-28 10:03:20 +0100", "2026-11-28T10:03:20+01:00[Europe/Berlin]"),
        ],
        ["2026-11-28 09:03:20", "28.11.2026 09:03:20 UTC", "UTC"],
    ),
    ("epoch_seconds", "in_text"): (["1795856600", "1795856600.000"], ["1.7958566E9", "-5", "x"]),
    ("epoch_milliseconds", "in_text"): (["1795856600000", "1795856600000.0"], ["9" * 18]),
    ("epoch_microseconds", "in_text"): (["1795856600000000"], ["2026-11-28"]),
    ("excel", "UTC"): (["46354.377314815"], ["46354,37", "28.11.2026"]),
    ("iso", "Europe/Berlin"): (["2026-11-28 10:03:20"], ["2026-03-29 02:30:00", "2026-11-28"]),
}
LOCAL = {  # Europe/Berlin, by its changes of clocks
    "2026-10-25 01:59:59": ("2026-10-24T23:59:59", False),
    "2026-10-25 02:15:00": ("2026-10-25T00:15:00", True),
    "2026-10-25 03:00:00": ("2026-10-25T02:00:00", False),
    "2026-03-29 01:59:59": ("2026-03-29T00:59:59", False),
    "2026-03-29 02:30:00": (None, False),
    "2026-03-29 03:00:00": ("2026-03-29T01:00:00", False),
}


def feed(**changes: Any) -> EventFeed:
    return EventFeed.model_validate({**FEED.model_dump(), **changes})


def test_a_time_is_read_in_the_form_that_the_source_names(spark: SparkSession) -> None:
    texts = sorted({text for right, wrong in FORMS.values() for text in (*right, *wrong)})
    frame = spark.createDataFrame([(text,) for text in [*texts, *LOCAL]], "text STRING")
    read = {
        f"{form} {zone}": read_time(F.col("text"), feed(times=form, time_zone=zone))
        for form, zone in FORMS
    }
    days, berlin = feed(times="dates", **BERLIN), feed(**BERLIN)
    rows = frame.select(
        "text",
        *(F.unix_micros(time).alias(name) for name, time in read.items()),
        F.date_format(read_time(F.col("text"), days), "yyyy-MM-dd HH").alias("day"),
        F.date_format(read_time(F.col("text"), berlin), "yyyy-MM-dd'T'HH:mm:ss").alias("local"),
        comes_twice(F.col("text"), berlin).alias("twice"),
    ).collect()
    found = {row["text"]: row for row in rows}
    micros = int(AT.timestamp() * 1e6)
    got = {
        (form, text): found[text][f"{form} {zone}"]
        for (form, zone), both in FORMS.items()
        for text in (*both[0], *both[1])
    }
    assert got == {
        (form, text): micros if text in right else None
        for (form, _), (right, wrong) in FORMS.items()
        for text in (*right, *wrong)
    }
    assert found["2026-11-28"]["day"] == "2026-11-27 23"
    assert {text: (found[text]["local"], found[text]["twice"]) for text in LOCAL} == LOCAL


def test_whole_numbers_with_a_point_are_whole_and_fractions_never_cut(spark: SparkSession) -> None:
    numbers = {"1.0000": 1, "2.0": 2, "3.": 3, "4": 4, "0.35": None, "1.5": None, "x.0": None}
    lines = [event(event_id=f"q{text}", quantity=text, event_type="cart") for text in numbers]
    lines.append(event(event_id="qnumber", quantity=2.0, event_type="cart"))
    strict = {row["event_id"][1:]: row for row in sorted_rows(spark, FEED, one=lines)}
    assert {name: row["quantity"] for name, row in strict.items()} == {**numbers, "number": 2}
    refused = {name for name, row in strict.items() if row["reason"] == "wrong_type"}
    assert refused == {"0.35", "1.5", "x.0"}
    kept = {
        row["event_id"][1:]: (row["quantity"], row["reason"])
        for row in sorted_rows(spark, feed(fractional=["quantity"]), one=lines)
    }
    assert (kept["0.35"], kept["1.5"]) == ((None, None), (None, None))
    assert (kept["2.0"], kept["x.0"]) == ((2, None), (None, "wrong_type"))


def test_a_source_says_what_a_text_may_be_and_leaves_words_that_are_catwalks(
    spark: SparkSession,
) -> None:
    chosen = feed(
        only={"currency": "[A-Z]{3}", "placement": "[a-z_]+"},
        event_types={"bought": "purchase"},
        **BERLIN,
    )
    changes = {
        "fits": {"currency": "EUR", "placement": "home"},
        "not": {"currency": "euro", "placement": "Home page"},
        "bought": {"event_type": "bought"},
        "own": {"event_type": "cart"},
        "strange": {"event_type": "hover"},
        "twice": {"event_time": "2026-10-25 02:30:00"},
    }
    time = GOOD["event_time"].replace("T", " ").rstrip("Z")
    lines = [event(**{"event_id": name, "event_time": time, **c}) for name, c in changes.items()]
    found = {row["event_id"]: row for row in sorted_rows(spark, chosen, one=lines)}
    assert (found["fits"]["currency"], found["fits"]["placement"]) == ("EUR", "home")
    assert (found["not"]["currency"], found["not"]["placement"]) == (None, None)
    notes = {name: sorted(row["notes"] or []) for name, row in found.items()}
    assert notes == {name: [] for name in changes} | {
        "not": ["currency dropped", "placement dropped"],
        "twice": ["event_time in an hour that comes twice"],
    }
    types = [found[name]["event_type"] for name in ("bought", "own")]
    assert (types, found["strange"]["reason"]) == (["purchase", "cart"], "unknown_type")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"times": "excel"}, "have no offset"),
        ({"times": "offset", **BERLIN}, "need the time_zone 'in_text'"),
        ({"only": {"currency": "["}}, "is no regular expression"),
        ({"only": {"item_id": "x"}}, "is no text that is mapped"),
        ({"fractional": ["unit_price"]}, "no column of whole numbers"),
        ({"ids": {"title": "number"}}, "no column of ids"),
    ],
)
def test_an_option_that_cannot_be_obeyed_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        feed(**changes)
