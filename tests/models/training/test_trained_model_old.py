"""Models and records that the code at 756a9b8 wrote: they load, and are bound to their tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from infra.errors import BundleError
from infra.ledger.run_records import RunRecords
from infra.ledger.run_rules import placements_of
from infra.places import version_key
from infra.schemas import CATALOGUE, HISTORY, INTERACTIONS, ITEMS
from infra.storage import Storage
from models.candidates import MOVED, model_class
from models.data.run_tables import inputs_of, read_run
from models.evaluation.champion import champion_of
from models.evaluation.score_run import score_run
from models.training.trained_model import load_trained, read_fit
from tests.old_home import APPROVED, LIVE_VERSION, WITHDRAWN_VERSION, unpack_old_home

OF_THEN = ("popularity", "also_bought", "content", "lightfm_hybrid")


@pytest.fixture
def old_shop(shop: Storage) -> Storage:
    unpack_old_home(shop.settings.home)
    return shop


@pytest.mark.parametrize("path", MOVED)
def test_every_class_of_before_is_found(path: str) -> None:
    assert model_class(path).__name__ == path.partition(":")[2]


@pytest.mark.parametrize("name", OF_THEN)
def test_candidates_load_and_are_those_of_the_evaluation(old_shop: Storage, name: str) -> None:
    trained = load_trained(old_shop, APPROVED, name)
    evaluation = RunRecords(old_shop, APPROVED).load_evaluation()
    assert evaluation is not None
    scores = {score.name: score for score in evaluation.scores if score.role == "candidate"}
    assert trained.sha256 == scores[name].model_sha256
    assert trained.fit.inputs == evaluation.inputs != ""
    assert evaluation.inputs == inputs_of(old_shop, APPROVED, INTERACTIONS, ITEMS)
    train = read_run(old_shop, APPROVED).train
    given = trained.model.recommend(np.append(train.users[:3], "nobody"), 5)
    assert given.fallback.tolist() == [False, False, False, True]
    assert all(len(given.item_ids(row)) == 5 for row in range(4))


@pytest.mark.parametrize("version", [LIVE_VERSION, WITHDRAWN_VERSION])
def test_a_version_of_before_is_scored_with_its_costs(
    old_shop: Storage, version: str, tmp_path: Path
) -> None:
    tables = read_run(old_shop, APPROVED)
    champion, placements = (
        champion_of(old_shop, version, tables.cut),
        placements_of(old_shop, APPROVED),
    )
    scored = score_run(tables, None, [champion], placements, frozenset(), seed=1)
    score = scored.scores[0]
    folder = old_shop.published.fetch_folder(version_key(version), tmp_path)
    said = json.loads((folder / "judged" / "fit.json").read_bytes())
    assert score.metrics["training_minutes"] == said["training_seconds"] / 60
    assert score.metrics["peak_memory_mb"] == said["peak_memory_mb"]
    assert score.metrics["ndcg_at_10"] > 0


def test_a_refit_of_before_names_its_tables(old_shop: Storage) -> None:
    refit = RunRecords(old_shop, APPROVED).load_refit()
    assert refit is not None and refit.folder.startswith("refits/")
    folder = Path(old_shop.lake.address(refit.folder))
    assert read_fit(folder).inputs == inputs_of(old_shop, APPROVED, HISTORY, CATALOGUE)


def test_a_fit_whose_tables_are_no_names_cannot_be_read(old_shop: Storage, tmp_path: Path) -> None:
    folder = Path(old_shop.published.address, version_key(LIVE_VERSION), "model")
    said = json.loads((folder / "fit.json").read_bytes())
    (tmp_path / "fit.json").write_text(json.dumps({**said, "written": 1}))
    with pytest.raises(BundleError, match=r"fit\.json cannot be read"):
        read_fit(tmp_path)
