"""A bundle proves itself: one changed byte anywhere, and it is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.errors import BundleError, ReleaseError, SettingsError
from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.places import bundle_key
from infra.settings import load_settings
from infra.storage import Storage
from infra.stores.digests import verified, write_manifest
from infra.stores.local_store import LocalStore
from infra.stores.object_store import MANIFEST
from models.bundle.build_bundle import build_bundle
from models.bundle.bundle import load_recommender, open_bundle
from models.bundle.check_serving import check, check_serving
from models.bundle.lists import Lists
from models.bundle.refit_winner import refit_winner
from models.bundle.served_items import LATER
from models.bundle_layout import STRANGER
from models.evaluation.evaluate import evaluate
from models.publishing.publish import publish
from models.recommender import NONE
from models.release.judge_release import judge_release
from tests.conftest import REPOSITORY
from tests.models.conftest import (
    RUN,
    WINNER,
    WriteRun,
    item,
    prepare_bundle,
    tastes,
    train_otherwise,
    write_lists,
)

Harm = Callable[[Path], None]


@pytest.fixture
def folder(shop: Storage, write_run: WriteRun) -> Path:
    prepare_bundle(shop, write_run())
    return Path(shop.lake.address(bundle_key(RUN)))


def link_folder(folder: Path) -> None:
    shutil.move(folder / "model", folder.parent / "elsewhere")
    (folder / "model").symlink_to(folder.parent / "elsewhere")


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content))


def move_out(folder: Path) -> None:
    (folder.parent / "outside.json").write_bytes((folder / "card.json").read_bytes())
    name = "../outside.json"
    edit_manifest(
        folder, lambda content: content["files"].update({name: content["files"]["card.json"]})
    )


def link(folder: Path) -> None:
    target = folder.parent / "outside.json"
    shutil.move(folder / "card.json", target)
    (folder / "card.json").symlink_to(target)


def pipe(folder: Path) -> None:
    (folder / "card.json").unlink()
    os.mkfifo(folder / "card.json")


def pipe_for_a_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    os.mkfifo(folder / MANIFEST)


def named(name: str) -> Harm:
    """Let the manifest name a file differently; the file itself stands there as well."""

    def harm(folder: Path) -> None:
        (folder / "a").mkdir()
        shutil.copyfile(folder / "card.json", folder.parent / "card.json")
        edit_manifest(
            folder, lambda content: content["files"].update({name: content["files"]["card.json"]})
        )

    return harm


def truncate(name: str) -> Harm:
    def harm(folder: Path) -> None:
        os.truncate(folder / name, (folder / name).stat().st_size // 2)

    return harm


def swap(first: str, second: str) -> Harm:
    """Let two files of the bundle change places."""

    def harm(folder: Path) -> None:
        (folder / first).rename(folder / "aside")
        (folder / second).rename(folder / first)
        (folder / "aside").rename(folder / second)

    return harm


HARMS: dict[str, tuple[Harm, str]] = {
    "file missing": (lambda folder: (folder / "card.json").unlink(), "card.json is missing"),
    "file extra": (lambda folder: (folder / "x.py").write_text("x") and None, "x.py is not in its"),
    "hidden extra": (lambda folder: (folder / "model/.x").write_text("x") and None, "not in its"),
    "manifest missing": (lambda folder: (folder / MANIFEST).unlink(), "cannot be read"),
    "manifest cut": (lambda folder: (folder / MANIFEST).write_text("{") and None, "cannot be read"),
    "manifest a list": (lambda folder: (folder / MANIFEST).write_text("[]") and None, "format"),
    "manifest huge": (
        lambda folder: (folder / MANIFEST).write_text(" " * 5_000_000) and None,
        "larger",
    ),
    "format version": (
        lambda folder: edit_manifest(folder, lambda content: content.update(format_version=2)),
        "format version 2",
    ),
    "no format version": (
        lambda folder: edit_manifest(folder, lambda content: content.pop("format_version")),
        "format version None",
    ),
    "unknown key": (
        lambda folder: edit_manifest(folder, lambda content: content.update(signed=True)),
        "unknown key 'signed'",
    ),
    "no digest": (
        lambda folder: edit_manifest(
            folder, lambda content: content["files"]["card.json"].update(sha256="")
        ),
        "is no manifest",
    ),
    "outside": (move_out, "outside the folder"),
    "absolute": (named("/etc/hostname"), "outside the folder"),
    "backslash": (named("..\\card.json"), "outside the folder"),
    "back and forth": (named("a/../card.json"), "outside the folder"),
    "up and back": (named("../RUN/card.json"), "outside the folder"),
    "link": (link, "is a link"),
    "link to a folder": (link_folder, "is a link"),
    "pipe": (pipe, "is no plain file"),
    "pipe for a manifest": (pipe_for_a_manifest, "is no plain file"),
    "model cut": (truncate("model/neighbours.npz"), "was changed"),
    "card cut": (truncate("card.json"), "was changed"),
    "items empty": (lambda folder: os.truncate(folder / "items.npz", 0), "was changed"),
    "swapped": (swap("items.npz", "model/neighbours.npz"), "was changed"),
    "models swapped": (swap("model/fit.json", "judged/fit.json"), "was changed"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_harm_is_seen(folder: Path, harm: str) -> None:
    do_harm, said = HARMS[harm]
    do_harm(folder)
    with pytest.raises(BundleError, match=said):
        open_bundle(folder)


def test_every_byte_counts(folder: Path) -> None:
    for name in verified(folder).files:
        content = (folder / name).read_bytes()
        for place in (0, len(content) // 2, len(content) - 1):
            changed = bytearray(content)
            changed[place] ^= 1
            (folder / name).write_bytes(changed)
            with pytest.raises(BundleError, match="was changed"):
                open_bundle(folder)
        (folder / name).write_bytes(content)
    open_bundle(folder)


def test_oversized_files(folder: Path) -> None:
    with pytest.raises(BundleError, match="1000 are allowed"):
        open_bundle(folder, max_file_bytes=1000)


def test_wrong_content_under_a_right_manifest(folder: Path) -> None:
    items = folder / "items.npz"
    with np.load(items) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    np.savez(items, **{**content, "prices": content["prices"][:-1]})
    write_manifest(folder, {})
    with pytest.raises(BundleError, match="unequal length"):
        open_bundle(folder)
    np.savez(items, **{**content, "titles": content["titles"].astype(object)})
    write_manifest(folder, {})
    with pytest.raises(BundleError, match="allow_pickle"):
        open_bundle(folder)
    items.unlink()
    write_manifest(folder, {})
    with pytest.raises(BundleError, match=r"has no items\.npz"):
        open_bundle(folder)


def test_a_bundle_names_no_foreign_class(folder: Path) -> None:
    file = folder / "model/fit.json"
    file.write_text(
        file.read_text().replace("models.recommenders.also_bought:AlsoBought", "os:system")
    )
    write_manifest(folder, {})
    with pytest.raises(SettingsError, match="no class of Catwalk"):
        open_bundle(folder)


def test_what_a_bundle_holds(folder: Path) -> None:
    names = set(verified(folder).files)
    model = {"fit.json", "neighbours.npz", "parameters.json"}
    assert names == {
        "bestsellers.npz",
        "card.json",
        "card.md",
        "fallback.json",
        "histories.npz",
        "items.npz",
        "lists.npz",
        *(f"{place}/{name}" for place in ("model", "judged") for name in model),
        "recommendations/part-00000.parquet",
    }
    card = open_bundle(folder).card
    assert card["data"]["batches"] == ["batch=shop-000001"]
    assert card["metrics"]["ndcg_at_10"] > 0 and card["limits"] and card["cannot"]
    assert "user000" not in json.dumps(card)


def test_the_same_inputs_give_the_same_bytes(folder: Path, shop: Storage) -> None:
    before = (folder / MANIFEST).read_bytes()
    build_bundle(shop, RUN)
    assert (folder / MANIFEST).read_bytes() == before


def test_the_bundle_answers_as_the_model(folder: Path) -> None:
    bundle = open_bundle(folder)
    asked = np.array(["user000", "nobody"])
    direct = load_recommender(folder / "model").recommend(asked, 5)  # all was bought
    assert np.array_equal(bundle.recommend(asked, 5).items, direct.items)


def test_items_sold_out_since_the_cut_are_not_served(shop: Storage, write_run: WriteRun) -> None:
    pairs, items = tastes()
    now = [{**row, "in_stock": row["item_id"] >= "item010"} for row in items]
    prepare_bundle(shop, write_run(pairs, items, now))
    bundle = open_bundle(Path(shop.lake.address(bundle_key(RUN))))
    given = bundle.recommend(np.array(["user000", "nobody"]), 3)
    for row in range(2):
        assert len(given.item_ids(row)) == 3 and min(given.item_ids(row)) >= "item010"


def test_items_say_where_they_are_sold_and_where_their_page_is(
    shop: Storage, write_run: WriteRun
) -> None:
    pairs, items = tastes()
    items[0] |= {"markets": " DE,AT,,DE ", "url": None, "picture_url": "/p/0.jpg"}
    prepare_bundle(shop, write_run(pairs, items))
    folder = Path(shop.lake.address(bundle_key(RUN)))
    served = open_bundle(folder).items
    assert served.markets[:2].tolist() == ["AT,DE", ""]
    assert served.urls[:2].tolist() == ["", "/items/item001"]
    assert served.picture_urls[:2].tolist() == ["/p/0.jpg", ""]
    assert served.has_picture.tolist() == [True] * 39 + [False]
    assert served.recommendable.tolist() == [True] * 38 + [False] * 2


def test_items_of_an_earlier_bundle_are_sold_everywhere(folder: Path) -> None:
    with np.load(folder / "items.npz") as arrays:
        before = {name: arrays[name] for name in arrays.files if name not in LATER}
    np.savez(folder / "items.npz", **before)
    write_manifest(folder, verified_facts(folder))
    items = open_bundle(folder).items
    assert np.array_equal(items.has_picture, items.recommendable)
    assert not items.markets.any() and not items.urls.any() and not items.picture_urls.any()


def test_a_bucket_keeps_no_files_of_before(
    shop: Storage, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def like_a_bucket(self: LocalStore, source: Path, key: str) -> None:
        shutil.copytree(source, self.path(key), dirs_exist_ok=True)

    monkeypatch.setattr(LocalStore, "put_folder", like_a_bucket)
    prepare_bundle(shop, write_run())
    for place in (bundle_key(RUN), f"candidates/{RUN}/{WINNER}"):
        Path(shop.lake.address(place, "of_before")).write_text("x")
    prepare_bundle(shop, RUN)
    assert publish(shop, RUN) == live(shop)


def test_a_model_trained_again_after_the_verdict(folder: Path, shop: Storage) -> None:
    train_otherwise(shop, RUN, WINNER)
    with pytest.raises(BundleError, match="after it was judged"):
        build_bundle(shop, RUN)


def test_lists_of_another_model(folder: Path, shop: Storage) -> None:
    write_lists(shop, RUN, "popularity")
    with pytest.raises(BundleError, match="come from popularity"):
        build_bundle(shop, RUN)


def test_lists_of_another_training(folder: Path, shop: Storage) -> None:
    train_otherwise(shop, RUN, WINNER)
    evaluate(shop, RUN)
    judge_release(shop, RUN)
    with pytest.raises(ReleaseError, match="was not refitted since it was judged"):
        build_bundle(shop, RUN)
    refit_winner(shop, RUN)
    with pytest.raises(BundleError, match="another training of .* than goes live"):
        build_bundle(shop, RUN)
    write_lists(shop, RUN, WINNER)
    build_bundle(shop, RUN)


def test_lists_without_a_time(folder: Path, shop: Storage) -> None:
    said = shop.lake.manifest("recommendations", RUN)
    said.pop("written_at")
    shop.lake.commit("recommendations", RUN, said)
    with pytest.raises(BundleError, match="when they were written"):
        build_bundle(shop, RUN)


def test_no_verdict(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    with pytest.raises(ReleaseError, match="no release verdict"):
        build_bundle(shop, RUN)


def test_a_fresh_process_answers(folder: Path, shop: Storage) -> None:
    answer = check_serving(shop, RUN)
    assert answer["users"] == 50 and answer["k"] == 5 and answer["agreement"] == 1.0


def test_a_fresh_process_says_what_is_wrong(folder: Path, shop: Storage) -> None:
    (folder / "card.json").unlink()
    with pytest.raises(BundleError, match=r"does not serve: .*card\.json is missing"):
        check_serving(shop, RUN)
    command = [sys.executable, "-m", "models.bundle.check_serving"]
    done = subprocess.run(command, capture_output=True, cwd=REPOSITORY, text=True)
    assert done.returncode == 2 and "usage" in done.stderr


def test_a_process_that_hangs(folder: Path, shop: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    before = RunRecords(shop, RUN).load_serving()
    monkeypatch.setenv("CATWALK_SERVING_SECONDS", "0.05")
    with pytest.raises(BundleError, match=r"no answer in 0\.05 s"):
        check_serving(Storage(load_settings()), RUN)
    assert RunRecords(shop, RUN).load_serving() == before, "nothing was seen to answer"


def test_a_process_that_needs_too_much_memory(
    folder: Path, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its items are honest and small on disk; opened, they are 240 MB."""
    before = RunRecords(shop, RUN).load_serving()
    inflate(folder / "items.npz", 30_000_000)
    write_manifest(folder, verified_facts(folder))
    monkeypatch.setenv("CATWALK_SERVING_MEMORY_MB", "300")
    with pytest.raises(BundleError, match="needs more than 300 MB"):
        check_serving(Storage(load_settings()), RUN)
    assert RunRecords(shop, RUN).load_serving() == before, "nothing was seen to answer"


