"""A home remembers its settings and keeps its secret; what the environment says wins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.errors import SettingsError
from infra.settings import Settings, load_settings
from infra.shop_home import home_folder, is_remembered, open_home
from tests.conftest import SECRET


def test_a_home_remembers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"CATWALK_SOURCES": "online_retail", "CATWALK_HOLDOUT_DAYS": "14"}
    first = opened(tmp_path, monkeypatch, chosen)
    second = opened(tmp_path, monkeypatch, {})
    assert second == first
    assert (second.sources, second.holdout_days) == (("online_retail",), 14)
    assert len(second.user_key_secret.get_secret_value()) >= 32
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_damaged_secret_is_to_be_restored_never_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(SettingsError, match="secrets.json cannot be read. Restore it") as told:
        opened(tmp_path, monkeypatch, {})
    assert "backup" in told.value.cure
    assert "delete" not in told.value.cure
    assert (tmp_path / "secrets.json").read_text() == "{"


def test_the_environment_wins_over_what_a_home_remembers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(tmp_path, monkeypatch, {"CATWALK_HOLDOUT_DAYS": "14"})
    given = {"CATWALK_HOLDOUT_DAYS": "5", "CATWALK_USER_KEY_SECRET": SECRET}
    with monkeypatch.context() as patch:
        for name, text in given.items():
            patch.setenv(name, text)
        settings = open_home({})
        assert is_remembered({"CATWALK_HOLDOUT_DAYS": "14"})
        assert not is_remembered({"CATWALK_HOLDOUT_DAYS": "5"})
    assert settings.holdout_days == 5
    assert settings.user_key_secret.get_secret_value() == SECRET


def opened(home: Path, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str]) -> Settings:
    """Open a home as a new process would: with nothing but its place in the environment."""
    monkeypatch.setenv("CATWALK_HOME", str(home))
    for name in Settings.model_fields:
        if name != "home":
            monkeypatch.setenv(f"CATWALK_{name.upper()}", "")  # so that undo removes what is set
            monkeypatch.delenv(f"CATWALK_{name.upper()}")
    open_home(chosen)
    return load_settings()


def test_a_home_that_opens_has_its_folders_and_touches_no_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = opened(tmp_path / "new", monkeypatch, {"CATWALK_PUBLISHED": "s3://shop/published"})
    folders = sorted(path.name for path in settings.home.iterdir() if path.is_dir())
    assert folders == ["lake", "landing", "mlflow", "reports"]


def test_a_secret_of_the_environment_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATWALK_HOME", str(tmp_path))
    monkeypatch.setenv("CATWALK_USER_KEY_SECRET", SECRET)
    assert open_home().user_key_secret.get_secret_value() == SECRET
    assert not (tmp_path / "secrets.json").exists()


def test_a_home_may_be_named_from_the_user_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATWALK_HOME", "~/shops/mine")
    assert home_folder() == Path.home().resolve() / "shops/mine"


def test_a_home_is_its_owner_s_alone_also_one_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0)
    try:
        (tmp_path / "old").mkdir()
        for home in (tmp_path / "old", tmp_path / "new"):
            opened(home, monkeypatch, {})
            assert home.stat().st_mode & 0o777 == 0o700
            for file in ("secrets.json", "settings.json"):
                assert (home / file).stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)
