"""CSV files are read line by line: every bad line keeps its bytes, every header is checked."""

from __future__ import annotations

import codecs
import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from infra.errors import InputError
from infra.settings import load_settings
from infra.storage import Storage
from jobs import replay_quarantine
from jobs.batches import ingestion
from jobs.landing.contents import require_content
from jobs.landing.sources import EventFeed, load_sources
from tests.jobs.shop_files import HEADER, ago, files_read, ingest, land, rows, sorted_rows


def line(number: int, note: str = "", pieces: str = "2") -> str:
    time = ago(4).replace("T", " ").removesuffix("Z")
    return f"{number};gekauft;{time};anna;i{number};{pieces};9,50;{note}"


def deliver(shop: Storage, lines: list[str | bytes], name: str = "day.csv") -> Path:
    return land(shop, lines, name, source="webshop")


def test_rows_are_read_by_their_mapping(spark: object, webshop: Storage) -> None:
    deliver(webshop, [HEADER, line(1, 'ganz "oben"'), line(2, '"a ""b""; c"'), line(3, "[A]")])
    assert ingest(webshop)["clean"] == 3
    found = sorted(rows(webshop, "events"), key=lambda row: str(row["event_id"]))
    assert [row["placement"] for row in found] == ['ganz "oben"', 'a "b"; c', "[A]"]
    assert {(row["event_type"], row["unit_price"]) for row in found} == {("purchase", 9.5)}


BAD = [
    (line(1, pieces="zwei"), "wrong_type"),
    (line(2).replace("anna", ""), "missing_field"),
    ("3;gekauft", "malformed_csv"),
    (line(4) + ";zu viel", "malformed_csv"),
    ("", "malformed_csv"),
    ("   ", "malformed_csv"),
    (line(5, '"a note that never ends'), "malformed_csv"),
    ("in the next line", "malformed_csv"),
    (line(9, '"a note on\nlines"', pieces="zwei"), "wrong_type"),
    (line(6, '"quoted; ""twice"""', pieces="  x "), "wrong_type"),
    (line(7).replace("gekauft", "getragen"), "unknown_type"),
    (line(7, "x" * 70_000), "too_long"),
    (";" * 65_000, "malformed_csv"),
    (line(8, "Gr\u00fc\u00dfe").encode("latin-1"), "not_utf8"),
]


def test_a_bad_line_keeps_its_bytes(spark: object, webshop: Storage) -> None:
    raw = [text if isinstance(text, bytes) else text.encode() for text, _ in BAD]
    for number, ending in enumerate([b"\n", b"\r\n"]):
        content = ending.join([HEADER.encode(), line(90 + number).encode(), *raw, b""])
        deliver(webshop, [], f"{number}.csv").write_bytes(content)
    record = ingest(webshop)
    assert (record["read"], record["clean"]) == (2 + 2 * len(BAD), 2)
    found = [(row["raw"], row["reason"]) for row in rows(webshop, "quarantine")]
    assert sorted(found) == sorted(2 * list(zip(raw, (reason for _, reason in BAD), strict=True)))


KINDS = r"""
bare:
  events:
    files: events/bare/*.csv*
    format: csv
    header: false
    time_zone: in_text
    max_age_days: 400
    fields: [id, kind, time, person, item, note]
    columns:
      {event_id: id, event_type: kind, event_time: time, user_id: person, item_id: item,
      placement: note}
pandas:
  events:
    files: events/pandas/*.csv*
    format: csv
    separator: "|"
    time_zone: in_text
    max_age_days: 400
    fields: ["", id, kind, time, person, item, "a\nnote", ""]
    columns:
      {event_id: "concat(_column_1, '-', id)", event_type: kind, event_time: time, user_id: person,
      item_id: item, placement: "`a\nnote`"}
"""
BROKEN_NOTE = '"on\r\n\r\nthree ""lines"""'


def test_files_without_header_with_unnamed_columns_and_with_rows_over_lines(
    spark: object, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shop.settings.home / "kinds.yaml"
    file.write_text(KINDS)
    monkeypatch.setenv("CATWALK_SOURCES", "bare,pandas")
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(file))

    def row(number: int, note: str, item: str = "i1", separator: str = ",") -> str:
        return separator.join((str(number), "view", ago(4), "anna", item, note))

    first = [row(1, "a"), row(2, BROKEN_NOTE), row(3, BROKEN_NOTE, item=""), row(4, '"open')]
    content = codecs.BOM_UTF8 + "\r\n".join(first).encode()
    land(shop, [], "marked.csv", "bare").write_bytes(content)
    land(shop, [], "packed.csv.gz", "bare").write_bytes(gzip.compress(row(5, BROKEN_NOTE).encode()))
    land(shop, [], "empty.csv", "bare")
    header = '|id|kind|time|person|item|"a\nnote"|'
    lines = (f"{n}|{row(n, note, separator='|')}|" for n, note in enumerate(("x", '"y\nz"')))
    land(shop, [header, *lines, header], "frame.csv", "pandas")
    record: Any = ingest(shop)
    assert (record["read"], record["clean"]) == (7, 5)
    assert record["quarantined"] == {"malformed_csv": 1, "missing_field": 1}
    whole = BROKEN_NOTE[1:-1].replace('""', '"')
    notes = {row["event_id"]: row["placement"] for row in rows(shop, "events")}
    assert notes == {"1": "a", "2": whole, "5": whole, "0-0": "x", "1-1": "y\nz"}
    raw = {row["raw"].decode(): row["file"] for row in rows(shop, "quarantine")}
    assert raw == dict.fromkeys((first[2], first[3]), "events/bare/marked.csv")
    shown = next(row for row in record["examples"] if row["reason"] == "missing_field")
    assert shown["fields"]["note"].startswith("on") and shown["fields"]["person"] == "(hidden)"

    fix = ["--source", "bare", "--reason", "missing_field", "--fix", "sed -i s/anna,,/anna,i2,/"]
    replay_quarantine.main(["replay", *fix])
    again: Any = ingest(shop, "run=again")
    assert (again["read"], again["clean"]) == (1, 1)