def inflate(items: Path, amount: int) -> None:
    """Give one array so many zeros, packed: a bomb."""
    with np.load(items) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    np.savez_compressed(items, **{**content, "prices": np.zeros(amount)})


def test_a_fallback_that_strangers_do_not_get(folder: Path) -> None:
    (folder / "fallback.json").write_text('{"item_ids": ["item000"]}')
    write_manifest(folder, verified_facts(folder))
    with pytest.raises(BundleError, match="is not what strangers get"):
        check(folder)


def test_lists_that_the_model_would_not_give(folder: Path) -> None:
    lists = open_bundle(folder).lists
    assert lists is not None
    for places in lists.items.values():
        places[:] = NONE
        places[:, 0] = 0
    lists.save(folder)
    write_manifest(folder, verified_facts(folder))
    with pytest.raises(BundleError, match="of the ready lists"):
        check(folder)
    replace(lists, users=lists.users[:-1]).save(folder)
    write_manifest(folder, verified_facts(folder))
    with pytest.raises(BundleError, match=r"lists\.npz has arrays of unequal length"):
        check(folder)
    nobody = {"bought_30": np.zeros((0, 5), np.int32)}, {"bought_30": np.zeros((0, 5), np.float32)}
    Lists(lists.users[:0], *nobody).save(folder)
    write_manifest(folder, verified_facts(folder))
    with pytest.raises(BundleError, match="holds no lists"):
        check(folder)


