"""The newest event of a landing folder is that of an ingestion, and nothing is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from infra.errors import InputError, SettingsError
from infra.settings import load_settings
from infra.storage import Storage
from jobs.landing.sources import FILE
from jobs.newest_event import newest_event
from tests.jobs.shop_files import TODAY, ago, event, land


def test_only_what_is_an_event_has_a_time(spark: SparkSession, shop: Storage) -> None:
    future = f"{TODAY.year + 2}-01-01T00:00:00Z"
    land(shop, [event(event_time=ago(9)), event(event_time=ago(4)), event(event_time=future)])
    land(shop, [event(event_time=ago(2), event_type="hover"), "broken"], "other.jsonl")
    assert newest_event(spark, shop) == datetime.fromisoformat(ago(4)).astimezone(UTC)
    assert shop.lake.partitions("events") == []


def test_files_without_an_event_are_named_with_the_reasons(
    spark: SparkSession, shop: Storage
) -> None:
    land(shop, [event(event_time=ago(3_000)), event(item_id=...)])
    with pytest.raises(InputError, match="No row of shop is an event; missing_field: 1, too_old"):
        newest_event(spark, shop)


def test_a_wrong_column_is_named_before_a_row_is_read(
    spark: SparkSession, shop: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(FILE.read_text().replace("item_id: item_id", "item_id: article", 1))
    monkeypatch.setenv("CATWALK_SOURCES_FILE", str(file))
    land(shop, [event()])
    with pytest.raises(SettingsError, match=r"'shop', events\.columns\.item_id: .*article.*fields"):
        newest_event(spark, Storage(load_settings()))
