"""Settings and rules files: what is wrong in them is said in one line, and secrets never are."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.errors import SettingsError
from infra.settings import Settings, load_settings, shop_zone
from jobs.landing.sources import FILE
from tests.conftest import SECRET


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the one setting that has no default."""
    monkeypatch.setenv("CATWALK_USER_KEY_SECRET", SECRET)
    yield


def test_a_time_zone_is_one_of_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("Berlin", "../etc/passwd", "Mars/Olympus"):
        monkeypatch.setenv("CATWALK_TIME_ZONE", wrong)
        with pytest.raises(SettingsError, match="CATWALK_TIME_ZONE.*is no time zone"):
            load_settings()
        assert str(shop_zone()) == "UTC", "who only writes a time stops for nothing"
    monkeypatch.setenv("CATWALK_TIME_ZONE", "Europe/Berlin")
    assert load_settings().time_zone == str(shop_zone()) == "Europe/Berlin"


@pytest.mark.parametrize("line", ["0 99 * * *", "every six hours or so", "0 0 * *", "* * * * * *"])
def test_a_schedule_that_never_comes_is_refused(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATWALK_SCHEDULE", line)
    with pytest.raises(SettingsError, match="CATWALK_SCHEDULE.*is no cron line of five fields"):
        load_settings()


@pytest.mark.parametrize("line", ["0 */6 * * *", "30 4 1-7 * MON", "5,35 0-12 * JAN,FEB *"])
def test_a_cron_line_is_a_schedule(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATWALK_SCHEDULE", line)
    assert load_settings().schedule == line


def test_without_a_key_for_user_ids_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CATWALK_USER_KEY_SECRET")
    with pytest.raises(SettingsError, match="CATWALK_USER_KEY_SECRET.*missing"):
        load_settings()


def test_a_secret_that_is_too_short_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATWALK_USER_KEY_SECRET", "hunter2")
    with pytest.raises(SettingsError, match="CATWALK_USER_KEY_SECRET.*at least 16") as told:
        load_settings()
    assert "hunter2" not in "".join(traceback.format_exception(told.value))
    with pytest.raises(ValidationError) as raw:
        Settings()
    assert "hunter2" not in str(raw.value)
    assert "input_value" not in str(raw.value)


def test_the_least_days_of_a_hold_out_are_not_more_than_the_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CATWALK_HOLDOUT_DAYS", "30")
    with pytest.raises(SettingsError, match=r"CATWALK_MOST_HOLDOUT_DAYS\).*28 is less than.* 30"):
        load_settings()
    monkeypatch.setenv("CATWALK_MOST_HOLDOUT_DAYS", "30")
    assert load_settings().holdout_days == 30


def test_a_file_that_people_edit_is_the_shipped_one_or_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings().sources_file == FILE
    monkeypatch.setenv("CATWALK_SOURCES_FILE", "/shop/sources.yaml")
    assert load_settings().sources_file == Path("/shop/sources.yaml")
