"""The bench counts as the simulator does, by both engines, and says so when one does not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow import dataset

from infra.storage import Storage
from jobs.benches import bench_ingest
from jobs.simulate_shop import SimulationOptions, simulate
from jobs.simulation.options import DEFAULT_FAULTS
from tests.jobs.shop_files import rows


@pytest.mark.faults  # two engines read it all
def test_both_engines_count_every_kind_of_dirt(spark: object, shop: Storage) -> None:
    first = (datetime.now(UTC) - timedelta(days=3)).date()
    faults = {**DEFAULT_FAULTS, "too_long": 0.0003}
    options = SimulationOptions(events=20_000, days=3, first_day=first, faults=faults)
    truth = simulate(Path(shop.landing), options)
    outcomes = {
        "catwalk": {"counts": bench_ingest.with_catwalk(shop), "seconds": 6.0, "peak_gb": 1.5},
        "duckdb": {"counts": bench_ingest.with_duckdb(shop), "seconds": 3.0, "peak_gb": 1.0},
    }
    line = bench_ingest.summary(truth, outcomes["catwalk"], outcomes["duckdb"], 0.1)
    assert json.loads(json.dumps(line)) == {
        **{"events": 20_000, "catwalk_s": 6.0, "duckdb_s": 3.0, "ratio": 2.0, "peak_gb": 1.5},
        **{"counts_match": True, "events_per_s": 3_333, "duckdb_peak_gb": 1.0, "read_s": 0.1},
    }
    other = replace(truth, faults={**truth.faults, "not_utf8": truth.faults["not_utf8"] + 1})
    line = bench_ingest.summary(other, outcomes["catwalk"], outcomes["duckdb"], 0.1)
    assert not line["counts_match"]
    duckdb_lake = Path(shop.settings.lake).with_name("duckdb")
    theirs = dataset.dataset(duckdb_lake / "events").to_table().to_pylist()
    assert sorted(theirs, key=by_id) == sorted(rows(shop, "events"), key=by_id)


def by_id(row: dict[str, object]) -> str:
    return str(row["event_id"])
