"""A run that has begun goes on by the rules it began with, whatever becomes of the files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.errors import SettingsError
from infra.ledger import run_rules
from infra.ledger.run_rules import kept_rules, placements_of, rules_of
from infra.storage import Storage
from models.candidates import candidates_of
from models.evaluation.evaluate import evaluate
from models.release.judge_release import judge_release
from models.release.keep_rules import keep_rules
from models.training.train import train
from models.training.trained_model import load_trained
from tests.conftest import REPOSITORY
from tests.models.conftest import RUN, WriteRun

MODELS = "models.recommenders"
POPULARITY = f"popularity: {{class: {MODELS}.popularity:Popularity, baseline: true, why: w}}\n"
ALSO_BOUGHT = f"also_bought: {{class: {MODELS}.also_bought:AlsoBought, why: w}}\n"
CONTENT = f"content: {{class: {MODELS}.content:Content, why: w}}\n"
FILE = POPULARITY + ALSO_BOUGHT + CONTENT
NAMES = ["popularity", "also_bought", "content"]
PLACEMENTS = REPOSITORY / "models/placements.yaml"
LENIENT = "when_in_doubt: {least_users: 2}\nndcg_at_10: {min: 0.0, why: w}\n"
EDITS = {
    "one is added": FILE + CONTENT.replace("content:", "like_content:", 1),
    "the winner is disabled": POPULARITY
    + ALSO_BOUGHT.replace("why", "enabled: false, why")
    + CONTENT,
    "one is gone": POPULARITY + CONTENT,
    "two changed places": POPULARITY + CONTENT + ALSO_BOUGHT,
    "another class": FILE.replace("also_bought:AlsoBought", "popularity:Popularity"),
    "a baseline": FILE.replace("Bought, why", "Bought, baseline: true, why"),
    "broken": "popularity: {class",
    "empty": "",
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Let the files that people edit be some that a test may edit."""
    texts = {"candidates": FILE, "release": LENIENT, "placements": PLACEMENTS.read_text()}
    files = {name: tmp_path / f"{name}.yaml" for name in texts}
    for name, file in files.items():
        file.write_text(texts[name])
    monkeypatch.setattr(run_rules, "CANDIDATES", files["candidates"])
    monkeypatch.setattr(run_rules, "RELEASE", files["release"])
    return files


@pytest.fixture
def shop(shop: Storage, files: dict[str, Path]) -> Storage:
    """Return the places of a shop that has placements of its own."""
    return Storage(shop.settings.model_copy(update={"placements": files["placements"]}))


def test_it_names_the_models_to_train_in_the_order_of_the_file(
    shop: Storage, files: dict[str, Path]
) -> None:
    assert keep_rules(shop, RUN) == NAMES
    assert rules_of(shop, RUN).release.text == LENIENT
    files["placements"].write_text(PLACEMENTS.read_text().replace("length: 20", "length: 7"))
    assert placements_of(shop, RUN).home.length == 20
    assert placements_of(shop, "run=of an earlier Catwalk").home.length == 7


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("after", ["keeping", "training", "evaluating"])
def test_an_edit_in_between_changes_nothing(
    edit: str, after: str, shop: Storage, write_run: WriteRun, files: dict[str, Path]
) -> None:
    write_run()

    def edited(step: str) -> None:
        if step == after:
            files["candidates"].write_text(EDITS[edit])
            files["release"].write_text("ndcg_at_10: {min: 0.9, why: w}\n")

    names = keep_rules(shop, RUN)
    edited("keeping")
    for name in names:
        train(shop, RUN, name)
    edited("training")
    scores = evaluate(shop, RUN).scores
    edited("evaluating")
    verdict = judge_release(shop, RUN)
    assert [score.name for score in scores] == NAMES
    assert (verdict.candidate, verdict.outcome) == ("also_bought", "release")
    assert verdict.thresholds_text == LENIENT
    assert load_trained(shop, RUN, "also_bought").fit.class_path.endswith(":AlsoBought")


@pytest.mark.parametrize("edit", EDITS)
def test_clearing_the_first_step_changes_nothing_and_tells(
    edit: str, shop: Storage, files: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    keep_rules(shop, RUN)
    kept = kept_rules(shop, RUN)
    files["candidates"].write_text(EDITS[edit])
    with caplog.at_level(logging.WARNING):
        assert keep_rules(shop, RUN) == NAMES
    assert kept_rules(shop, RUN) == kept
    assert "candidates.yaml changed since the run began: start a new run" in caplog.text


def _missing(files: dict[str, Path]) -> None:
    files["candidates"].unlink()


def _broken(name: str, text: str) -> Callable[[dict[str, Path]], None]:
    def write(files: dict[str, Path]) -> None:
        files[name].write_text(text)

    return write


REFUSED = {
    "candidates.yaml does not exist": _missing,
    "'popularity': key 'why' is missing": _broken("candidates", FILE.replace(", why: w", "")),
    "also_bought: The parameter neighbours is 0": _broken(
        "candidates", FILE.replace("AlsoBought,", "AlsoBought, parameters: {neighbours: 0},")
    ),
    "cannot be loaded": _broken("candidates", FILE.replace("also_bought:A", "absent:A")),
    "unknown key 'mim'": _broken("release", "ndcg_at_10: {mim: 1, why: w}"),
    "no metric 'ndgc'": _broken("release", "ndgc: {min: 1, why: w}"),
    "placements.yaml: key 'success'": _broken("placements", "placements: {}"),
    "'judged_by' is 'auc', which is not measured of every customer": _broken(
        "placements", PLACEMENTS.read_text().replace("judged_by: ndcg_at_10", "judged_by: auc")
    ),
}


@pytest.mark.parametrize("said", REFUSED)
def test_rules_that_cannot_be_used_are_not_kept(
    said: str, shop: Storage, files: dict[str, Path]
) -> None:
    """So the file may be corrected and the step run again."""
    REFUSED[said](files)
    with pytest.raises(SettingsError, match=said):
        keep_rules(shop, RUN)
    assert kept_rules(shop, RUN) is None
    files["candidates"].write_text(FILE)
    files["release"].write_text(LENIENT)
    files["placements"].write_text(PLACEMENTS.read_text())
    assert keep_rules(shop, RUN) == NAMES


def test_a_model_that_the_run_does_not_know_is_not_trained(
    shop: Storage, write_run: WriteRun, files: dict[str, Path]
) -> None:
    write_run()
    keep_rules(shop, RUN)
    files["candidates"].write_text(EDITS["one is added"])
    with pytest.raises(SettingsError, match="no candidate 'like_content'.*also_bought"):
        train(shop, RUN, "like_content")
    assert [candidate.name for candidate in candidates_of(shop, RUN)] == NAMES
