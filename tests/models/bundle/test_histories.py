"""Histories say what each rule leaves out, and which items are a customer's own."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from infra.errors import BundleError
from infra.placements import ListRule
from infra.places import bundle_key
from infra.storage import Storage
from infra.stores.digests import write_manifest
from infra.stores.object_store import MANIFEST
from models.bundle.bundle import load_recommender, open_bundle
from models.bundle.check_serving import check
from models.bundle.histories import Histories, read_histories
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


def seen(user: str, name: str, weight: float = 1.0) -> Row:
    return {**interaction(user, name, weight=weight), "bought_time": None}


def bought(user: str, name: str, days: float, weight: float = 1.0) -> Row:
    return {**interaction(user, name, weight=weight), "bought_time": AS_OF - days * DAY}


PAIRS = [
    bought("anna", "ü", 30, 2),
    bought("anna", "a", 31, 2),
    bought("anna", "b", 1, 3),
    seen("bea", "b"),
    seen("bea", "a", 2),
    bought("bea", "ü", 3, 0),  # and sent back
    bought("ü", "a", 0),
    bought("ü", "gone", 2),
    seen("zoe", "gone"),
]
LEFT_OUT = {
    ListRule("nothing"): [[], [], [], [], []],
    ListRule("bought", 30): [[], ["a"], ["b", "ü"], ["ü"], ["b", "ü"]],
    ListRule("seen"): [[], ["a"], ["a", "b", "ü"], ["a", "b", "ü"], ["a", "b", "ü"]],
}


@pytest.fixture
def histories(shop: Storage, write_run: WriteRun, tmp_path: Path) -> Histories:
    write_run(PAIRS, [item(str(name)) for name in ITEMS])
    read_histories(shop, RUN, ITEMS).save(tmp_path)
    return Histories.load(tmp_path, len(ITEMS))


def test_users_have_their_items_the_most_wanted_first(histories: Histories) -> None:
    assert histories.users.tolist() == [b"anna", b"bea", "ü".encode()], "zoe has no item that is"
    assert histories.starts.tolist() == [0, 3, 6, 7]
    assert ITEMS[histories.items].tolist() == ["b", "a", "ü", "a", "b", "ü", "a"], "equal ones: id"
    assert histories.weights.tolist() == [3, 2, 2, 2, 1, 0, 1]
    times = [AS_OF.timestamp() - 86400 * days for days in (1, 31, 30)]
    assert histories.bought_at[:5].tolist() == [*times, 0, 0]


@pytest.mark.parametrize("rule", LEFT_OUT, ids=str)
def test_what_a_rule_leaves_out_of_the_lists_of_users(rule: ListRule, histories: Histories) -> None:
    rows = histories.left_out(ASKED, rule, AS_OF)
    assert rows.shape == (5, 3)
    assert [sorted(ITEMS[rows[n].indices]) for n in range(5)] == LEFT_OUT[rule]
    one_by_one = [histories.of(user).left_out(rule, AS_OF) for user in ASKED.tolist()]
    assert [sorted(ITEMS[places]) for places in one_by_one] == LEFT_OUT[rule]


@pytest.mark.parametrize(
    ("user", "again", "looked_at"),
    [
        ("anna", [("b", 3), ("a", 2), ("ü", 2)], []),
        ("bea", [], [("a", 2), ("b", 1)]),
        ("ü", [("a", 1)], []),
        ("nobody", [], []),
    ],
)
def test_what_is_a_users_own(
    histories: Histories, user: str, again: list[object], looked_at: list[object]
) -> None:
    for answers, wanted in (("again", again), ("looked_at", looked_at)):
        places, weights = histories.of(user).own(answers)
        assert list(zip(ITEMS[places], weights, strict=True)) == wanted


@pytest.mark.parametrize(
    "change",
    [
        {"starts": np.array([0, 2])},
        {"starts": np.array([1, 1])},
        {"starts": np.array([0, 0])},
        {"items": np.array([3], np.int32)},
        {"items": np.array([-1], np.int32)},
        {"items": np.array([], np.int32)},
        {"weights": np.array([1, 1], np.float32)},
        {"bought_at": np.array([])},
    ],
    ids=str,
)
def test_a_file_that_does_not_fit_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    floats, whole = np.array([1], np.float32), np.array([0], np.int32)
    sound = Histories(np.array([b"anna"]), np.array([0, 1]), whole, floats, np.array([0]), 3)
    sound.save(tmp_path)
    Histories.load(tmp_path, 3)
    replace(sound, **change).save(tmp_path)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match="does not fit the items of its bundle"):
        Histories.load(tmp_path, 3)


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
    none, empty = np.array([], np.int32), np.array([], np.float32)
    users = np.array([], np.bytes_)
    Histories(users, np.array([0]), none, empty, none.astype(np.int64), 40).save(folder)
    write_manifest(folder, json.loads((folder / MANIFEST).read_bytes())["facts"])
    with pytest.raises(BundleError, match="of the ready lists are what the model answers"):
        check(folder)


def test_a_bundle_of_an_earlier_version_leaves_out_what_its_model_knows(
    shop: Storage, write_run: WriteRun
) -> None:
    prepare_bundle(shop, write_run())
    folder = Path(shop.lake.address(bundle_key(RUN)))
    (folder / Histories.FILE).unlink()
    facts = json.loads((folder / MANIFEST).read_bytes())["facts"]
    write_manifest(folder, facts)
    asked = np.array(["user000", "nobody"])
    direct = load_recommender(folder / "model").recommend(asked, 5)
    assert np.array_equal(open_bundle(folder).recommend(asked, 5).items, direct.items)
