"""A wrong line in candidates.yaml is named before anything is trained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import SettingsError
from infra.storage import Storage
from models.candidates import Candidate, candidate_named, load_candidates, make, model_class
from models.recommenders.lightfm_hybrid import LightFMHybrid
from tests.conftest import REPOSITORY

LIGHTFM = "models.recommenders.lightfm_hybrid:LightFMHybrid"


def test_dag_parsing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from models.candidates import load_candidates; load_candidates();"
        "heavy = {'numpy', 'scipy', 'lightfm', 'mlflow', 'pyarrow'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_training_again_moves_is_measured_unless_an_entry_says_otherwise() -> None:
    entry = {"name": "mine", "class": LIGHTFM, "why": "w"}
    assert Candidate.model_validate(entry).noise_refits == 2
    assert all(candidate.noise_refits >= 2 for candidate in load_candidates(every=True))


ENTRY = "class: models.recommenders.popularity:Popularity, why: w"
BAD_FILES = {
    f"a: {{{ENTRY}, baseline: true}}": "every enabled candidate is a baseline",
    f"a: {{{ENTRY}, enabled: false}}": "every enabled candidate is a baseline",
    f"'../a': {{{ENTRY}}}": "no candidate name",
    f"a: {{{ENTRY}}}\nchampion: {{{ENTRY}}}": "no candidate may be called 'champion'",
    f"a: {{{ENTRY}, name: b}}": "unknown key 'name'",
    "a: {class: os:system, why: w}": "class",
    "a: {class: models.recommenders.popularity:Popularity}": "'why' is missing",
    "": "holds no keys",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_files_that_cannot_be_meant(text: str, tmp_path: Path) -> None:
    file = tmp_path / "candidates.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=BAD_FILES[text]):
        load_candidates(file)


def test_an_unknown_candidate_lists_the_known() -> None:
    with pytest.raises(SettingsError, match=r"no candidate 'als'.*popularity, .*lightfm_hybrid"):
        candidate_named("als")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("models.absent:Model", "models.absent:Model"),
        ("models.recommenders.popularity:Absent", "models.recommenders.popularity:Absent"),
        ("models.recommender:Interactions", "no method 'fit'"),
        ("models.recommenders.factors:Factors", "no method 'fit'"),
        ("subprocess:Popen", "no class of Catwalk"),
        ("models.recommenders.popularity:annotations.x", "no class of Catwalk"),
    ],
)
def test_classes_that_are_no_recommender(path: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        model_class(path)


BAD_PARAMETERS = [
    {"component": 3},
    {"components": 0},
    {"components": 2.5},
    {"components": True},
    {"components": "32"},
    {"components": None},
    {"epochs": 0},
    {"epochs": 10**6},
    {"patience": -1},
    {"learning_rate": 0},
    {"learning_rate": float("nan")},
    {"learning_rate": "fast"},
    {"item_alpha": -0.1},
    {"user_alpha": 2},
    {"max_sampled": 0},
    {"attribute_share": -1},
    {"weight_power": 1.5},
    {"random_state": -1},
    {"num_threads": 0},
]


@pytest.mark.parametrize("parameters", BAD_PARAMETERS, ids=str)
def test_parameters_out_of_range(parameters: dict[str, float], shop: Storage) -> None:
    entry = {"name": "a", "class": LIGHTFM, "parameters": parameters, "why": "w"}
    with pytest.raises(SettingsError, match=next(iter(parameters))):
        make(Candidate.model_validate(entry), shop.settings)


SAID = {
    (
        "LightFMHybrid",
        "epochs",
        0,
    ): "The parameter epochs is 0. Choose a whole number from 1 to 1000.",
    (
        "LightFMHybrid",
        "user_alpha",
        2,
    ): "The parameter user_alpha is 2. Choose a number from 0 to 1.",
    ("AlsoBought", "weighting", "x"): "The parameter weighting is 'x'. Choose one of cosine, bm25.",
    (
        "AlsoBought",
        "longest_history",
        1,
    ): "The parameter longest_history is 1. Choose a whole number from 2 to 100000.",
}


@pytest.mark.parametrize("case", SAID, ids=str)
def test_a_wrong_value_is_named_with_what_may_be(
    case: tuple[str, str, object], shop: Storage
) -> None:
    name, parameter, value = case
    file = {"LightFMHybrid": "lightfm_hybrid", "AlsoBought": "also_bought"}[name]
    entry = {"class": f"models.recommenders.{file}:{name}", "parameters": {parameter: value}}
    with pytest.raises(SettingsError) as caught:
        make(Candidate.model_validate({"name": "a", "why": "w", **entry}), shop.settings)
    assert str(caught.value) == SAID[case]


def test_a_parameter_that_nobody_gave(shop: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Choosy(LightFMHybrid):
        depth: int

    monkeypatch.setattr("models.recommenders.lightfm_hybrid.LightFMHybrid", Choosy)
    entry = {"name": "a", "class": LIGHTFM, "why": "w"}
    with pytest.raises(SettingsError, match="LightFMHybrid needs the parameter 'depth'"):
        make(Candidate.model_validate(entry), shop.settings)


def test_the_shop_gives_seed_and_threads_unless_the_file_does(shop: Storage) -> None:
    settings = shop.settings.model_copy(update={"seed": 11, "training_threads": 2})
    entry = {"name": "a", "class": LIGHTFM, "parameters": {"random_state": 3}, "why": "w"}
    recipe = make(Candidate.model_validate(entry), settings)
    assert isinstance(recipe, LightFMHybrid)
    assert recipe.random_state == 3 and recipe.num_threads == 2
