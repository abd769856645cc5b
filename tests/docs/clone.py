"""A copy of the repository in which the how-to pages were followed, with shops beside it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from infra.lake import batch_source
from infra.schemas import QUARANTINE
from infra.storage import Storage
from tests.conftest import REPOSITORY
from tests.docs.commands import blocks
from tests.jobs.shop_files import event, ingest, land

BATCH = "batch=shop-000012"
GROUP = pytest.mark.xdist_group("docs")  # the copy is made once, away from the tests of Spark
SET_UP_BY = ("pyproject.toml", "infra/deployment/setup.sh")
LEFT_OUT = shutil.ignore_patterns(".venv", "var", ".git", ".*_cache", "__pycache__")


def copy_repository(folder: Path) -> None:
    """Copy what a clone would hold; the installed packages are shared."""
    shutil.copytree(REPOSITORY, folder, ignore=LEFT_OUT)
    (folder / ".venv").symlink_to(REPOSITORY / ".venv")
    # older than .venv, or `make` in the copy would install the copy into the shared packages
    for file in (*folder.glob("requirements*.lock"), *SET_UP_BY):
        os.utime(folder / file, (0, 0))
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost"]
    for step in (["init", "-q"], ["add", "models"], ["commit", "-qm", "First"]):
        subprocess.run([*git, *step], cwd=folder, check=True)


def around() -> dict[str, str]:
    """Return the environment of somebody who types: no setting of the tests is in it."""
    return {name: text for name, text in os.environ.items() if name[:7] != "CATWALK"}


def typed(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Type a command in a folder; what takes minutes belongs to those that are run elsewhere."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=around(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


BAD = {
    "unknown_type": event(event_id="e2", event_type="hover").encode(),
    "wrong_type": event(event_id="e3", quantity="two").encode(),
    "missing_field": event(event_id="e4", item_id=...).encode(),
    "not_utf8": b'{"event_id": "\xff\xfe"}',
}


def ingest_rows(shop: Storage) -> None:
    """Let Spark fill a batch, and its quarantine, under the name that pages use."""
    land(shop, [event(), *BAD.values()])
    assert ingest(shop)["quarantined"] == dict.fromkeys(BAD, 1)
    for table in ("events", "quarantine"):
        written = Path(shop.lake.address(table, "batch=shop-000000"))
        written.rename(written.with_name(BATCH))


def put_in_quarantine(shop: Storage, batch: str, rows: dict[str, bytes]) -> None:
    """Write a batch of nothing but quarantined rows, one per reason, as ingestion does."""
    columns = {
        "reason": list(rows),
        "raw": pa.array(rows.values(), pa.binary()),
        "file": ["/landing/one"] * len(rows),
        "source": [batch_source(batch)] * len(rows),
    }
    assert tuple(columns) == QUARANTINE.columns
    folder = Path(shop.lake.begin("quarantine", batch))
    folder.mkdir(parents=True)
    parquet.write_table(pa.table(columns), folder / "part.parquet")
    shop.lake.commit("quarantine", batch, {"rows": len(rows)})
    counts = dict.fromkeys(rows, 1)
    facts = {"quarantined": counts, "files": [], "written_at": datetime.now(UTC)}
    shop.lake.commit("events", batch, facts)


def fill_webshop(shop: Storage, clone: Path) -> None:
    """Add the page's source to the clone's, and let a row of it be refused."""
    events, _, rules, *_ = blocks("add_a_source.md")
    with (clone / "jobs/sources.yaml").open("a", encoding="utf-8") as sources:
        sources.write("\n" + rules)
    header, row, *_ = events.splitlines()
    orders, lines = (text for text in blocks("add_a_source.md") if text.startswith("receipt,"))
    (clone / "orders.csv").write_text(orders, encoding="utf-8")
    (clone / "lines.csv").write_text(lines, encoding="utf-8")
    land(shop, [header], "day.csv", source="webshop")
    refused = {"unknown_type": row.replace("angesehen", "gemerkt").encode()}
    put_in_quarantine(shop, "batch=webshop-000000", refused)


def follow_pages(clone: Path) -> None:
    """Do what the pages on adding a gate, a metric, a DAG and a model say."""
    _add_a_gate(clone)
    _add_a_metric(clone)
    (clone / "dags/count_batches.py").write_text(blocks("add_a_dag.md")[0], encoding="utf-8")
    _add_a_model(clone)


def _add_a_gate(clone: Path) -> None:
    program, limits, step = blocks("add_a_gate.md")
    (clone / "expectations/history.py").write_text(program, encoding="utf-8")
    (clone / "expectations/history.yaml").write_text(limits, encoding="utf-8")
    insert(
        clone / "dags/retrain_recommender.py",
        step,
        before='step_of(ENGINEERING, "expectations.items:gate_items")(),',
    )


def _add_a_metric(clone: Path) -> None:
    function, line = blocks("add_a_metric.md")
    insert(clone / "models/metrics/lists.py", function + "\n\n", before="def fallback_share(")
    insert(
        clone / "models/metrics/ranking.py",
        '"different_items",\n    ',
        before='"user_coverage",\n    "catalogue',
    )
    measure = clone / "models/evaluation/measure.py"
    insert(measure, line, before='"novelty": novelty(')
    insert(measure, "different_items,\n    ", before="diversity,\n")


def _add_a_model(clone: Path) -> None:
    popularity = (clone / "models/recommenders/popularity.py").read_text(encoding="utf-8")
    model = clone / "models/recommenders/your_model.py"
    model.write_text(popularity.replace("Popularity", "YourModel"), encoding="utf-8")
    [entry] = blocks("add_a_model.md")
    with (clone / "models/candidates.yaml").open("a", encoding="utf-8") as candidates:
        candidates.write("\n" + entry)


def insert(file: Path, text: str, before: str) -> None:
    """Put a text before the first place of another, which must be there."""
    content = file.read_text(encoding="utf-8")
    assert re.search(re.escape(before), content), f"{file.name} has no '{before}' any more"
    file.write_text(content.replace(before, text + before, 1), encoding="utf-8")