def test_written_lists_of_an_earlier_bundle_that_the_model_would_not_give(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / Lists.FILE).unlink()
    write_manifest(folder, verified_facts(folder))
    assert check(folder)["agreement"] == 1
    file = folder / "recommendations/part-00000.parquet"
    rows = pq.read_table(file).to_pylist()
    for row in rows:
        row["item_ids"] = ["item000"]
    pq.write_table(pa.Table.from_pylist(rows), file)
    write_manifest(folder, verified_facts(folder))
    with pytest.raises(BundleError, match="of the ready lists"):
        check(folder)


def test_bestsellers_are_every_item_that_may_be_shown_as_strangers_get_them(folder: Path) -> None:
    bundle = open_bundle(folder)
    with np.load(folder / "bestsellers.npz") as arrays:
        places = arrays["items"]
    assert sorted(places) == np.flatnonzero(bundle.items.recommendable).tolist()
    ids = bundle.items.ids[places].tolist()
    assert ids == bundle.recommend(np.array([STRANGER]), len(ids)).item_ids(0)
    assert list(bundle.fallback) == ids[:10]


def test_items_that_came_since_are_the_last_of_the_bestsellers(
    shop: Storage, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATWALK_REFIT", "false")
    pairs, items = tastes()
    unfitted = Storage(load_settings())
    prepare_bundle(unfitted, write_run(pairs, items, [item("a new one"), *items]))
    bundle = open_bundle(Path(shop.lake.address(bundle_key(RUN))))
    with np.load(bundle.folder / "bestsellers.npz") as arrays:
        assert bundle.items.ids[arrays["items"][-1]] == "a new one"
        assert len(set(arrays["items"])) == int(bundle.items.recommendable.sum())


def test_a_model_that_shows_what_it_must_not(folder: Path) -> None:
    file = folder / "model/neighbours.npz"
    with np.load(file) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    hidden = ~content["recommendable"]
    content["recommendable"], content["popularity"] = hidden | True, hidden.astype(np.float32)
    content["similarities"][:] = 0  # so that every place holds what sells most
    np.savez(file, **content)
    write_manifest(folder, verified_facts(folder))
    with pytest.raises(BundleError, match="may not be shown"):
        check(folder)


def verified_facts(folder: Path) -> dict[str, str]:
    facts: dict[str, str] = json.loads((folder / MANIFEST).read_text())["facts"]
    return facts
