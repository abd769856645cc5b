"""Every row that lands is clean, quarantined with its reason, a duplicate, or ignored."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import time
from base64 import b64encode
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from infra.errors import InputError, SettingsError
from infra.ledger.batches import decide
from infra.records.gates import BatchDecision
from infra.settings import load_settings
from infra.storage import Storage
from jobs import ingest_events
from jobs.batches import batch, books
from jobs.batches.batch import Delivery
from jobs.cleaning.repeats import Compared
from jobs.cleaning.row_outcome import sort_rows
from jobs.cleaning.user_keys import hmac_keys, user_key
from jobs.landing.reading import parse
from jobs.landing.sources import load_sources
from jobs.simulate_shop import SimulationOptions, simulate
from tests.conftest import SECRET
from tests.jobs.shop_files import RUN, TODAY, ago, event, ingest, land, opened, rows

RETAIL = Path(__file__).parents[3] / "shared/data/online_retail"


def test_a_clean_row_keeps_its_values_and_loses_its_user_id(spark: object, shop: Storage) -> None:
    land(shop, [event(event_type="cart", quantity=2, unit_price=9.5, currency="EUR")])
    assert ingest(shop)["clean"] == 1
    [row] = rows(shop, "events")
    assert row["user_key"] == hmac.digest(SECRET.encode(), b"anna", "sha256").hex()[:32]
    assert (row["quantity"], row["unit_price"], row["currency"]) == (2, 9.5, "EUR")
    assert row["event_time"] == datetime.fromisoformat(ago(4))
    assert "anna" not in str(rows(shop, "events"))


def test_a_secret_longer_than_a_block_is_hashed_first(spark: SparkSession) -> None:
    secret = "long secret " * 10
    expected = hmac.new(secret.encode(), b"anna", hashlib.sha256).hexdigest()[:32]
    [row] = spark.range(1).select(user_key(F.lit("anna"), spark, secret)).collect()
    assert row[0] == expected


BAD = [
    ('{"event_id": "e1", ', "malformed_json"),
    (event() + event(event_id="e2"), "malformed_json"),
    (event() + "," + event(event_id="e2"), "malformed_json"),
    (event() + ', "b": ' + event(event_id="e2"), "malformed_json"),
    (event() + "], [" + event(event_id="e2"), "malformed_json"),
    (event() + event(event_id="torn")[1:], "malformed_json"),
    (event() + "}", "malformed_json"),
    (event() + " garbage }", "malformed_json"),
    (event() + " and more", "malformed_json"),
    (event().replace('"', "'"), "malformed_json"),
    (event(quantity=...).replace('"i1"', "NaN"), "malformed_json"),
    (event().replace('"item_id":', '"item_id": "i2", "item_id":'), "malformed_json"),
    (event().replace('"item_id":', '"debug": 1, "debug": 1, "item_id":'), "malformed_json"),
    ("", "malformed_json"),
    ("[1, 2]", "malformed_json"),
    (event(user_id=...), "missing_field"),
    (event(item_id=None), "missing_field"),
    (event(event_id=" "), "missing_field"),
    (event(user_id={"id": 1}), "wrong_type"),
    (event(user_id=None, visitor_id=" "), "missing_field"),
    (event(user_id="", visitor_id=None), "missing_field"),
    (event(visitor_id=["v1"]), "wrong_type"),
    (event(user_id=..., visitor_id={"id": 1}), "wrong_type"),
    (event(market={"land": "pl"}), "wrong_type"),
    (event(quantity="two"), "wrong_type"),
    (event(event_time=ago(4)[:-1]), "wrong_type"),
    (event(event_time=1763632800), "wrong_type"),
    (event(event_time="yesterday"), "wrong_type"),
    (event(event_type="hover"), "unknown_type"),
    (event(event_time="2099-01-01T00:00:00Z"), "future_time"),
    (event(event_time="2001-01-01T00:00:00Z"), "too_old"),
    (event(event_type="cart", quantity=-1), "negative_quantity"),
    (event(unit_price="NaN"), "wrong_type"),
    (event(unit_price="100d"), "wrong_type"),
    (event(unit_price="0x1p3"), "wrong_type"),
    (event(unit_price="-Infinity"), "wrong_type"),
    (event(placement=["a"]), "wrong_type"),
    (event(placement=[]), "wrong_type"),
    (event(placement={"a": 1, "b": [{"c": None}]}), "wrong_type"),
    (event(placement=" } { ") + " {}", "malformed_json"),
    (event(placement="x" * 70_000), "too_long"),
    (event().encode().replace(b"anna", b"\xff\xfe"), "not_utf8"),
    # of several reasons the first is told
    (event(user_id=..., quantity="two"), "missing_field"),
    (event(rating=None, quantity="two", event_time="2001-01-01T00:00:00Z"), "wrong_type"),
    (event(event_type="hover", event_time="2099-01-02T00:00:00Z"), "unknown_type"),
    (event(event_type="cart", quantity=-1, event_time="2099-01-03T00:00:00Z"), "future_time"),
    (event(event_type="cart", quantity=-1, event_time="2001-01-04T00:00:00Z"), "too_old"),
]


ODD = [
    event(event_id="good", unit_price="9.5e0"),
    event(event_id="returned", event_type="return", quantity=-1),
    event(event_id="bracket", placement="[SALE] shirt"),
    event(event_id="brackets", placement="[SALE]", session_id="{new}"),
    event(event_id="twice", placement="[1] and [2]", session_id='{} "a" {}'),
    event(event_id="nested", debug={"deep": [{"a": 1}, {"}, {": None}]}) + " ",
    event(event_id="braces", placement='a \\ "} { b', session_id="x" * 60_000),
]


def test_a_bad_row_is_quarantined_with_reason_text_and_file(spark: object, shop: Storage) -> None:
    land(shop, [*ODD, *(line for line, _ in BAD)])
    record = ingest(shop)
    assert (record["read"], record["clean"]) == (len(ODD) + len(BAD), len(ODD))
    found = {row["raw"]: row for row in rows(shop, "quarantine")}
    for line, reason in BAD:
        row = found[line if isinstance(line, bytes) else line.encode()]
        assert row["reason"] == reason, line
        assert str(row["file"]).endswith("events/shop/one.jsonl")


def test_a_file_is_read_once_and_a_late_one_later(ingested: Storage) -> None:
    assert ingest(ingested, "run=second")["read"] == 0
    late = land(ingested, [event(event_id="late", event_time=ago(40))], "late.jsonl")
    month_ago = time.time() - 30 * 86_400
    os.utime(late, (month_ago, month_ago))
    assert ingest(ingested, "run=third")["clean"] == 1
    found = sorted(str(row["event_id"]) for row in rows(ingested, "events"))
    assert found == ["e1", "e2", "late", "odd"]


def test_a_recent_event_is_not_taken_again_and_an_old_id_is(ingested: Storage) -> None:
    [batch] = ingested.lake.partitions("events")
    assert ingested.lake.manifest("events", batch)["days"] == [ago(300)[:10], ago(4)[:10]]
    land(ingested, [event(), event(event_id="e3"), event(event_id="e3")], "again.jsonl")
    record = ingest(ingested, "run=second")
    assert (record["clean"], record["duplicates"]) == (1, 2)
    old = [event(event_time=ago(50)), event(event_id="e4", event_time=ago(350))]
    land(ingested, old, "old.jsonl")
    assert ingest(ingested, "run=third")["duplicates"] == 0


@pytest.mark.faults  # more than memory holds
def test_repeats_too_many_to_hold_in_memory_are_found_as_well(
    spark: SparkSession, shop: Storage
) -> None:
    land(shop, [event(event_id=f"e{n % 40}") for n in range(80)])
    ingest(shop)
    before = spark.conf.get("spark.sql.autoBroadcastJoinThreshold")
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")  # as if there were millions
    try:
        land(shop, [event(event_id=f"e{n % 50}") for n in range(100)], "again.jsonl")
        record = ingest(shop, "run=second")
    finally:
        spark.conf.set("spark.sql.autoBroadcastJoinThreshold", before)
    assert (record["clean"], record["duplicates"]) == (10, 90)


def test_different_events_of_one_id_are_no_repeats_and_keep_their_bytes(ingested: Storage) -> None:
    same = event(event_id="undefined", item_id="i1")
    others = [event(event_id="undefined", item_id=f"i{n}", debug=n) for n in range(2, 5)]
    changed = event(event_id="e2", user_id="berta")  # of the batch before
    land(ingested, [same, *others, same, others[0], changed, event()], "again.jsonl")
    record = ingest(ingested, "run=second")
    assert (record["clean"], record["duplicates"]) == (1, 2)  # `same` twice; `e1` of before
    assert record["quarantined"] == {"conflicting_id": 5}
    assert record["conflicting_ids"] == {"e2": 1, "undefined": 4}
    assert record["unknown_columns"] == {"debug": 4}
    kept = [row["raw"] for row in rows(ingested, "quarantine") if row["reason"] == "conflicting_id"]
    assert sorted(kept) == sorted(line.encode() for line in [*others, others[0], changed])


def test_a_discarded_batch_may_be_delivered_again_and_a_stopped_one_too_early(
    ingested: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    [batch] = ingested.lake.partitions("events")
    decide(ingested, batch, BatchDecision(decision="stopped", by="gate"))
    land(ingested, [event()], "early.jsonl")
    assert ingest(ingested, "run=second")["duplicates"] == 1
    assert f"may repeat {batch}, not accepted so far: if it is discarded" in capsys.readouterr().out
    decide(ingested, batch, BatchDecision(decision="discarded", by="anna"))
    land(ingested, [event()], "again.jsonl")
    assert ingest(ingested, "run=third")["clean"] == 1


def test_the_books_must_balance() -> None:
    manifest = {"rows_read": 10, "clean": 7, "duplicates": 1}
    manifest |= {"quarantined": {"too_old": 1}, "not_events": {"free": 1}}
    books.check_sum(manifest)
    with pytest.raises(InputError, match="10 rows were read and 9 accounted for"):
        books.check_sum({**manifest, "not_events": {}})


def test_files_are_named_with_their_sizes_the_largest_first_and_not_without_end(
    spark: object, shop: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {}
    for number in range(60):
        lines: list[str | bytes] = [event(event_id=f"e{number}-{n}") for n in range(number + 1)]
        file = land(shop, lines, f"{number:02}\x1b.jsonl")
        sizes[f"events/shop/{file.name}"] = file.stat().st_size
    record = ingest(shop)
    largest = record["largest_files"]
    assert isinstance(largest, list) and (len(largest), record["files"]) == (50, 60)
    name = "events/shop/59\x1b.jsonl"
    assert largest[0] == {"file": name, "bytes": sizes[name], "rows": 60}
    assert largest[-1]["file"] == "events/shop/10\x1b.jsonl"
    said = capsys.readouterr().out
    assert f"files: 60, {sum(sizes.values()):,} bytes" in said
    assert f"{sizes[name]:,} bytes           60 rows  events/shop/59?.jsonl" in said
    assert "and 50 smaller ones" in said and "49?.jsonl" not in said


def test_a_lost_row_fails_the_batch_and_hides_it(
    spark: SparkSession, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_an_event(clean: DataFrame, *recent: DataFrame) -> Compared:
        return Compared(clean.filter("event_id <> 'e2'"), 0, None)

    def lose_the_refused(delivery: Delivery, key: str, odd: DataFrame) -> dict[str, int]:
        return write_quarantine(delivery, key, odd.filter("outcome = 'clean'"))

    def lose_all(*given: object) -> DataFrame:
        return sort_rows(*given).filter("event_id = 'no such'")  # type: ignore[arg-type]

    write_quarantine = batch.write_quarantine
    land(shop, [event(), event(event_id="e2"), "no json"])
    for name, broken, kept in (
        ("compare_ids", lose_an_event, 2),
        ("write_quarantine", lose_the_refused, 2),
        ("sort_rows", lose_all, 0),
    ):
        with monkeypatch.context() as patch, pytest.raises(InputError) as error:
            patch.setattr(batch, name, broken)
            ingest_events.main(["--run", RUN])
        assert f"3 rows were read and {kept} accounted for" in str(error.value)
        assert not spark.sparkContext._jsc.getPersistentRDDs()
    assert shop.lake.partitions("events") == []


def test_no_row_stays_in_the_session(spark: SparkSession, shop: Storage) -> None:
    land(shop, [event(), "no json"])
    ingest(shop)
    assert not spark.sparkContext._jsc.getPersistentRDDs()


def test_an_empty_landing_folder_is_an_error(spark: object, shop: Storage) -> None:
    with pytest.raises(InputError, match="No file matches .*events/shop/"):
        ingest_events.main(["--run", RUN])


def test_a_source_may_wait_for_its_first_file(
    spark: SparkSession, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATWALK_SOURCES", "shop,rest")
    land(shop, [event()])
    ingest(shop)
    assert shop.lake.partitions("events") == ["batch=shop-000000"]
    land(shop, [event(event_id="by rest")], source="rest")
    ingest(shop)
    assert shop.lake.partitions("events") == ["batch=rest-000000", "batch=shop-000000"]


def test_an_unknown_source_is_an_error(
    spark: object, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATWALK_SOURCES", "shpo")
    with pytest.raises(SettingsError, match="The source 'shpo' is not in"):
        ingest_events.main(["--run", RUN])


def test_no_plan_shows_the_secret(spark: SparkSession) -> None:
    secret, feed = SECRET.encode(), load_sources(("shop",))["shop"].events
    shown = [SECRET]
    for key in (secret, *hmac_keys(SECRET)):  # an inner or outer key is as good
        shown += [key.hex(), b64encode(key).decode(), ", ".join(map(str, key))]
    frame = sort_rows(parse(opened(spark, one=[event()]), feed), feed, SECRET)

    def plans(frame: DataFrame) -> str:
        frame.collect()  # the plan that ran is written otherwise than the one before
        modes = ("simple", "extended", "codegen", "cost", "formatted")
        explained = (frame._jdf.queryExecution().explainString(mode_of(mode)) for mode in modes)
        return "".join((frame._jdf.queryExecution().toString(), *explained)).lower()

    mode_of = spark._jvm.org.apache.spark.sql.execution.ExplainMode.fromString  # type: ignore[union-attr]
    assert [text for text in shown if text.lower() in plans(frame)] == []
    literal = spark.range(1).select(F.hmac(F.lit(bytearray(secret)), F.lit(b"anna")))
    assert [text for text in shown if text.lower() in plans(literal)], "it would be seen"
    for key in hmac_keys(SECRET):
        literal = spark.range(1).select(F.sha2(F.concat(F.lit(bytearray(key)), F.lit(b"a")), 256))
        assert [text for text in shown if text.lower() in plans(literal)], "so would these"


def test_the_simulator_counts_what_ingestion_finds(spark: object, shop: Storage) -> None:
    options = SimulationOptions(
        events=20_000, days=4, first_day=(TODAY - timedelta(days=5)).date(), seed=3
    )
    truth = simulate(Path(shop.landing), options)
    record = ingest(shop)
    quarantined = {
        kind: count
        for kind, count in truth.faults.items()
        if count and kind not in {"duplicate", "personal_text", "unknown_column"}
    }
    assert record["quarantined"] == quarantined
    assert record["duplicates"] == truth.faults["duplicate"]
    assert (record["read"], record["clean"]) == (truth.lines, truth.clean)
    assert record["by_type"] == {kind: rows for kind, rows in truth.clean_by_type.items() if rows}
    assert record["masked"] == truth.faults["personal_text"] > 0
    unknown = record["unknown_columns"]
    assert sum(unknown.values()) == truth.faults["unknown_column"]  # type: ignore[attr-defined]
    assert set(unknown) == {"debug", "ab_bucket", "app"}  # type: ignore[call-overload]
    kept = str(rows(shop, "events"))
    assert "@" not in kept and "192.0.2." not in kept and "+48" not in kept


@pytest.mark.faults  # half a million rows
@pytest.mark.skipif(not RETAIL.exists(), reason="the Online Retail files are not on this machine")
def test_online_retail_is_read_as_pandas_reads_it(
    spark: object, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pd.concat(pd.read_csv(file, dtype=str) for file in sorted(RETAIL.glob("*.csv.gz")))
    cancelled = whole["InvoiceNo"].str.startswith("C")
    assert (len(whole), cancelled.sum()) == (541_909, 9_288)  # as its description says
    latest = sorted(RETAIL.glob("*.csv.gz"))[-50:]  # with the end of summer time
    (Path(shop.landing) / "events/online_retail").mkdir(parents=True)
    for file in latest:
        shutil.copy(file, Path(shop.landing) / "events/online_retail")
    monkeypatch.setenv("CATWALK_SOURCES", "online_retail")
    record = ingest(Storage(load_settings()))
    lines = pd.concat(pd.read_csv(file, dtype=str) for file in latest)
    cancelled = lines["InvoiceNo"].str.startswith("C")
    bought = lines["CustomerID"].notna() & lines["StockCode"].str.match("[0-9]{5}") & ~cancelled
    bought &= lines["UnitPrice"].astype(float) > 0
    wanted = (len(lines), bought.sum(), 0)
    assert (record["read"], record["clean"], record["duplicates"]) == wanted
    assert record["not_events"]["cancellation"] == cancelled.sum()  # type: ignore[index]
    events = shop.lake.dataset("events", *shop.lake.partitions("events"))
    table = events.to_table(columns=["user_key", "item_id", "event_time"]).to_pandas()
    customers = lines[bought]["CustomerID"].str.removesuffix(".0").nunique()
    items = lines[bought]["StockCode"].str.upper().nunique()
    assert (table["user_key"].nunique(), table["item_id"].nunique()) == (customers, items)
    assert table["event_time"].max().isoformat().startswith("2011-12-09T12:50:00")
