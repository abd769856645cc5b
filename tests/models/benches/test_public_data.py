"""The benchmarks read their data as the pipeline would, and say what is missing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.errors import InputError
from infra.placements import ListRule
from infra.settings import load_settings
from models.benches import quality as bench_quality
from models.benches.bench_settings import bench_settings
from models.benches.public_data import crossvalidated, data_folder, online_retail
from models.data.holdout import select

HEAD = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def write(file: Path, rows: Sequence[Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    file.write_bytes(gzip.compress("\n".join(lines).encode()))


def test_crossvalidated_keeps_the_published_split(tmp_path: Path) -> None:
    pairs = [("u", "1", "train"), ("v", "2", "train"), ("u", "2", "test"), ("v", "3", "excluded")]
    time = "2010-01-01T00:00:00Z"
    events = [
        {"event_id": f"e{number}", "user_id": user, "item_id": name, "timestamp": time}
        for number, (user, name, _) in enumerate(pairs)
    ]
    write(tmp_path / "events.jsonl.gz", events)
    parts = [
        {"event_id": f"e{number}", "lightfm": part} for number, (_, _, part) in enumerate(pairs)
    ]
    write(tmp_path / "splits.jsonl.gz", parts)
    tags = [{"item_id": name, "tags": ["r", name]} for name in "123"]
    write(tmp_path / "items.jsonl.gz", tags)
    tables = crossvalidated(tmp_path)
    assert tables.train.weights.toarray().tolist() == [[1, 0, 0], [0, 1, 0]]
    assert tables.items.names == ("tag=1", "tag=2", "tag=3", "tag=r")
    assert tables.items.matrix[2].toarray().tolist() == [[0, 0, 1, 1]]
    assert select(tables, ListRule("seen")).users.tolist() == ["u"]


def test_the_best_is_what_a_candidate_reaches_as_the_file_has_it() -> None:
    found = {"popularity": 0.3, "lightfm_hybrid": 0.5, "lightfm_tags": 0.6}
    assert bench_quality.best_of_candidates({**found, "hybrid": 0.7, "by hand": 0.9}) == 0.6


def test_online_retail_is_read_cleanly(tmp_path: Path) -> None:
    lines = [
        "1,10001,RED MUG,2,2011-01-01 10:00:00,1.5,17850.0,United Kingdom",
        "1,10002A,BLUE MUG,2,2011-01-01 10:00:00,1.5,17851,United Kingdom",
        "1,POST,POSTAGE,1,2011-01-01 10:00:00,1.5,17850,United Kingdom",
        "C2,10001,RED MUG,-2,2011-01-02 10:00:00,1.5,17850,United Kingdom",
        "3,10001,RED MUG,2,2011-01-03 10:00:00,1.5,,United Kingdom",
        "4,10003,FREE MUG,2,2011-01-03 10:00:00,0,17850,United Kingdom",
        "5,10002A,BLUE MUG,2,2011-02-01 10:00:00,1.5,17850,United Kingdom",
    ]
    write(tmp_path / "2011-01-01.csv.gz", [HEAD, *lines])
    tables = online_retail(tmp_path)
    assert tables.train.users.tolist() == ["17850", "17851"]
    assert tables.items.items.tolist() == ["10001", "10002A"]
    assert tables.items.titles is not None and tables.items.titles[0] == "RED MUG"
    judged = select(tables, ListRule("nothing"))
    assert judged.users.tolist() == ["17850"] and judged.wanted.indices.tolist() == [1]


def test_missing_data_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="Give its folder"):
        data_folder(str(tmp_path))
    assert bench_quality.main([str(tmp_path)]) == 1
    assert "There is no crossvalidated data" in capsys.readouterr().err


def test_it_is_red_where_no_model_beats_popularity() -> None:
    unsure = {"popularity": {"ndcg_at_10": 0.05}, "a": {"above_popularity": [-0.01, 0.03]}}
    assert not bench_quality._beaten(unsure)
    assert bench_quality._beaten({**unsure, "b": {"above_popularity": [0.01, 0.03]}})


def test_a_clone_without_any_setting_can_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CATWALK_HOME", "CATWALK_USER_KEY_SECRET"):
        monkeypatch.setenv(name, "")  # so that what is set below is undone
        monkeypatch.delenv(name)
    assert bench_settings() == load_settings(), "the Spark candidate reads them again"
