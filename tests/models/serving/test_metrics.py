"""The metrics, and the alerts that read them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from models.serving.metrics import Metrics, forget_dead_workers
from tests.house import REPOSITORY

ALERTS = REPOSITORY / "infra/deployment/alerts.yaml"
PAGE = REPOSITORY / "docs/how-to/serve_recommendations.md"


def test_lists_are_counted_by_what_fills_them() -> None:
    metrics = Metrics()
    metrics.answered("home", ["personal", "personal", "bestseller"], 3)
    metrics.answered("home", ["personal"], 3)
    metrics.answered("home", [], 3)
    metrics.add_up()
    value = metrics.registry.get_sample_value
    for filling in ("full", "short", "empty"):
        labels = {"placement": "home", "filling": filling}
        assert value("catwalk_answers_total", labels) == 1
    assert value("catwalk_items_total", {"placement": "home", "source": "personal"}) == 3


def test_a_worker_that_died_says_nothing_of_itself(tmp_path: Path) -> None:
    mine, dead = (tmp_path / f"gauge_liveall_{pid}.db" for pid in (os.getpid(), 2**22 + 1))
    counts = tmp_path / f"counter_{2**22 + 1}.db"
    for file in (mine, dead, counts):
        file.write_bytes(b"")
    forget_dead_workers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([mine, counts])


def test_every_alert_reads_metrics_that_there_are_and_is_explained() -> None:
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    assert len(rules) >= 10
    known = {f"{name}_total" for name in _names(Metrics()) if not name.endswith("_seconds")}
    known |= _names(Metrics()) | {"catwalk_request_seconds_bucket"}
    for rule in rules:
        assert set(re.findall(r"catwalk_\w+", rule["expr"])) <= known, rule["alert"]
        assert f"| `{rule['alert']}` |" in PAGE.read_text(encoding="utf-8")
        assert rule["labels"]["severity"] in {"page", "ticket"}


def _names(metrics: Metrics) -> set[str]:
    return {family.name for family in metrics.registry.collect()}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed")
def test_prometheus_takes_the_alerts() -> None:
    subprocess.run(["promtool", "check", "rules", str(ALERTS)], check=True)
