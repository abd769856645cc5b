"""The bench's marts count what it wrote."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra.storage import Storage
from jobs import build_marts
from jobs.benches import bench_marts


@pytest.mark.faults  # every mart of 14 days
def test_the_marts_count_what_was_written(spark: object, shop: Storage) -> None:
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    expected = bench_marts.write(shop, 2_000, end)
    assert expected["items_shown"] == 2_000 and expected["impressions"] == 1_200
    build_marts.main(["--run", bench_marts.RUN])
    assert bench_marts.counted(shop) == expected
