"""What the forms of the DAGs offer, and that none of it can break a DAG."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from infra.airflow.choices import FILE, KEPT_SECONDS, earlier_versions, latest_runs, offered
from infra.airflow.defaults import among
from infra.storage import Storage
from tests.infra.report.past import write_past
from tests.infra.report.test_report_history import run_at


def asked(storage: Storage) -> tuple[str, ...]:
    """Offer a batch, and count how often that was found out."""
    number = len(storage.reports.list("asked"))
    storage.reports.write(f"asked/{number}", b"")
    return ("batch=shop-000012",)


def nothing(storage: Storage) -> tuple[str, ...]:
    """Offer nothing, and count how often that was found out."""
    return asked(storage)[:0]


def test_versions_that_were_live_before_the_latest_first(shop: Storage) -> None:
    write_past(shop)
    assert earlier_versions(shop) == ("v2",)
    assert latest_runs(shop)[:2] == (run_at(4), run_at(3))


def test_the_store_is_asked_once_a_minute(shop: Storage) -> None:
    shop.settings.airflow_home.mkdir(parents=True)
    assert offered(asked) == offered(asked) == ["batch=shop-000012"]
    assert len(shop.reports.list("asked")) == 1
    kept = shop.settings.airflow_home / FILE.format("asked")
    past = time.time() - KEPT_SECONDS - 1
    os.utime(kept, (past, past))
    assert offered(asked) == ["batch=shop-000012"]
    assert len(shop.reports.list("asked")) == 2


def test_that_nothing_waits_is_found_out_once_a_minute_too(shop: Storage) -> None:
    """It is the usual case, and every task reads the file of its DAG."""
    shop.settings.airflow_home.mkdir(parents=True)
    assert offered(nothing) == offered(nothing) == []
    assert len(shop.reports.list("asked")) == 1


def test_nothing_is_kept_where_airflow_has_no_home(shop: Storage) -> None:
    assert offered(asked) == offered(asked) == ["batch=shop-000012"]
    assert len(shop.reports.list("asked")) == 2


def test_what_cannot_be_found_out_is_not_offered(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.published.write("live/0000000001.json", b"{")
    assert offered(earlier_versions) == []
    monkeypatch.delenv("CATWALK_USER_KEY_SECRET")
    assert offered(latest_runs) == []


def test_a_spoilt_copy_is_read_anew(shop: Storage) -> None:
    home = Path(shop.settings.airflow_home)
    home.mkdir(parents=True)
    (home / FILE.format("asked")).write_text("{")
    assert offered(asked) == ["batch=shop-000012"]


def test_a_field_offers_choices_and_takes_other_text() -> None:
    assert among([]) == among([], fill=False) == {}
    assert among(["a", "b"]) == {"examples": ["a", "b"]}
    assert among(["a"], fill=True) == {"examples": ["a"], "default": "a"}
