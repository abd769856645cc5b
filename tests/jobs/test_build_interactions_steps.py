"""The steps of a run: without crawlers, whole or not there, equal when they are built again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from infra.errors import StorageError
from infra.storage import Storage
from infra.stores.object_store import MANIFEST
from jobs import build_interactions as job
from tests.jobs.shop_files import rows
from tests.jobs.test_build_interactions import CUT, RUN, TIMES, land_items, put_batch


def test_a_killed_build_shows_no_steps_and_the_next_one_all(
    spark: SparkSession, shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_items(shop)
    times = [CUT - timedelta(days=1, minutes=number) for number in range(3)]
    robot = [("robot", f"i{number}", "cart", CUT - timedelta(hours=1)) for number in range(8)]
    put_batch(
        spark, shop, "batch=shop-000000", *(("anna", "i1", "view", at) for at in times), *robot
    )
    monkeypatch.setenv("CATWALK_MOST_EVENTS_PER_DAY", "7")
    arguments = ["--run", RUN, "--as-of", TIMES.end.isoformat()]
    job.main(arguments)
    first = rows(shop, "steps")
    assert [row["person_key"] for row in first] == ["anna"] * 3, "crawlers have no steps either"
    shop.lake.store.write(f"steps/{RUN}/part-of-a-killed-build.parquet", b"torn")
    Path(shop.lake.address("steps", RUN, MANIFEST)).unlink()
    with pytest.raises(StorageError, match="not finished"):
        shop.lake.manifest("steps", RUN)
    job.main(arguments)
    assert rows(shop, "steps") == first
    facts = shop.lake.manifest("steps", RUN)
    assert facts["rows"] == 3 and facts["cut"] == shop.lake.manifest("interactions", RUN)["cut"]
