"""Equal trainings leave equal bytes; what they took is kept beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import StorageError
from infra.places import costs_key, trained_of
from infra.storage import Storage
from models.candidates import load_candidates
from models.evaluation.evaluate import evaluate
from models.training.train import train
from models.training.trained_model import read_costs
from tests.models.conftest import RUN, WriteRun

NAMES = [candidate.name for candidate in load_candidates()]


def files_of(shop: Storage, name: str) -> dict[str, bytes]:
    folder = Path(shop.lake.address(trained_of(RUN), name))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_two_trainings_give_equal_folders(name: str, shop: Storage, write_run: WriteRun) -> None:
    assert shop.settings.training_threads == 1
    write_run()
    first = train(shop, RUN, name)
    files = files_of(shop, name)
    again = train(shop, RUN, name)
    assert {"fit.json", "parameters.json", "_manifest.json"} < files.keys()
    assert files_of(shop, name) == files
    assert first["model_sha256"] == again["model_sha256"]


def test_costs_are_beside_the_model_and_in_its_score(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    shown = {name: train(shop, RUN, name) for name in NAMES}
    scores = {score.name: score.metrics for score in evaluate(shop, RUN).scores}
    assert set(NAMES) == set(scores) != set()
    for name in NAMES:
        costs = read_costs(shop, trained_of(RUN), name)
        assert round(costs.training_seconds, 3) == shown[name]["training_seconds"]
        assert scores[name]["training_minutes"] == costs.training_seconds / 60
        assert scores[name]["peak_memory_mb"] == costs.peak_memory_mb > 0


def test_without_costs_nothing_is_scored(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    for name in NAMES:
        train(shop, RUN, name)
    Path(shop.lake.address(costs_key(trained_of(RUN), "content"))).unlink()
    with pytest.raises(StorageError, match=r"what the training of content took\. Train it again"):
        evaluate(shop, RUN)


def test_other_tables_give_another_id(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    train(shop, RUN, "popularity")
    before = files_of(shop, "popularity")
    facts = shop.lake.manifest("items", RUN)
    shop.lake.commit("items", RUN, {**facts, "written_at": "2026-01-02T00:00:00+00:00"})
    train(shop, RUN, "popularity")
    after = files_of(shop, "popularity")
    assert {name for name in before if before[name] != after[name]} == {
        "fit.json",
        "_manifest.json",
    }
