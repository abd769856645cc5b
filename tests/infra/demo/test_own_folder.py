"""A folder that says itself how to read it lands as it is; what it lacks is said in one line."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.demo.data import Delivery, deliver_files
from infra.demo.own_folder import find_end
from infra.errors import CatwalkError, InputError, SettingsError
from infra.settings import Settings
from infra.shop.historic_shops import ends_at, remember_end
from infra.shop_home import open_home
from infra.storage import Storage
from tests.conftest import SECRET

SOURCES = "webshop: {}\nother: {}\n"  # the rules in it are read by whoever reads the files


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder with everything that one may have."""
    folder = tmp_path / "mine"
    for name in ("events/webshop/1.csv", "events/webshop/old/2.csv", "items/webshop/1.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    os.utime(folder / "events/webshop/1.csv", (1_000_000_000, 1_000_000_000))
    (folder / "events/webshop/.3.csv.part").write_text("an upload")
    (folder / "notes.txt").write_text("no data")
    (folder / "sources.yaml").write_text(SOURCES)
    (folder / "settings.yaml").write_text("as_of: 2018-01-02T00:00:00Z\nholdout_days: 14\n")
    return folder


def test_it_lands_as_it_is_with_its_times(
    shop: Storage, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery = Delivery.of_files(data)
    assert deliver_files(data, delivery, shop.settings) == 3
    landing = Path(shop.landing)
    landed = {str(file.relative_to(landing)) for file in landing.rglob("*") if file.is_file()}
    assert landed == {"events/webshop/1.csv", "events/webshop/old/2.csv", "items/webshop/1.csv"}
    assert (landing / "events/webshop/1.csv").stat().st_mtime == 1_000_000_000
    assert "notes.txt" in capsys.readouterr().out, "what is left alone is named"
    assert deliver_files(data, delivery, shop.settings) == 0, "each file once"


def test_its_sources_and_settings_are_those_of_the_home(shop: Storage, data: Path) -> None:
    delivery = Delivery.of_files(data)
    deliver_files(data, delivery, shop.settings)
    named = {
        name.removeprefix("CATWALK_").lower(): text for name, text in delivery.settings.items()
    }
    settings = Settings(user_key_secret=SECRET, **named)  # type: ignore[arg-type]
    assert settings.sources == ("webshop", "other")
    assert settings.sources_file.read_text() == SOURCES
    assert settings.sources_file.parent == shop.settings.home
    assert (settings.holdout_days, delivery.as_of) == (14, datetime(2018, 1, 2, tzinfo=UTC))
    assert settings.training_window_days == Settings.model_fields["training_window_days"].default


def test_a_setting_that_is_taken_out_is_not_remembered(
    shop: Storage, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOLDOUT_DAYS", "HALF_LIFE_DAYS", "TRAINING_WINDOW_DAYS", "PLACEMENTS"):
        monkeypatch.delenv(f"CATWALK_{name}", raising=False)
    for name in ("SOURCES", "SOURCES_FILE", "SHOP"):
        monkeypatch.setenv(f"CATWALK_{name}", "x")  # so that it is put back after the test
        monkeypatch.delenv(f"CATWALK_{name}")
    first = open_home(Delivery.of_files(data).settings)
    (data / "settings.yaml").unlink()
    for name in Delivery.of_files(data).settings:
        monkeypatch.delenv(name)
    assert first.holdout_days == 14
    assert open_home(Delivery.of_files(data).settings).holdout_days == 3


LACKING = {
    "sources.yaml": r"mine has no sources.yaml.*known: online_retail.*docs/how-to/add_a_source.md",
    "events": r"There is no file in .*mine/events.*where `files` of sources.yaml looks",
}


@pytest.mark.parametrize("lacking", LACKING)
def test_what_it_lacks_is_said_with_the_cure(data: Path, lacking: str) -> None:
    (data / lacking).rename(data / "elsewhere")
    with pytest.raises(InputError, match=LACKING[lacking]):
        Delivery.of_files(data)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("settings.yaml", "as_off: 2018-01-02T00:00:00Z", r"unknown key 'as_off', did you mean"),
        ("settings.yaml", "seed: 3", r"settings.yaml: unknown key 'seed'"),
        ("settings.yaml", "as_of: 2018-01-02", r"settings.yaml: key 'as_of'"),
        ("sources.yaml", "- webshop", r"sources.yaml holds no keys"),
        ("sources.yaml", "webshop: [", r"sources.yaml line 1"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_key(
    data: Path, file: str, content: str, said: str
) -> None:
    (data / file).write_text(content)
    with pytest.raises(SettingsError, match=said):
        Delivery.of_files(data)


def test_a_known_name_needs_no_sources_until_it_has_folders(data: Path) -> None:
    known = data.rename(data.with_name("online_retail"))
    assert Delivery.of_files(known).source == "webshop,other", "its own file counts"
    (known / "sources.yaml").unlink()
    with pytest.raises(InputError, match=r"has no sources\.yaml"):
        Delivery.of_files(known)


def test_the_run_is_as_of_the_moment_after_the_newest_event(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = subprocess.CompletedProcess([], 0, "2018-01-01T04:01:20.500000+00:00\n", "")
    monkeypatch.setattr("infra.demo.own_folder.subprocess.run", lambda *_, **__: printed)
    assert find_end("x") == datetime(2018, 1, 1, 4, 1, 21, 500_000, tzinfo=UTC)
    assert "newest event is of 2018-01-01 04:01 UTC" in capsys.readouterr().out


def test_what_is_wrong_with_its_files_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = "WARN something\n\nsources.yaml, 'webshop', events.columns.x: no. Mend it.\n"
    printed = subprocess.CompletedProcess([], 1, "", errors)
    monkeypatch.setattr("infra.demo.own_folder.subprocess.run", lambda *_, **__: printed)
    with pytest.raises(CatwalkError) as told:
        find_end("x")
    assert str(told.value) == "sources.yaml, 'webshop', events.columns.x: no. Mend it."


def test_old_data_is_not_retrained_on_the_schedule(shop: Storage) -> None:
    end = datetime(2018, 1, 2, tzinfo=UTC)
    remember_end(shop.settings.home, end)
    assert ends_at(shop.settings) == end
    remember_end(shop.settings.home, datetime.now(UTC) - timedelta(hours=3))
    assert ends_at(shop.settings) is None, "more may come"
