"""Only accepted events of the window count, and items are as known at the cut."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.errors import InputError, SettingsError
from infra.ledger.batches import decide
from infra.ledger.live_pointer import point
from infra.records.gates import BatchDecision
from infra.records.release import LearntFrom
from infra.schemas import EVENTS, ITEMS
from infra.storage import Storage
from jobs import build_interactions as job
from jobs.cut import Times, inside, split_at
from jobs.landing.sources import FILE, load_sources, success_by_source
from tests.infra.report.test_report import published

RUN = "run=test"
CUT = datetime(2026, 11, 20, tzinfo=UTC)
TIMES = Times(CUT - timedelta(days=30), CUT, CUT + timedelta(days=3))


def events(spark: Any, *rows: tuple[str, str, str, datetime]) -> Any:
    columns = dict.fromkeys(EVENTS.columns)
    full = [
        {
            **columns,
            "event_id": str(n),
            "user_key": u,
            "item_id": i,
            "event_type": t,
            "event_time": w,
        }
        for n, (u, i, t, w) in enumerate(rows)
    ]
    return spark.createDataFrame(
        [tuple(row[name] for name in EVENTS.columns) for row in full], EVENTS.ddl
    )


def test_the_window_ends_before_its_end(spark: Any) -> None:
    rows = events(
        spark,
        ("anna", "before", "view", CUT - timedelta(seconds=1)),
        ("anna", "at", "view", CUT),
        ("anna", "end", "view", TIMES.end),
        ("anna", "old", "view", TIMES.start - timedelta(seconds=1)),
    )
    parts = rows.transform(inside, TIMES).transform(split_at, CUT)
    found = {row["item_id"]: row["part"] for row in parts.collect()}
    assert found == {"before": "train", "at": "holdout"}


def test_items_are_those_known_at_a_time(spark: Any) -> None:
    ddl = ITEMS.ddl
    rows = [
        ("i1", "old", None, None, None, 1.0, True, True, CUT - timedelta(days=2)),
        ("i1", "then", None, None, None, 2.0, True, True, CUT - timedelta(days=1)),
        ("i1", "later", None, None, None, 3.0, True, False, CUT),
        ("i2", "new", None, None, None, 3.0, True, True, CUT + timedelta(days=1)),
    ]
    rows = [(*row, None, None, None) for row in rows]  # as before there were markets
    known = job.as_known_at(spark.createDataFrame(rows, ddl), CUT).collect()
    assert [(row["item_id"], row["title"]) for row in known] == [("i1", "then")]


def test_items_say_where_they_are_sold_and_addresses_are_never_masked(
    spark: Any, shop: Storage
) -> None:
    """The file of a shop that gives neither is read as before."""
    land_items(shop)
    told = {"markets": "AT,DE", "url": "/i/0664-123-4567", "picture_url": "/a@b.example.jpg"}
    row = {"item_id": "i2", "title": "ask a@b.example", "has_picture": True, "in_stock": True}
    line = json.dumps({**row, **told, "updated_at": "2026-11-01T00:00:00Z"})
    (Path(shop.landing) / "items/shop/two.jsonl").write_text(line + "\n")
    feed = load_sources(("shop",))["shop"].items
    rows = job.read_items(spark, feed, shop, "scratch/items").orderBy("item_id").collect()
    assert [row["reason"] for row in rows] == [None, None]
    assert [rows[0][name] for name in ITEMS.added] == [None, None, None]
    assert {name: rows[1][name] for name in ITEMS.added} == told
    assert (rows[1]["title"], rows[1]["_masked"]) == ("ask <email>", 1)


def test_a_source_says_itself_what_a_success_is(
    spark: Any, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in ("shop", "log"):
        frame = events(spark, ("anna", source, "view", CUT), ("anna", source, "cart", CUT))
        frame.write.parquet(shop.lake.begin("events", f"batch={source}-000000"))
    monkeypatch.setattr(job, "success_by_source", lambda file: {"log": ("view",)})
    batches = ["batch=shop-000000", "batch=log-000000"]
    rows = job.read_events(spark, shop, batches, ("cart",)).filter("is_success").collect()
    assert {(row["item_id"], row["event_type"]) for row in rows} == {
        ("shop", "cart"),
        ("log", "view"),
    }


def test_only_a_type_of_event_is_a_success(tmp_path: Path) -> None:
    source = {**yaml.safe_load(FILE.read_text())["shop"], "success": ["view"]}
    file = tmp_path / "sources.yaml"
    file.write_text(yaml.safe_dump({"log": source}))
    assert success_by_source(file) == {"log": ("view",)}
    file.write_text(yaml.safe_dump({"log": {**source, "success": ["looked"]}}))
    with pytest.raises(SettingsError, match="'log'.*'success'.*'looked' is no success"):
        success_by_source(file)
    assert success_by_source() == {}


def test_only_accepted_batches_of_the_sources_that_are_set_are_used(
    spark: Any, shop: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    """A source that was taken out of `CATWALK_SOURCES` is not learnt from, though accepted."""
    land_items(shop)
    Path(shop.landing, "items/shop/torn.jsonl").write_text('{"item_id": "i9')
    look = CUT - timedelta(days=1)
    put_batch(spark, shop, "batch=shop-000000", ("anna", "batch=shop-000000", "view", look))
    put_batch(spark, shop, "batch=shop-000001", ("anna", "i2", "view", look), decision="stopped")
    put_batch(spark, shop, "batch=till-000000", ("anna", "i3", "view", look))
    job.main(["--run", RUN, "--as-of", TIMES.end.isoformat()])
    said = capsys.readouterr().out
    assert "left out, as CATWALK_SOURCES does not name them: till\n" in said
    table = shop.lake.dataset("interactions", RUN).to_table().to_pylist()
    assert [row["item_id"] for row in table] == ["batch=shop-000000"]
    assert shop.lake.manifest("interactions", RUN)["batches"] == ["batch=shop-000000"]
    history = shop.lake.dataset("history", RUN).to_table().to_pylist()
    assert [(row["item_id"], row["part"]) for row in history] == [("batch=shop-000000", "train")]
    three_days_older = 0.5 ** (3 / shop.settings.half_life_days)
    assert history[0]["weight"] == pytest.approx(table[0]["weight"] * three_days_older, rel=1e-5)
    facts = shop.lake.manifest("history", RUN)
    assert datetime.fromisoformat(facts["cut"]) == TIMES.end
    assert shop.lake.dataset("steps", RUN).count_rows() == 1, "nor is it a step"
    torn = {"reason": "malformed_json", "file": "torn.jsonl", "fields": {}}
    assert shop.lake.manifest("items", RUN)["refused_examples"] == [
        torn | {"shape": '{"aaaa_aa": "a0'}
    ]


def test_a_source_that_is_set_again_is_learnt_from_again() -> None:
    batches = ["batch=shop-000000", "batch=till-000000", "batch=shop_two-000000"]
    assert job.batches_of(["shop"], batches) == ("batch=shop-000000",)
    assert job.batches_of(["shop", "till", "shop_two"], batches) == tuple(batches)


def test_the_hold_out_is_as_long_as_it_must_be_and_the_manifest_says_why(
    spark: Any, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three customers are wanted; back to the champion's cut there are two, and a crawler."""
    day = timedelta(days=1)
    land_items(shop)
    rows = [("zoe", "i2", "view", TIMES.end - n * day) for n in range(1, 41)]
    for number, ago in enumerate((2, 5, 8)):
        rows.append((f"u{number}", "i1", "view", TIMES.end - 20 * day))
        rows.append((f"u{number}", "i2", "purchase", TIMES.end - ago * day))
    looks = [("robot", f"i{n}", "cart", TIMES.end - 4 * day + n * day / 24) for n in range(8)]
    put_batch(spark, shop, "batch=shop-000000", *rows, *looks)
    cut = TIMES.end - 6 * day
    learnt = LearntFrom(start=str(TIMES.start), cut=cut.isoformat(), as_of="", batches=())
    point(shop, published(data=learnt))
    monkeypatch.setenv("CATWALK_HOLDOUT_USERS", "3")
    monkeypatch.setenv("CATWALK_MOST_EVENTS_PER_DAY", "7")
    job.main(["--run", RUN, "--as-of", TIMES.end.isoformat()])
    facts = shop.lake.manifest("interactions", RUN)
    assert facts["holdout"] == {
        "users": 2,
        "wanted_users": 3,
        "days": 5,
        "limited_by": "champion",
    }
    assert datetime.fromisoformat(facts["cut"]) == TIMES.end - 5 * day
    assert facts["left_out_users"] == {"users": 1, "events": 8}
    for table in ("interactions", "history"):
        users = shop.lake.dataset(table, RUN).to_table()["user_key"].unique().to_pylist()
        assert sorted(users) == ["u0", "u1", "u2", "zoe"]