def test_a_header_is_no_row(spark: object, webshop: Storage) -> None:
    quoted = ";".join(f'"{name}"' for name in HEADER.split(";"))
    joined = [HEADER, line(2), HEADER, line(3)]
    deliver(webshop, [quoted, line(1)], "quoted.csv")
    deliver(webshop, joined, "joined.csv")  # type: ignore[arg-type]
    deliver(webshop, [codecs.BOM_UTF8 + HEADER.encode(), line(4)], "mark.csv")
    content = gzip.compress(f"{HEADER}\n{line(5)}\n".encode())
    deliver(webshop, [], "packed.csv.gz").write_bytes(content)
    deliver(webshop, [HEADER], "alone.csv")
    record = ingest(webshop)
    assert record["read"] == record["clean"] == 5
    assert files_read(webshop, "webshop")["events/webshop/alone.csv"] == len(HEADER) + 1


NO_HEADER = {
    "its first line is the header Nr;Art;Zeit.*Leave out `header: false`": [HEADER, line(1)],
    "its rows have 3 columns, and `fields` names 8": ["1;2;3", "4;5;6"],
}


@pytest.mark.parametrize("said", NO_HEADER)
def test_a_file_without_header_is_held_against_its_fields(
    shop: Storage, webshop: Storage, said: str
) -> None:
    feed = load_sources(("webshop",), load_settings().sources_file)["webshop"].events
    bare = EventFeed.model_validate(feed.model_dump() | {"header": False})
    good = deliver(webshop, ["3;gekauft", line(1)], "good.csv")  # a broken row is quarantined
    require_content([str(good)], bare, shop.settings)
    wrong = deliver(webshop, list(NO_HEADER[said]), "wrong.csv")
    with pytest.raises(InputError) as error:
        require_content([str(good), str(wrong)], bare, shop.settings)
    assert re.search(f"wrong[.]csv: {said}", f"{error.value.fact} {error.value.cure}")


WRONG = [
    (f";{HEADER}", 'column 1 of its header has no name; say `""` there in `fields`'),
    (HEADER.replace("Kunde", "Kundin"), "its header has 'Kundin' and lacks 'Kunde'"),
    (HEADER.removesuffix(";Notiz"), "its header lacks 'Notiz'"),
    (HEADER + ";Farbe", "its header has 'Farbe', which `fields` does not"),
    (HEADER.replace("Nr;Art", "Art;Nr"), "in another order than Nr;Art;Zeit"),
    (HEADER.replace(";", ","), "its first line is not the header Nr;Art;Zeit"),
    (line(1), "its first line is not the header Nr;Art;Zeit"),
]


@pytest.mark.parametrize(("first", "said"), WRONG)
def test_a_wrong_header_is_an_error_that_names_file_and_column(
    shop: Storage, webshop: Storage, first: str, said: str
) -> None:
    feed = load_sources(("webshop",), load_settings().sources_file)["webshop"].events
    good = deliver(webshop, [HEADER, line(1)], "good.csv")
    empty = deliver(webshop, [], "empty.csv")
    require_content([str(good), str(empty)], feed, shop.settings)
    wrong = str(deliver(webshop, [first, line(2)], "wrong.csv"))
    with pytest.raises(InputError, match=f"wrong[.]csv: .*{said}") as error:
        require_content([str(good), wrong], feed, shop.settings)
    assert "anna" not in str(error.value)


def test_nothing_is_read_while_a_header_is_wrong(spark: object, webshop: Storage) -> None:
    deliver(webshop, [HEADER, line(1)])
    wrong = deliver(webshop, [HEADER.replace("Kunde", "Kundin"), line(2)], "wrong.csv")
    with pytest.raises(InputError, match="lacks 'Kunde'"):
        ingest(webshop)
    assert webshop.lake.partitions("events") == []
    wrong.write_text(f"{HEADER}\n{line(2)}\n")
    assert ingest(webshop)["clean"] == 2


def test_a_file_that_lands_after_the_check_is_checked_and_read_by_the_next_run(
    spark: object, webshop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def land_another(*given: object) -> object:
        deliver(webshop, [HEADER.replace("Kunde", "Kundin"), line(2)], "late.csv")
        return open_feed(*given)  # type: ignore[arg-type]

    open_feed = ingestion.open_feed
    monkeypatch.setattr(ingestion, "open_feed", land_another)
    deliver(webshop, [HEADER, line(1)])
    assert ingest(webshop)["files"] == 1
    with pytest.raises(InputError, match="late[.]csv: its header has 'Kundin'"):
        ingest(webshop, "run=second")
    assert list(files_read(webshop, "webshop")) == ["events/webshop/day.csv"]


def test_a_broken_row_is_never_ignored(spark: SparkSession) -> None:
    good = "536365,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom"
    nobody = good.replace("17850", "")
    broken = ["", "536367,85123A,WHITE", "536368,85123A," + "x" * 70_000]  # no customer to be seen
    feed = load_sources(("online_retail",))["online_retail"].events
    found = {
        (row["outcome"], row["reason"], row["raw"])
        for row in sorted_rows(spark, feed, day=[good, nobody, *broken])
    }
    reasons = ("malformed_csv", "malformed_csv", "too_long")
    assert found == {
        *(("clean", None, None), ("ignored", "no_customer", None)),
        *(("quarantined", *pair) for pair in zip(reasons, map(str.encode, broken), strict=True)),
    }
