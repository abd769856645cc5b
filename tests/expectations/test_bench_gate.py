"""The bench of the gate: it measures the whole gate, from a cold start."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from expectations import bench_gate, events
from infra.errors import InputError
from infra.records.gates import GateRecord

pytestmark = pytest.mark.xdist_group("test_rules")  # whose process has paid for Great Expectations
ROWS = 100_000


def test_the_process_that_is_timed_runs_one_gate_over_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate that ran before in the same process would have paid for the imports."""
    gate, judged, elsewhere = events.gate_events, [], []

    def watched(*given: Any) -> GateRecord:
        judged.append(gate(*given))
        return judged[-1]

    def write_elsewhere(command: list[str], check: bool) -> None:
        monkeypatch.setattr(sys, "argv", command[2:])
        bench_gate.main()
        elsewhere.extend(judged)
        judged.clear()

    monkeypatch.setattr(events, "gate_events", watched)
    monkeypatch.setattr(bench_gate, "subprocess", SimpleNamespace(run=write_elsewhere))
    found = bench_gate.bench(tmp_path, ROWS)
    assert [record.partitions for record in elsewhere] == [(bench_gate.OLD,)]
    assert [record.partitions for record in judged] == [(bench_gate.NEW,)]
    assert list(found) == ["rows", "profile_s", "gate_s", "peak_gb"]
    assert found["rows"] == ROWS
    assert 0 < found["profile_s"] < found["gate_s"]


def test_memory_is_told_in_powers_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    usage: Any = type("Usage", (), {"ru_maxrss": 1_000_000})
    monkeypatch.setattr(bench_gate.resource, "getrusage", lambda _who: usage)
    assert bench_gate.peak_gb() == 1.02, "Linux counts KiB"


def test_a_load_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_gate", "--rows", "10"])
    with pytest.raises(InputError, match="10 rows are too few"):
        bench_gate.main()
