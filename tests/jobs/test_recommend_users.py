"""Every user gets a list of what can be shown now, and the lists say which model made them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.settings import load_settings
from infra.storage import Storage
from infra.stores.digests import write_manifest
from infra.stores.object_store import MANIFEST
from jobs.recommend_users import recommend
from models.recommender import ItemIds
from models.recommenders.popularity import Popularity
from models.recommenders.todays_model import TodaysModel
from tests.models.conftest import AS_OF, INTERACTION_TYPES, ITEM_TYPES, RUN, Row, arrays, tastes

MODEL = "popularity"


def load(folder: Path, shown: ItemIds) -> TodaysModel:
    """Load the model as `models.bundle.bundle:load_todays` does, which asks for a `fit.json`."""
    return TodaysModel(Popularity.load(folder), shown, np.ones(len(shown), dtype=np.bool_))


def write_shop(shop: Storage) -> tuple[list[Row], str]:
    """Write the tables and the model of a run; return the pairs and an item sold out since."""
    pairs, items = tastes(users=8, items=20)
    for number, row in enumerate(pairs):  # bought on each of the last 40 days, the hold-out too
        row["bought_time"] = AS_OF - timedelta(days=number % 40)
    train, features = arrays(pairs, items)
    model = Popularity().fit(train, features)
    folder = Path(shop.lake.address("candidates", RUN, MODEL))
    folder.mkdir(parents=True)
    model.save(folder)
    write_manifest(folder, {"candidate": MODEL, "run": RUN})
    sold_out = model.recommend(train.users[:1], 1).item_ids(0)[0]
    now = [{**row, "in_stock": row["in_stock"] and row["item_id"] != sold_out} for row in items]
    for table, rows, types in (
        ("interactions", pairs, INTERACTION_TYPES),
        ("items", items, ITEM_TYPES),
        ("catalogue", now, ITEM_TYPES),
    ):
        place = Path(shop.lake.begin(table, RUN))
        place.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, types), place / "part-00000.parquet")
        shop.lake.commit(table, RUN, {"rows": len(rows), "as_of": AS_OF.isoformat()})
    return pairs, sold_out


def test_the_lists_name_the_model_that_made_them(spark: Any, shop: Storage) -> None:
    pairs, sold_out = write_shop(shop)
    users = {row["user_key"] for row in pairs}
    before = datetime.now(UTC)
    recommend(spark, shop, RUN, MODEL, f"candidates/{RUN}/{MODEL}", f"{__name__}:load")
    rows = shop.lake.dataset("recommendations", RUN).to_table().to_pylist()
    given = sorted((row["placement"], row["user_key"]) for row in rows)
    assert given == sorted((name, user) for name in ("home", "newsletter") for user in users)
    assert all(row["item_ids"] and sold_out not in row["item_ids"] for row in rows)
    assert all(len(set(row["item_ids"])) == len(row["scores"]) for row in rows)
    said = shop.lake.manifest("recommendations", RUN)
    manifest = Path(shop.lake.address("candidates", RUN, MODEL), MANIFEST).read_bytes()
    assert said["model_manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    assert (said["model"], said["rows"]) == (MODEL, 2 * len(users))
    assert before <= datetime.fromisoformat(said["written_at"]) <= datetime.now(UTC)


RULES: dict[str, dict[str, Any]] = {
    "home": {"length": 6, "leave_out": "bought", "within_days": 20},
    "newsletter": {"length": 3, "leave_out": "seen"},
    "app": {"length": 4, "leave_out": "seen"},
    "kitchen": {"length": 20, "leave_out": "nothing"},
}


def test_each_placement_leaves_out_what_its_rule_says(
    spark: Any, shop: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, sold_out = write_shop(shop)
    file = tmp_path / "placements.yaml"
    placements = {name: {"answers": "personal", "why": "x", **rule} for name, rule in RULES.items()}
    file.write_text(json.dumps({"success": ["purchase"], "placements": placements}))
    monkeypatch.setenv("CATWALK_PLACEMENTS", str(file))
    recommend(
        spark, Storage(load_settings()), RUN, MODEL, f"candidates/{RUN}/{MODEL}", f"{__name__}:load"
    )
    model = Popularity.load(Path(shop.lake.address("candidates", RUN, MODEL)))
    everybody = np.array(sorted({row["user_key"] for row in pairs}))
    ranked = model.recommend(everybody, 20, exclude_seen=False)
    best = {str(user): ranked.item_ids(place) for place, user in enumerate(everybody)}
    lists = {
        (row["placement"], row["user_key"]): row["item_ids"]
        for row in shop.lake.dataset("recommendations", RUN).to_table().to_pylist()
    }
    assert len(lists) == len(RULES) * 8
    for (placement, user), ids in lists.items():
        mine = [row for row in pairs if row["user_key"] == user]
        late = [row for row in mine if row["bought_time"] >= AS_OF - timedelta(days=20)]
        left_out = {"home": late, "kitchen": []}.get(placement, mine)
        hidden = {row["item_id"] for row in left_out} | {sold_out}
        wanted = [item for item in best[user] if item not in hidden]
        assert ids == wanted[: RULES[placement]["length"]], (placement, user)


def test_nothing_is_asked_of_executors_once_the_model_is_gone(
    spark: Any, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does its first task then would ask for the model in vain, and the job would end."""
    jobs = spark.sparkContext.statusTracker().getJobIdsForGroup
    before: list[set[int]] = []
    scratch = shop.scratch

    @contextmanager
    def watched() -> Iterator[Path]:
        with scratch() as folder:
            yield folder
        before.append(set(jobs()))

    monkeypatch.setattr(shop, "scratch", watched)
    write_shop(shop)
    recommend(spark, shop, RUN, MODEL, f"candidates/{RUN}/{MODEL}", f"{__name__}:load")
    assert len(before) == 1 and before[0] == set(jobs())
