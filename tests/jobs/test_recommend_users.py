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

from infra.placements import ListRule
from infra.settings import load_settings
from infra.storage import Storage
from infra.stores.digests import write_manifest
from infra.stores.object_store import MANIFEST
from jobs.recommend_users import recommend
from models.bundle.histories import read_histories
from models.bundle.served_items import read_served_items
from models.recommender import ItemIds
from models.recommenders.popularity import Popularity
from models.recommenders.todays_model import TodaysModel
from tests.models.conftest import (
    AS_OF,
    INTERACTION_TYPES,
    ITEM_TYPES,
    RUN,
    Row,
    arrays,
    tastes,
    whole,
)

MODEL = "popularity"


def load(folder: Path, shown: ItemIds) -> TodaysModel:
    """Load the model as `models.bundle.bundle:load_todays` does, which asks for a `fit.json`."""
    return TodaysModel(Popularity.load(folder), shown, np.ones(len(shown), dtype=np.bool_))


def write_shop(shop: Storage) -> tuple[list[Row], str]:
    """Write the tables and the model of a run; return the pairs and an item sold out since."""
    pairs, items = tastes(users=8, items=20)
    for number, row in enumerate(pairs):  # bought on each of the last 40 days, the hold-out too
        row["bought_time"] = AS_OF - timedelta(days=number % 40) if number % 3 else None
        row["weight"] = (0.0, 1.0, 2.5)[number % 7 % 3]  # nothing is left of what was sent back
    pairs[1]["weight"] = 0.0
    train, features = arrays([{**pair, "weight": 1.0} for pair in pairs], items)
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
        ("history", whole(pairs), INTERACTION_TYPES),
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
    personal = sorted((name, user) for name in ("home", "newsletter") for user in users)
    own = sorted(set(given) - set(personal))
    assert sorted(personal + own) == given and {name for name, _ in own} == {"again", "retargeting"}
    assert all(row["item_ids"] and sold_out not in row["item_ids"] for row in rows)
    assert all(len(set(row["item_ids"])) == len(row["scores"]) for row in rows)
    said = shop.lake.manifest("recommendations", RUN)
    manifest = Path(shop.lake.address("candidates", RUN, MODEL), MANIFEST).read_bytes()
    assert said["model_manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    assert (said["model"], said["rows"]) == (MODEL, len(given))
    assert before <= datetime.fromisoformat(said["written_at"]) <= datetime.now(UTC)


RULES: dict[str, dict[str, Any]] = {
    "home": {"length": 6, "leave_out": "bought", "within_days": 20},
    "newsletter": {"length": 3, "leave_out": "seen"},
    "app": {"length": 4, "leave_out": "seen"},
    "kitchen": {"length": 20, "leave_out": "nothing"},
    "page": {"length": 20, "leave_out": "nothing", "answers": "similar"},
    "shelf": {"length": 20, "leave_out": "nothing", "within": "category"},
    "fridge": {"length": 3, "leave_out": "bought", "within_days": 20, "answers": "again"},
    "larder": {"length": 20, "leave_out": "nothing", "answers": "again"},
    "mail": {"length": 2, "leave_out": "nothing", "answers": "looked_at"},
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
    own = {name: rule for name, rule in RULES.items() if name in ("fridge", "larder", "mail")}
    of_users = {key: ids for key, ids in lists.items() if key[0] not in own}
    assert len(of_users) == 4 * 8, "no list where more of a question is needed"
    since = AS_OF - timedelta(days=20)
    for (placement, user), ids in of_users.items():
        mine = [row for row in pairs if row["user_key"] == user]
        late = [row for row in mine if row["bought_time"] and row["bought_time"] >= since]
        left_out = {"home": late, "kitchen": []}.get(placement, mine)
        hidden = {row["item_id"] for row in left_out} | {sold_out}
        wanted = [item for item in best[user] if item not in hidden]
        assert ids == wanted[: RULES[placement]["length"]], (placement, user)
    assert {key: ids for key, ids in lists.items() if key[0] in own} == own_lists_of_the_bundle(
        shop, own, sold_out, since
    )


def own_lists_of_the_bundle(
    shop: Storage, own: dict[str, dict[str, Any]], sold_out: str, since: datetime
) -> dict[tuple[str, str], list[str]]:
    """Return the own items of every user as a server looks them up, without empty lists."""
    served = read_served_items(shop, RUN, as_of_now=True)
    histories = read_histories(shop, RUN, served.ids)
    assert not served.recommendable[served.ids == sold_out].any()
    wanted: dict[tuple[str, str], list[str]] = {}
    for name, rule in own.items():
        for user in histories.users.astype(str):
            places, weights = histories.of(user).own(rule["answers"])
            assert (np.diff(weights) <= 0).all() and (weights > 0).all()
            hidden = ListRule(rule["leave_out"], rule.get("within_days", 0))
            left_out = histories.left_out(np.array([user]), hidden, AS_OF).indices
            ids = served.ids[places[served.recommendable[places] & ~np.isin(places, left_out)]]
            if len(ids):
                wanted[name, str(user)] = ids[: rule["length"]].tolist()
    assert len({name for name, _ in wanted}) == 3 and any(len(ids) == 3 for ids in wanted.values())
    return wanted


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