def test_the_future_is_refused(shop: Storage) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(InputError, match=r"lies in the future.*Leave it empty"):
        job.main(["--run", RUN, "--as-of", tomorrow.isoformat()])
    assert shop.lake.partitions("interactions") == []


def test_a_table_without_rows_is_an_error_and_stays_hidden(spark: Any, shop: Storage) -> None:
    land_items(shop)
    with pytest.raises(InputError, match="The table interactions of run=test has no row"):
        job.main(["--run", RUN, "--as-of", TIMES.end.isoformat()])
    assert shop.lake.partitions("interactions") == []


def put_batch(
    spark: Any,
    shop: Storage,
    batch: str,
    *rows: tuple[str, str, str, datetime],
    decision: str = "accepted",
) -> None:
    events(spark, *rows).write.parquet(shop.lake.begin("events", batch))
    shop.lake.commit("events", batch, {"rows": len(rows)})
    decide(shop, batch, BatchDecision.model_validate({"decision": decision, "by": "anna"}))


def land_items(shop: Storage) -> None:
    folder = Path(shop.landing) / "items/shop"
    folder.mkdir(parents=True)
    row = {"item_id": "i1", "has_picture": True, "in_stock": True, "price": 9.5}
    line = json.dumps({**row, "updated_at": "2026-11-01T00:00:00Z"})
    (folder / "one.jsonl").write_text(line + "\n")
