"""Columns no field asks for are counted by name, and nothing of them enters the lake."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from infra.errors import InputError
from infra.storage import Storage
from jobs.cleaning.row_outcome import sort_rows
from jobs.landing.reading import parse
from jobs.landing.sources import FILE, load_sources
from jobs.landing.unknown_columns import count_unknown
from tests.jobs.shop_files import GOOD, event, files_read, ingest, land, opened, rows


def test_unknown_keys_are_named_and_their_values_dropped(
    spark: object, shop: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        event(event_id="e1", debug="hidden-1"),
        event(event_id="e2", debug={"deep": "hidden-2"}, app=None),
        event(event_id="e3", placement='quoted ":debug": "x" here'),
        event(event_id="e4", rating=None, session_id=None),
        event(event_id="e5").replace('"item_id":', '"debug" : 1, "item_id":'),
        event(event_id="e6").replace('"item_id":', '"debug"\t: 1, "item_id" :'),
        event(event_id="e7", app="x", user_id=...),
        '{"debug": 1, "broken"',
    ]
    land(shop, [*lines, json.dumps({**GOOD, "event_id": "e8", "x" * 99: 1}, separators=(",", ":"))])
    record = ingest(shop)
    assert record["unknown_columns"] == {"debug": 4, "app": 2, "x" * 64: 1}
    assert "unknown columns: debug 4, app 2" in capsys.readouterr().out
    assert "hidden" not in str(rows(shop, "events"))


def test_names_are_bounded_in_number_and_masked(spark: SparkSession) -> None:
    names = [[f"field{n}", "app", f"u{n % 40}@müller.de"] for n in range(80)]
    frame = spark.createDataFrame([(row,) for row in names], "unknown ARRAY<STRING>")
    assert count_unknown(frame.coalesce(1)) == {
        "app": 80,
        "<email>": 80,
        **{f"field{n}": 1 for n in sorted(range(80), key=str)[:9]},
    }


@pytest.fixture
def parquet(shop: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Return a shop whose source delivers Parquet."""
    file = tmp_path / "sources.yaml"
    text = FILE.read_text().replace("*.jsonl*", "*.parquet").replace("jsonl", "parquet")
    file.write_text(text.replace("field: all", ""))
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(file))
    return shop


def parquet_file(shop: Storage, name: str, **columns: list[object]) -> None:
    fields = load_sources(("shop",))["shop"].events.fields
    size = len(next(iter(columns.values())))
    good: dict[str, object] = {key: [value] * size for key, value in GOOD.items()}
    empty = {key: pa.array([None] * size, pa.string()) for key in fields}
    folder = Path(shop.landing) / "events/shop"
    folder.mkdir(parents=True, exist_ok=True)
    table = {key: value for key, value in {**empty, **good, **columns}.items() if value is not ...}
    pq.write_table(pa.table(table), folder / name)


def test_parquet_keeps_its_types_and_reports_what_it_has_beside(
    spark: object, parquet: Storage
) -> None:
    moment = pa.array([1_763_632_800_000_000] * 2, pa.timestamp("us", tz="UTC"))
    texts = {"event_id": ["e1", "e2"], "placement": [None, ["a"]], "request_id": ["[SALE]", None]}
    numbers = {"quantity": [2, 2], "unit_price": [9.5, 9.5], "app": [1, 1]}
    parquet_file(parquet, "one.parquet", event_time=moment, **texts, **numbers)
    folder = Path(parquet.landing) / "events/shop"
    empty = pq.read_table(folder / "one.parquet").slice(0, 0).rename_columns({"app": "ab"})
    pq.write_table(empty, folder / "empty.parquet")
    record = ingest(parquet)
    assert (record["clean"], record["unknown_columns"]) == (1, {"app": 2})
    assert record["quarantined"] == {"wrong_type": 1}
    assert set(files_read(parquet)) == {f"events/shop/{file.name}" for file in folder.iterdir()}
    [row] = rows(parquet, "events")
    assert (row["quantity"], row["unit_price"], row["request_id"]) == (2, 9.5, "[SALE]")
    assert str(row["event_time"]) == "2025-11-20 10:00:00+00:00"


@pytest.mark.parametrize("wanted", ["jsonl", "parquet"])
def test_a_name_with_a_dot_is_one_field_and_bytes_of_parquet_are_text_or_none(
    spark: SparkSession, wanted: str
) -> None:
    feed = load_sources(("shop",))["shop"].events
    named = ["user.id" if name == "user_id" else name for name in feed.fields]
    fields = (*(name for name in named if name != "market"), "market")
    change = {"format": wanted, "fields": fields}
    feed = feed.model_copy(update={**change, "columns": {**feed.columns, "user_id": "`user.id`"}})
    row = {**dict.fromkeys(fields), **GOOD, "user.id": "anna"}
    lines = opened(spark, one=[json.dumps({name: row[name] for name in fields if row[name]})])
    if wanted == "parquet":
        good, bad = ([row[name] for name in fields[:-1]] + [end] for end in (b"4", b"\xff"))
        ddl = ", ".join(f"`{name}` STRING" for name in fields[:-1]) + f", {fields[-1]} BINARY"
        lines = spark.createDataFrame([good, bad], ddl).crossJoin(lines.drop("value"))
    found = sort_rows(parse(lines, feed), feed, "secret").orderBy("outcome").collect()
    assert [row["reason"] for row in found] == [None, "not_utf8"][: len(found)]
    assert found[0]["market"] == ("4" if wanted == "parquet" else None)


def test_a_parquet_column_that_is_gone_or_changed_is_an_error(
    spark: object, parquet: Storage
) -> None:
    parquet_file(parquet, "one.parquet", event_id=["e1"], quantity=[1])
    parquet_file(parquet, "two.parquet", event_id=["e2"], quantity=["1"])
    with pytest.raises(InputError, match=r"two\.parquet has the column 'quantity' as string"):
        ingest(parquet)
    parquet_file(parquet, "two.parquet", event_id=["e2"], quantity=[1], user_id=...)
    with pytest.raises(InputError, match=r"two\.parquet lacks the column 'user_id'"):
        ingest(parquet)
    assert parquet.lake.partitions("events") == []
