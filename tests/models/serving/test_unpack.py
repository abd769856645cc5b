"""A version is unpacked whole and tried, or not at all; what answers meanwhile goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import BundleError, StorageError
from infra.ledger.live_pointer import point
from infra.places import REPOSITORY, version_key
from infra.records.release import PublishRecord
from infra.storage import Storage
from infra.stores.digests import write_manifest
from infra.stores.object_store import MANIFEST
from models.bundle_layout import BESTSELLERS, CARD, LISTS, version_of
from models.candidates import candidate_named, make
from models.merchandising.shop_rules import NO_RULES
from models.serving import unpack as module
from models.serving.answering import answer
from models.serving.home import unpacked
from models.serving.question import Question
from models.serving.unpack import unpack
from models.serving.version import Version
from tests.models.conftest import AS_OF, arrays, tastes
from tests.models.serving.bundles import PLACEMENTS, write_bundle

HOME = Question("home", user_key="user003", k=30)


@pytest.fixture(params=["also_bought", "lightfm_hybrid"])
def bundle(request: pytest.FixtureRequest, shop: Storage, tmp_path: Path) -> Path:
    return some_bundle(shop, tmp_path / "bundle", request.param)


def some_bundle(shop: Storage, folder: Path, name: str = "also_bought", items: int = 40) -> Path:
    candidate = candidate_named(name)
    pairs, catalogue = tastes(items=items)
    train, attributes = arrays(pairs, catalogue)
    model = make(candidate, shop.settings).fit(train, attributes)
    return write_bundle(folder, model, candidate, train, catalogue)


def publish(shop: Storage, bundle: Path, name: str = "") -> str:
    version = name or version_of(bundle)
    shop.published.put_folder(bundle, version_key(version))
    return version


def go_live(shop: Storage, version: str, number: int) -> None:
    record = {"run": "r", "at": AS_OF + timedelta(number), "number": number, "version": version}
    point(shop, PublishRecord.model_validate({**record, "manifest_sha256": "", "candidate": "c"}))


def names(shop: Storage) -> list[str]:
    return sorted(path.name for path in unpacked(shop.settings, "x").parent.iterdir())


def test_an_unpacked_version_answers_as_its_bundle_does(shop: Storage, bundle: Path) -> None:
    folder = unpack(shop, publish(shop, bundle))
    packed, mapped = Version.open(bundle), Version.open(folder)
    assert mapped.name == packed.name == folder.name
    given, expected = (answer(version, NO_RULES, HOME, AS_OF) for version in (mapped, packed))
    assert given.item_ids == expected.item_ids
    assert np.allclose(given.scores, expected.scores, rtol=1e-5)
    for array in (mapped.items.ids, mapped.histories.items, mapped.lists.users):
        assert isinstance(array.base, np.memmap) and not array.flags.writeable
    assert unpack(shop, folder.name) == folder


def test_a_changed_byte_is_refused_and_nothing_is_left(shop: Storage, bundle: Path) -> None:
    version = publish(shop, bundle)
    file = Path(shop.published.fetch_folder(version_key(version), bundle)) / BESTSELLERS
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match="is not what its manifest says"):
        unpack(shop, version)
    assert names(shop) == [module.LOCK]


def test_another_version_under_its_name_is_refused(shop: Storage, bundle: Path) -> None:
    version = publish(shop, bundle, "20261124T000000Z-0123456789ab")
    with pytest.raises(BundleError, match="Publish it again"):
        unpack(shop, version)
    with pytest.raises(StorageError, match="does not exist"):
        unpack(shop, "20261124T000000Z-ffffffffffff")
    assert names(shop) == [module.LOCK]


def test_a_version_that_answers_wrongly_is_refused(shop: Storage, bundle: Path) -> None:
    items = dict(np.load(bundle / "items.npz"))
    items["recommendable"] = ~items["recommendable"]
    np.savez(bundle / "items.npz", **items)
    write_manifest(bundle, json.loads((bundle / MANIFEST).read_bytes())["facts"])
    with pytest.raises(BundleError, match="nothing to show|ready lists|may not be"):
        unpack(shop, publish(shop, bundle))
    assert names(shop) == [module.LOCK]


@pytest.mark.parametrize("all_of_them", [False, True])
def test_a_best_seller_without_a_category_is_no_reason_to_refuse(
    shop: Storage, tmp_path: Path, all_of_them: bool
) -> None:
    folder = some_bundle(shop, tmp_path / "bundle")
    items = dict(np.load(folder / "items.npz"))
    items["categories"][... if all_of_them else np.load(folder / BESTSELLERS)["items"][0]] = ""
    np.savez(folder / "items.npz", **items)
    write_manifest(folder, json.loads((folder / MANIFEST).read_bytes())["facts"])
    version = publish(shop, folder)
    assert unpack(shop, version).name == version


def test_too_little_room_is_said_before_anything_is_written(
    shop: Storage, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPARE", 2**60)
    with pytest.raises(StorageError, match="MB of disk are needed"):
        unpack(shop, publish(shop, bundle))
    assert names(shop) == [module.LOCK]


def test_what_a_killed_one_left_is_removed_and_old_versions_are(
    shop: Storage, tmp_path: Path
) -> None:
    versions = []
    for number in range(1, 5):
        bundle = some_bundle(shop, tmp_path / str(number), items=30 + number)
        versions.append(publish(shop, bundle))
        go_live(shop, versions[-1], number)
        unpack(shop, versions[-1])
        killed = unpacked(shop.settings, f".{versions[-1]}.0123abcd")
        killed.mkdir()
        (killed / "file").touch()
    unpack(shop, versions[0])
    assert names(shop) == sorted([module.LOCK, versions[0], *versions[2:]])


def test_a_bundle_of_an_earlier_catwalk_is_served(shop: Storage, bundle: Path) -> None:
    version = Version.open(bundle)
    lists = [
        {"user_key": user.decode(), "item_ids": version.items.ids[ready].tolist(), "scores": scores}
        for row, user in enumerate(version.lists.users)
        for ready, scores in [version.lists.of(row, version.placements.home.rule)]
    ]
    (bundle / LISTS).mkdir()
    pq.write_table(pa.Table.from_pylist(lists[::-1]), bundle / LISTS / "part-00000.parquet")
    for name in ("lists.npz", "histories.npz", BESTSELLERS):
        (bundle / name).unlink()
    later = ("has_picture", "markets", "urls", "picture_urls")
    items = dict(np.load(bundle / "items.npz").items())
    np.savez(bundle / "items.npz", **{name: items[name] for name in items if name not in later})
    (bundle / CARD).write_text("{}")
    write_manifest(bundle, json.loads((bundle / MANIFEST).read_bytes())["facts"])
    earlier = Version.open(unpack(shop, publish(shop, bundle)))
    assert list(earlier.placements.placements) == ["home"] and len(PLACEMENTS) > 1
    given, before = (answer(each, NO_RULES, HOME, AS_OF) for each in (earlier, version))
    assert given.item_ids[:10] == before.item_ids[:10]
    history = set(version.items.ids[version.histories.of("user003").items])
    assert len(history) == 6 and not history & set(given.item_ids[10:])
    assert earlier.bestsellers.tolist() == version.bestsellers.tolist()


def test_several_at_once_unpack_once_and_the_program_says_what_is_wrong(
    shop: Storage, tmp_path: Path
) -> None:
    version = publish(shop, some_bundle(shop, tmp_path / "bundle"))
    command = [sys.executable, "-m", "models.serving.unpack"]
    environment = {**os.environ, "CATWALK_HOME": str(shop.settings.home)}
    arguments = {"env": environment, "cwd": REPOSITORY, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([*command, version], **arguments) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    folder = unpacked(shop.settings, version)
    assert len(answer(Version.open(folder), NO_RULES, HOME, AS_OF).item_ids) == 30
    wrong = subprocess.run([*command, "no-such-version"], **arguments)
    assert wrong.returncode == 1 and len(wrong.stderr.splitlines()) == 1
    assert subprocess.run(command, **arguments).returncode == 2
    shutil.rmtree(folder)
