"""Weights halve with age, time never leaks across the cut, items are those of then."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.errors import InputError, SettingsError
from infra.ledger.batches import decide
from infra.records.gates import BatchDecision
from infra.schemas import EVENTS
from infra.storage import Storage
from jobs import build_interactions as job

RUN = "run=test"
CUT = datetime(2026, 11, 20, tzinfo=UTC)
TIMES = job.Times(CUT - timedelta(days=30), CUT, CUT + timedelta(days=3))
WEIGHTS = {"view": 1.0, "purchase": 5.0, "return": -5.0, "impression": 0.0}


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


def pairs(spark: Any, *rows: tuple[str, str, str, datetime]) -> dict[tuple[str, str, str], float]:
    frame = (
        events(spark, *rows)
        .transform(job.inside, TIMES)
        .transform(job.split_at, CUT)
        .transform(job.weigh, WEIGHTS, TIMES, 10.0)
        .transform(job.add_up)
    )
    return {
        (r["user_key"], r["item_id"], r["part"]): round(r["weight"], 4) for r in frame.collect()
    }


def test_weights_add_up_and_halve_with_age(spark: Any) -> None:
    found = pairs(
        spark,
        ("anna", "i1", "view", CUT - timedelta(days=10)),
        ("anna", "i1", "purchase", CUT - timedelta(days=20)),
    )
    assert found == {("anna", "i1", "train"): 0.5 + 5 * 0.25}


def test_the_cut_divides_and_the_window_ends(spark: Any) -> None:
    found = pairs(
        spark,
        ("anna", "before", "view", CUT - timedelta(seconds=1)),
        ("anna", "at", "view", CUT),
        ("anna", "end", "view", TIMES.end),
        ("anna", "old", "view", TIMES.start - timedelta(seconds=1)),
    )
    assert set(found) == {("anna", "before", "train"), ("anna", "at", "holdout")}


def test_a_later_event_never_changes_a_train_weight(spark: Any) -> None:
    before = ("anna", "i1", "view", CUT - timedelta(days=1))
    alone = pairs(spark, before)[("anna", "i1", "train")]
    later = pairs(spark, before, ("anna", "i1", "purchase", CUT + timedelta(days=1)))
    assert later[("anna", "i1", "train")] == alone


def test_what_was_taken_back_or_only_shown_is_no_interest(spark: Any) -> None:
    time = CUT - timedelta(days=1)
    found = pairs(
        spark,
        ("anna", "returned", "purchase", time),
        ("anna", "returned", "return", time),
        ("anna", "shown", "impression", time),
    )
    assert found == {}


def test_items_are_those_known_at_a_time(spark: Any) -> None:
    ddl = job.ITEMS.ddl
    rows = [
        ("i1", "old", None, None, None, 1.0, True, True, CUT - timedelta(days=2)),
        ("i1", "then", None, None, None, 2.0, True, True, CUT - timedelta(days=1)),
        ("i1", "later", None, None, None, 3.0, True, False, CUT),
        ("i2", "new", None, None, None, 3.0, True, True, CUT + timedelta(days=1)),
    ]
    known = job.as_known_at(spark.createDataFrame(rows, ddl), CUT).collect()
    assert [(row["item_id"], row["title"]) for row in known] == [("i1", "then")]


def test_weights_name_every_event_type(tmp_path: Path) -> None:
    assert set(job.load_weights()) == set(job.EVENT_TYPES)
    file = tmp_path / "weights.yaml"
    file.write_text('view: {weight: 1, why: "unit"}\n')
    with pytest.raises(SettingsError, match="is unknown or missing"):
        job.load_weights(file)


def test_only_accepted_batches_are_used(spark: Any, shop: Storage) -> None:
    land_items(shop)
    for batch, decision in (("batch=shop-000000", "accepted"), ("batch=shop-000001", "stopped")):
        frame = events(spark, ("anna", batch, "view", CUT - timedelta(days=1)))
        frame.write.parquet(shop.lake.begin("events", batch))
        shop.lake.commit("events", batch, {"rows": 1})
        decide(shop, batch, BatchDecision.model_validate({"decision": decision, "by": "anna"}))
    job.main(["--run", RUN, "--as-of", TIMES.end.isoformat()])
    table = shop.lake.dataset("interactions", RUN).to_table().to_pylist()
    assert [row["item_id"] for row in table] == ["batch=shop-000000"]
    assert shop.lake.manifest("interactions", RUN)["batches"] == ["batch=shop-000000"]
    history = shop.lake.dataset("history", RUN).to_table().to_pylist()
    assert [(row["item_id"], row["part"]) for row in history] == [("batch=shop-000000", "train")]
    three_days_older = 0.5 ** (3 / shop.settings.half_life_days)
    assert history[0]["weight"] == pytest.approx(table[0]["weight"] * three_days_older, rel=1e-5)
    said = shop.lake.manifest("history", RUN)
    assert datetime.fromisoformat(said["cut"]) == TIMES.end


def test_a_table_without_rows_is_an_error_and_stays_hidden(spark: Any, shop: Storage) -> None:
    land_items(shop)
    with pytest.raises(InputError, match="The table interactions of run=test has no row"):
        job.main(["--run", RUN, "--as-of", TIMES.end.isoformat()])
    assert shop.lake.partitions("interactions") == []


def land_items(shop: Storage) -> None:
    folder = Path(shop.landing) / "items/shop"
    folder.mkdir(parents=True)
    row = {"item_id": "i1", "has_picture": True, "in_stock": True, "price": 9.5}
    line = json.dumps({**row, "updated_at": "2026-11-01T00:00:00Z"})
    (folder / "one.jsonl").write_text(line + "\n")
