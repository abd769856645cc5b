"""Events may come from a visitor without a user id: under a key of their own, from start to end."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from expectations.events import gate_events
from infra.errors import GateError, StorageError
from infra.schemas import EVENTS
from infra.spark.session import read_table
from infra.storage import Storage
from jobs import build_interactions
from tests.conftest import SECRET
from tests.jobs.shop_files import RUN, TODAY, ago, event, ingest, land, rows
from tests.old_home import unpack_old_home

STRANGER = {"user_id": ..., "visitor_id": "cookie-7"}


def key_of_visitor(visitor_id: str) -> str:
    """Make the key as RFC 5869 and RFC 2104 say, without our code."""
    derived = hmac.new(b"catwalk visitor_key", SECRET.encode(), hashlib.sha256).hexdigest()
    return hmac.new(derived.encode(), visitor_id.encode(), hashlib.sha256).hexdigest()[:32]


def test_a_visitor_gets_a_key_and_no_id_stays(spark: object, shop: Storage) -> None:
    lines = [
        event(event_id="stranger", **STRANGER, market="PL"),
        event(event_id="blank", user_id=" ", visitor_id="cookie-8"),
        event(event_id="both", visitor_id="cookie-7"),
        event(event_id="same", user_id="cookie-7", visitor_id=None),
    ]
    land(shop, [*lines, event(event_id="nobody", user_id=..., market="PL")])
    record = ingest(shop)
    assert (record["clean"], record["quarantined"]) == (4, {"missing_field": 1})
    events = {row["event_id"]: row for row in rows(shop, "events")}
    assert events["stranger"]["user_key"] is None and events["stranger"]["market"] == "PL"
    assert events["stranger"]["visitor_key"] == key_of_visitor("cookie-7")
    assert events["blank"]["user_key"] is None
    assert events["both"]["visitor_key"] == events["stranger"]["visitor_key"]
    assert events["both"]["user_key"] is not None and events["both"]["market"] is None
    assert events["same"]["user_key"] not in (None, key_of_visitor("cookie-7"))
    assert events["same"]["visitor_key"] is None
    assert "cookie" not in str(rows(shop, "events"))


def test_no_record_and_no_log_holds_a_visitor_id(
    spark: object, shop: Storage, capfd: pytest.CaptureFixture[str]
) -> None:
    land(shop, [event(**STRANGER), event(event_id="e2", **STRANGER, quantity="two")])
    assert ingest(shop)["quarantined"] == {"wrong_type": 1}
    with pytest.raises(GateError) as stopped:
        gate_events(shop, RUN, TODAY)
    records = [shop.reports.read(key).decode() for key in shop.reports.list("")]
    store = shop.lake.store
    manifests = [store.read(key).decode() for key in store.list("") if key.endswith(".json")]
    said = [*capfd.readouterr(), *records, str(stopped.value)]
    assert manifests and any("wrong_type" in text for text in said)
    assert [text for text in (*said, *manifests) if "cookie-7" in text] == []


def test_a_stranger_is_in_interactions_and_steps(spark: object, shop: Storage) -> None:
    catalogue = {"item_id": "i1", "has_picture": True, "in_stock": True, "price": 9.5}
    folder = Path(shop.landing) / "items/shop"
    folder.mkdir(parents=True)
    (folder / "one.jsonl").write_text(json.dumps({**catalogue, "updated_at": ago(30)}) + "\n")
    visit = {**STRANGER, "event_type": "cart", "quantity": 2, "unit_price": 9.5}
    land(
        shop,
        [
            event(event_id="b", event_time=ago(6, 11), **visit),
            event(event_id="a", event_time=ago(6, 10), **STRANGER),
            event(event_id="c", event_time=ago(1), item_id="i2"),
        ],
    )
    ingest(shop)
    gate_events(shop, RUN, TODAY)
    build_interactions.main(["--run", RUN, "--as-of", TODAY.isoformat()])
    stranger = key_of_visitor("cookie-7")
    pairs = {(row["user_key"], row["part"]): row["events"] for row in rows(shop, "interactions")}
    assert pairs[stranger, "train"] == 2
    steps = sorted(rows(shop, "steps"), key=lambda row: str(row["event_time"]))
    assert [row["person_key"] == stranger for row in steps] == [True, True, False]
    assert [(row["session"], row["position"]) for row in steps[:2]] == [
        ("visit 1", 0),
        ("visit 2", 0),
    ]
    assert (steps[1]["event_type"], steps[1]["quantity"], steps[1]["unit_price"]) == (
        "cart",
        2,
        9.5,
    )
    assert [row["part"] for row in steps] == ["train", "train", "holdout"]


def test_batches_of_an_earlier_version_are_read_beside_new_ones(
    spark: SparkSession, shop: Storage
) -> None:
    unpack_old_home(shop.settings.home)
    before = rows(shop, "events")
    assert before and "visitor_key" not in before[0]
    stranger = dict.fromkeys(EVENTS.columns) | {
        "event_id": "new",
        "event_type": "view",
        "event_time": datetime(2026, 11, 20, tzinfo=UTC),
        "visitor_key": "v" * 32,
        "item_id": "i000001",
    }
    frame = spark.createDataFrame([tuple(stranger.values())], EVENTS.ddl)
    frame.write.parquet(shop.lake.begin("events", "batch=shop-000009"))
    shop.lake.commit("events", "batch=shop-000009", {})
    batches = shop.lake.partitions("events")
    for order in (batches, batches[::-1]):
        folders = [shop.lake.address("events", batch) for batch in order]
        read = read_table(spark, EVENTS, folders).collect()
        assert len(read) == len(before) + 1
        assert {row["user_key"] for row in before} == {row["user_key"] for row in read} - {None}
        assert [row["event_id"] for row in read if row["visitor_key"]] == ["new"]
        assert {row["market"] for row in read} == {None}


def test_a_required_column_is_still_demanded(spark: SparkSession, shop: Storage) -> None:
    types = EVENTS.ddl.replace(" NOT NULL", "")
    frame = spark.createDataFrame([tuple(None for _ in EVENTS.columns)], types)
    address = shop.lake.begin("events", "batch=shop-000001")
    frame.select(*EVENTS.required, "user_key").write.parquet(address)
    with pytest.raises(StorageError, match="lacks the columns currency, placement"):
        read_table(spark, EVENTS, [address])
    frame.write.mode("overwrite").parquet(address)
    with pytest.raises(PySparkException, match="events: a required column is null"):
        read_table(spark, EVENTS, [address]).collect()


@pytest.mark.parametrize("column", EVENTS.required)
def test_a_later_batch_that_lacks_a_required_column_fails_the_job(
    spark: SparkSession, shop: Storage, column: str
) -> None:
    """Also where nothing asks for that column; the columns of the first batch alone are listed."""
    unpack_old_home(shop.settings.home)
    whole = shop.lake.address("events", shop.lake.partitions("events")[0])
    address = shop.lake.begin("events", "batch=shop-000009")
    spark.read.parquet(whole).drop(column).write.parquet(address)
    assert read_table(spark, EVENTS, [whole]).select("item_id").collect()
    with pytest.raises(PySparkException, match="events: a required column is null"):
        read_table(spark, EVENTS, [whole, address]).select("item_id").collect()
