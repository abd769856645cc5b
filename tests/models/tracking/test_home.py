"""A home that is moved or restored keeps what MLflow kept of its runs, and writes nowhere else."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from infra.errors import BusyError, StorageError
from infra.places import MLFLOW
from infra.records.evaluation import Score
from infra.storage import Storage
from models.tracking import home as mlflow_home
from models.tracking.client import client_of
from models.tracking.runs import Evaluated, track_scores
from tests.conftest import shop_at
from tests.models.conftest import AS_OF

SCORE = Score(name="tops", role="candidate", parameters={"n": 1}, metrics={"ndcg_at_10": 0.1})


def artifacts(shop: Storage, run_id: str) -> set[str]:
    with client_of(shop.settings) as client:
        return {file.path for file in client.list_artifacts(run_id)}


def test_the_artefacts_of_a_home_that_moves_are_found_and_the_new_ones_lie_in_it(
    shop: Storage, mlflow_tables: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def track(shop: Storage, run: str) -> str:
        evaluated = Evaluated(run, AS_OF, run, {f"{run}.txt": run})
        return track_scores(shop, "tries", evaluated, [SCORE])["tops"]

    first = track(shop, "run=1")
    home = shutil.copytree(shop.settings.home, tmp_path / "it's moved")
    shutil.rmtree(shop.settings.home)
    moved = shop_at(home, monkeypatch)
    second = track(moved, "run=2")
    assert artifacts(moved, first) == {"run=1.txt"} and artifacts(moved, second) == {"run=2.txt"}
    assert not shop.settings.home.exists()
    assert len(list((home / "mlflow/artifacts").rglob("*.txt"))) == 2


def test_a_database_that_another_program_holds_is_busy_and_a_broken_one_is_not(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_home, "_PATIENCE", 0.1)
    file = shop.settings.home / MLFLOW / "mlflow.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as other:
        other.execute("create table experiments (artifact_location text)")
        other.execute("begin exclusive")
        with pytest.raises(BusyError, match=r"locked\. Run again later"):
            mlflow_home.follow_home(shop.settings)
        other.rollback()
    mlflow_home.follow_home(shop.settings)
    file.write_bytes(b"no database" * 100)
    with pytest.raises(StorageError, match="Restore it from a backup") as broken:
        mlflow_home.follow_home(shop.settings)
    assert not isinstance(broken.value, BusyError)
