"""What looks like personal data in a text is masked and counted; ids, dates and prices stay."""

from __future__ import annotations

import time
from typing import Any

from infra.schemas import EVENTS
from jobs.landing.masking import MASKED, mask, mask_text

PERSONAL = {
    "home for anna.kowalska7@example.org": "home for <email>",
    "a+b@shop.example.co.uk, c@d.example": "<email>, <email>",
    "für anna@müller.de": "für <email>",
    "von rené.müller@example.fr": "von <email>",
    "анна@пример.рф": "<email>",
    "call +48 601 234 005": "call <phone>",
    "+44 (0)20 7946 0958": "<phone>",
    "+14155552671": "<phone>",
    "0048 601 234 567": "<phone>",
    "(555) 123-4567": "<phone>",
    "555.123.4567 ext 3": "<phone> ext 3",
    "601 234 567": "<phone>",
    "601-234-567": "<phone>",
    "089/123456-78": "<phone>",
    "(089) 1234567": "<phone>",
    "01 23 45 67 89": "<phone>",
    "search from 192.0.2.17": "search from <ip>",
    "10.0.0.1:8080": "<ip>:8080",
    "2001:0db8:0000:0000:0000:ff00:0042:8329": "<ip>",
    "from 2001:db8::8a2e:370:7334!": "from <ip>!",
    "::1": "<ip>",
    "[fe80::1]:443": "[<ip>]:443",
    "::ffff:192.0.2.1": "::ffff:<ip>",
    "anna@example.org +48 601 234 005 192.0.2.1": "<email> <phone> <ip>",
}
HARMLESS = (
    *("s0d949238e84f71b7", "i001785", "10002A", "84029-12345678", "INV-0123-4567"),
    *("0012345678", "1234567890123", "601234567"),
    *("2026-11-10", "2026-11-10T10:00:00.123Z", "2026-11-10 10:00:00+01:00", "10:20:30"),
    *("10.11.2026", "01.02.2026", "09/11/2026", "01-02-26"),
    *("19.90", "1299.00", "1,299.00", "0.12345678", "123.456.789"),
    *("123e4567-e89b-12d3-a456-426614174000", "01234567-8901-2345-6789-012345678901"),
    *("v1.2.3", "256.1.1.1", "1.2.3.4.5", "page 12/20", "size 38 - 40", "+1"),
    *("C++ std::abs", "home : category", "anna@home", "@anna", "product_page", "a::b::c"),
)


def masked(spark: Any, texts: list[str | None]) -> list[tuple[str | None, int]]:
    rows = [(text, "a@b.example") for text in texts]
    frame = spark.createDataFrame(rows, "placement STRING, item_id STRING")
    table = mask(frame, EVENTS).select("placement", MASKED, "item_id").collect()
    assert all(row["item_id"] == "a@b.example" for row in table)  # an id is compared, not read
    return [(row["placement"], row[MASKED]) for row in table]


def test_personal_texts_are_masked_and_nothing_else(spark: object) -> None:
    texts = [*PERSONAL, *HARMLESS, None, ""]
    wanted = [(text, 1) for text in PERSONAL.values()] + [(text, 0) for text in HARMLESS]
    assert masked(spark, texts) == [*wanted, (None, 0), ("", 0)]
    assert {mask_text(text): text for text in HARMLESS} == dict(
        zip(HARMLESS, HARMLESS, strict=True)
    )
    assert [mask_text(text) for text in PERSONAL] == list(PERSONAL.values())


def test_a_row_counts_each_text_that_was_masked(spark: Any) -> None:
    frame = spark.createDataFrame(
        [("a@b.example", "192.0.2.1", "home")],
        "placement STRING, session_id STRING, currency STRING",
    )
    assert mask(frame, EVENTS).first().asDict() == {
        **{"placement": "<email>", "session_id": "<ip>", "currency": "home"},
        MASKED: 2,
    }


def test_no_text_of_a_line_makes_masking_slow(spark: object) -> None:
    length = 65_000
    hard = ("a.", "a@b.", "1-", "0 1 ", "12:", "::", "+1 ", "(0", "a@", "1.2.3.")
    started = time.perf_counter()
    masked(spark, [(part * length)[:length] for part in hard])
    assert time.perf_counter() - started < 20
