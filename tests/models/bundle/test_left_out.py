"""A bundle leaves out what `home` leaves out, and one of an earlier version what it always did."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from infra.errors import BundleError, InputError
from infra.placements import ListRule
from infra.places import bundle_key
from infra.storage import Storage
from infra.stores.digests import write_manifest
from infra.stores.object_store import MANIFEST
from models.bundle.bundle import load_recommender, open_bundle
from models.bundle.check_serving import check
from models.bundle.left_out import LeftOut, read_left_out
from tests.models.conftest import (
    AS_OF,
    RUN,
    Row,
    WriteRun,
    interaction,
    item,
    prepare_bundle,
    tastes,
)

DAY = timedelta(days=1)
ITEMS = np.array(["a", "b", "ü"])
ASKED = np.array(["nobody", "ü", "anna", "bea", "anna"])


def seen(user: str, name: str) -> Row:
    return {**interaction(user, name), "bought_time": None}


def bought(user: str, name: str, days: float, part: str = "train") -> Row:
    return {**interaction(user, name, part), "bought_time": AS_OF - days * DAY}


PAIRS = [
    bought("anna", "ü", 30),
    bought("anna", "a", 31),
    bought("anna", "b", 1, "holdout"),
    seen("anna", "b"),
    seen("bea", "a"),
    bought("ü", "a", 0),
    bought("ü", "gone", 2),
]
LEFT_OUT = {
    ListRule("nothing"): [[], [], [], [], []],
    ListRule("bought", 30): [[], ["a"], ["b", "ü"], [], ["b", "ü"]],
    ListRule("seen"): [[], ["a"], ["a", "b", "ü"], ["a"], ["a", "b", "ü"]],
}


@pytest.mark.parametrize("rule", LEFT_OUT, ids=str)
def test_users_are_found_by_their_key_and_items_by_theirs(
    rule: ListRule, shop: Storage, write_run: WriteRun, tmp_path: Path
) -> None:
    write_run(PAIRS, [item(name) for name in ITEMS])
    read_left_out(shop, RUN, rule, ITEMS).save(tmp_path)
    rows = LeftOut.load(tmp_path, len(ITEMS)).of(ASKED)
    assert rows.shape == (5, 3)
    assert [ITEMS[rows[n].indices].tolist() for n in range(5)] == LEFT_OUT[rule]


@pytest.mark.parametrize(
    ("starts", "items"), [([0, 2], [0]), ([1, 1], [0]), ([0, 1], [3]), ([0, 1], [-1]), ([0], [])]
)
def test_a_file_that_does_not_fit_is_refused(
    starts: list[int], items: list[int], tmp_path: Path
) -> None:
    LeftOut(np.array([b"anna"]), np.array(starts), np.array(items, np.int32), 3).save(tmp_path)
    with pytest.raises(BundleError, match="does not fit the items of its bundle"):
        LeftOut.load(tmp_path, 3)


def test_a_bundle_answers_as_its_lists_do(shop: Storage, write_run: WriteRun) -> None:
    pairs, items = tastes()
    for number, pair in enumerate(pairs):
        pair["bought_time"] = AS_OF - DAY if number % 8 else None
    prepare_bundle(shop, write_run(pairs, items))
    folder = Path(shop.lake.address(bundle_key(RUN)))
    asked = np.array(["user000", "user001", "nobody"])
    bundle = open_bundle(folder)
    answer = bundle.recommend(asked, 40)
    for row, user in enumerate(asked):
        shown, own = set(answer.item_ids(row)), [pair for pair in pairs if pair["user_key"] == user]
        mine = {pair["item_id"] for pair in own if pair["bought_time"]}
        assert not mine & shown
        only_seen = {pair["item_id"] for pair in own} - mine
        available = {item["item_id"] for item in items if item["has_picture"] and item["in_stock"]}
        assert only_seen & available <= shown
    assert check(folder)["agreement"] == 1
    LeftOut(np.array([], np.bytes_), np.array([0]), np.array([], np.int32), 40).save(folder)
    write_manifest(folder, json.loads((folder / MANIFEST).read_bytes())["facts"])
    with pytest.raises(BundleError, match="of the ready lists are what the model answers"):
        check(folder)


def test_a_bundle_of_an_earlier_version_leaves_out_what_its_model_knows(
    shop: Storage, write_run: WriteRun
) -> None:
    prepare_bundle(shop, write_run())
    folder = Path(shop.lake.address(bundle_key(RUN)))
    (folder / LeftOut.FILE).unlink()
    facts = json.loads((folder / MANIFEST).read_bytes())["facts"]
    write_manifest(folder, facts)
    asked = np.array(["user000", "nobody"])
    direct = load_recommender(folder / "model").recommend(asked, 5)
    assert np.array_equal(open_bundle(folder).recommend(asked, 5).items, direct.items)


def test_tables_of_before_do_not_say_what_was_bought(shop: Storage, write_run: WriteRun) -> None:
    import pyarrow.parquet as pq

    write_run(PAIRS, [item(name) for name in ITEMS])
    for file in Path(shop.lake.address("interactions", RUN)).glob("*.parquet"):
        pq.write_table(pq.read_table(file, partitioning=None).drop_columns("bought_time"), file)
    with pytest.raises(InputError, match="lack bought_time"):
        read_left_out(shop, RUN, ListRule("bought", 30), ITEMS)
