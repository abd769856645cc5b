"""A store belongs to one shop and one secret, from its first use on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.belonging import CHECKPOINT_NOTE, NOTE, require_own_stores
from infra.errors import SettingsError
from infra.person_keys import fingerprint
from infra.settings import Settings, load_settings
from infra.shop_home import open_home
from infra.storage import Storage
from tests.conftest import SECRET

OTHER = "another secret of sixteen characters or more"
STORES = ("lake", "published", "reports")


def shop_with(patch: pytest.MonkeyPatch, home: Path, secret: str, **settings: str) -> Storage:
    patch.delenv("CATWALK_SHOP", raising=False)  # a home that was opened before may have set it
    patch.setenv("CATWALK_HOME", str(home))
    patch.setenv("CATWALK_USER_KEY_SECRET", secret)
    for name, text in settings.items():
        patch.setenv(f"CATWALK_{name.upper()}", text)
    return Storage(load_settings())


def new_process(patch: pytest.MonkeyPatch, home: Path, given: Mapping[str, str]) -> None:
    """Leave nothing in the environment but the place of a home and what is given."""
    for name in Settings.model_fields:
        patch.setenv(f"CATWALK_{name.upper()}", "")  # so that undo removes what is set
        patch.delenv(f"CATWALK_{name.upper()}")
    for name, text in {"CATWALK_HOME": str(home), **given}.items():
        patch.setenv(name, text)


def test_another_secret_is_refused_by_each_store_and_by_the_checkpoint(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        require_own_stores(shop)
    notes = [(store, NOTE) for store in (shop.lake.store, shop.published, shop.reports)]
    notes.append((shop.lake.store, CHECKPOINT_NOTE))
    kept = [store.read(note) for store, note in notes]
    assert SECRET not in b"".join(kept).decode()
    for (store, note), content in zip(notes, kept, strict=True):
        for other, key in notes:
            other.delete(key)
        store.write(note, content)
        another = shop_with(monkeypatch, shop.settings.home, OTHER)
        with pytest.raises(SettingsError, match="under another secret") as told:
            require_own_stores(another)
        assert store.address in told.value.fact and fingerprint(SECRET)[:8] in told.value.fact
        assert "secrets.json" in told.value.cure
        assert [other.exists(key) for other, key in notes].count(True) == 1, "nothing became ours"


@pytest.mark.parametrize("place", STORES)
def test_a_store_of_another_shop_is_refused_though_the_secret_is_the_same(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = {place: str(tmp_path / "shared")}
    require_own_stores(shop_with(monkeypatch, tmp_path / "shoes", SECRET, **shared))
    with pytest.raises(SettingsError, match="shared belongs to the shop 'shoes', .* 'hats'"):
        require_own_stores(shop_with(monkeypatch, tmp_path / "hats", SECRET, **shared))
    require_own_stores(shop_with(monkeypatch, tmp_path / "hats", SECRET, **shared, shop="shoes"))


def test_a_home_may_be_called_otherwise(shop: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    require_own_stores(shop)
    home = Path(shutil.move(shop.settings.home, shop.settings.home.with_name("moved")))
    require_own_stores(shop_with(monkeypatch, home, SECRET))


def test_a_home_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_process(monkeypatch, tmp_path / "shoes", {})
    assert open_home().shop == "shoes"
    shutil.move(tmp_path / "shoes", tmp_path / "moved")
    new_process(monkeypatch, tmp_path / "moved", {})
    assert open_home().shop == "shoes"


@pytest.mark.parametrize("kept", [f"lake/{NOTE}", "lake/events/batch=shop-000000/_manifest.json"])
def test_a_lost_secret_is_not_made_anew_beside_keys(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is a lake of before stores had notes."""
    home, given = tmp_path / "home", {"CATWALK_LAKE": str(tmp_path / "lake")}
    new_process(monkeypatch, home, given)
    require_own_stores(Storage(open_home()))
    file = home / "secrets.json"
    before = file.read_text()
    if NOTE not in kept:
        shutil.rmtree(tmp_path / "lake")
        (tmp_path / kept).parent.mkdir(parents=True)
        (tmp_path / kept).write_text("{}")
        shutil.rmtree(home)
    else:
        file.unlink()
    for _ in range(2):
        new_process(monkeypatch, home, given)
        with pytest.raises(SettingsError, match=r"holds keys of persons.*secrets\.json"):
            open_home()
        assert not file.exists()
    file.write_text(before)
    open_home()


def test_a_damaged_note_is_named(shop: Storage) -> None:
    shop.published.write(NOTE, b"{")
    with pytest.raises(SettingsError, match=rf"published/{NOTE} cannot be read.*backup"):
        require_own_stores(shop)
