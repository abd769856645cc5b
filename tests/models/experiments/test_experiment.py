"""An experiment: refused before training if wrong, measured like a run, and never released."""

from __future__ import annotations

import ast
import doctest
import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from infra.errors import CatwalkError, InputError, SettingsError
from infra.records.evaluation import ExperimentRecord
from infra.storage import Storage
from models.bundle.build_bundle import build_bundle
from models.candidates import candidate_named
from models.data.run_tables import read_run
from models.evaluation.evaluate import evaluate
from models.experiments import sample
from models.experiments.experiment import compare_variants, try_variant
from models.experiments.plan import GATES, latest_accepted, plan_experiment
from models.experiments.sample import sampled
from models.publishing.publish import publish
from models.release.judge_release import judge_release
from models.tracking.client import RETRAINING, client_of
from models.training.train import train
from tests.conftest import REPOSITORY
from tests.models.conftest import AS_OF, RUN, WriteRun, save_gate, tastes

pytestmark = pytest.mark.usefixtures("mlflow_tables")
MINE = "run=manual__2026-11-24T09-00-00"
HERE = "experiments/manual__2026-11-24T09-00-00"
FORM: dict[str, Any] = {
    "candidate": "also_bought",
    "parameters": {"weighting": ["cosine", "bm25"], "neighbours": [100, 1]},
    "share": 1.0,
    "run": None,
}


@pytest.fixture
def accepted(shop: Storage, write_run: WriteRun) -> Storage:
    save_gates(shop, write_run())
    return shop


def save_gates(shop: Storage, run: str) -> None:
    for gate in GATES:
        save_gate(shop, run, gate=gate)


def run_all(form: dict[str, Any], shop: Storage) -> dict[str, Any]:
    for name in plan_experiment(shop, MINE, form):
        try_variant(shop, MINE, name)
    return compare_variants(shop, MINE)


def test_a_grid_is_measured_as_a_run_is(accepted: Storage) -> None:
    names = plan_experiment(accepted, MINE, FORM)
    tried = [f"also_bought-{number}" for number in (1, 2, 3)]  # one of four is the one as it is
    assert names == ["popularity", "also_bought", *tried]
    assert run_all(FORM, accepted)["page"].endswith(f"{HERE}/index.html")
    content = accepted.reports.read(f"{HERE}/comparison.json")
    record = ExperimentRecord.model_validate_json(content)
    scores = {score.name: score for score in record.scores}
    for name in ("popularity", "also_bought"):
        train(accepted, RUN, name)
    mine = scores["also_bought"]
    with pytest.MonkeyPatch.context() as patch:
        both = tuple(map(candidate_named, ("popularity", "also_bought")))
        patch.setattr("models.evaluation.evaluate.candidates_of", lambda *_: both)
        theirs = evaluate(accepted, RUN).scores[1]
    costs = {"training_minutes", "peak_memory_mb", "model_mb"}  # times have other lengths
    assert {**mine.metrics, **dict.fromkeys(costs, 0)} == {
        **theirs.metrics,
        **dict.fromkeys(costs, 0),
    }
    assert mine.slices == theirs.slices and mine.model_sha256 != ""
    against = {comparison.against for comparison in scores["also_bought-1"].comparisons}
    assert against == {"popularity", "also_bought"}
    assert scores["also_bought-3"].parameters["neighbours"] == 1


def test_the_page_shows_every_variant_and_escapes_the_data(
    shop: Storage, write_run: WriteRun
) -> None:
    pairs, items = tastes()
    save_gates(shop, write_run(pairs, [{**row, "category": "<b>"} for row in items]))
    run_all(FORM, shop)
    page = shop.reports.read(f"{HERE}/index.html").decode()
    assert "also_bought-3" in page and "neighbours 1<" in page and "never published" in page
    assert "category=&lt;b&gt;" in page and "<b>," not in page
    assert "<script" not in page and "http" not in page


def test_it_lands_in_an_experiment_of_its_own_and_never_in_the_registry(accepted: Storage) -> None:
    run_all({**FORM, "parameters": {}}, accepted)
    run_all({**FORM, "parameters": {}}, accepted)
    with client_of(accepted.settings) as client:
        names = [experiment.name for experiment in client.search_experiments()]
        assert "experiment" in names and RETRAINING not in names
        place = client.get_experiment_by_name("experiment").experiment_id
        runs = client.search_runs([place])
        names = {run.info.run_name.split()[0] for run in runs}
        assert names == {"also_bought", "popularity"} and len(runs) == 2
        files = {file.path for file in client.list_artifacts(runs[0].info.run_id)}
        assert files == {"index.html", "comparison.json"}
        assert client.search_registered_models() == []


def test_nothing_of_it_can_be_released(accepted: Storage) -> None:
    run_all({**FORM, "parameters": {}}, accepted)
    assert accepted.lake.partitions("candidates") == [] == accepted.published.list("")
    for run in (MINE, HERE, f"run={HERE}"):
        for step in (judge_release, build_bundle, publish):
            with pytest.raises(CatwalkError):
                step(accepted, run)
    assert accepted.published.list("") == []


def test_no_import_leads_from_it_to_a_release() -> None:
    files = [REPOSITORY / "dags/experiment.py", *(REPOSITORY / "models/experiments").glob("*.py")]
    names = {
        f"{node.module}.{alias.name}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    releasing = (
        "models.release.",
        "models.bundle.",
        "models.publishing.",
        "models.evaluation.evaluate.",
        "infra.ledger.live_pointer.",
        "models.tracking.registry.follow_pointer",
    )
    assert len(files) > 3 and "models.experiments.plan.plan_experiment" in names
    assert not [name for name in names if name.startswith(releasing)]


BAD_FORMS = {
    "There is no candidate 'als'": {"candidate": "als"},
    "has no parameter 'neighbour'": {"parameters": {"neighbour": 3}},
    "parameter neighbours is 0": {"parameters": {"neighbours": [5, 0]}},
    "parameter weighting is 'tf'": {"parameters": {"weighting": "tf"}},
    "The grid has 20 points": {"parameters": {"neighbours": list(range(1, 21))}},
    "has an empty list": {"parameters": {"neighbours": []}},
    "key 'share'": {"share": 0},
    "key 'share': input should be less": {"share": 1.5},
    "unknown key 'publish'": {"publish": True},
    "no tables that passed": {"run": "another"},
    "The share is 0.0001. Raise it": {"share": 0.0001},
}


@pytest.mark.parametrize("message", BAD_FORMS)
def test_a_wrong_form_is_refused_before_training(message: str, accepted: Storage) -> None:
    with pytest.raises((SettingsError, InputError), match=message):
        plan_experiment(accepted, MINE, {**FORM, **BAD_FORMS[message]})
    assert accepted.lake.store.list("experiments") == []


def test_only_tables_that_passed_their_gate_are_used(shop: Storage, write_run: WriteRun) -> None:
    with pytest.raises(InputError, match="Run retrain_recommender first"):
        latest_accepted(shop)
    early, late = (
        write_run(run=f"run={name}", as_of=AS_OF + timedelta(days=day))
        for name, day in (("z_early", 0), ("a_late", 1))
    )
    stopped = write_run(run="run=stopped", as_of=AS_OF + timedelta(days=2))
    write_run(run="run=never_judged", as_of=AS_OF + timedelta(days=3))
    half = write_run(run="run=items_never_judged", as_of=AS_OF + timedelta(days=3))
    save_gate(shop, half, gate="interactions")
    for run in (early, late, stopped):
        save_gates(shop, run)
    save_gate(shop, stopped, gate="items", result="stopped")
    assert latest_accepted(shop) == late
    plan_experiment(shop, MINE, {**FORM, "run": "z_early"})
    assert json.loads(shop.lake.store.read(f"{HERE}/plan.json"))["run"] == early


def test_a_sample_is_the_same_users_in_both_parts(accepted: Storage) -> None:
    whole = read_run(accepted, RUN)
    half, quarter = sampled(whole, 0.5), sampled(whole, 0.25)
    assert set(quarter.train.users) < set(half.train.users) < set(whole.train.users)
    assert 15 < len(half.train.users) < 45 and half.train.items is whole.train.items
    assert set(half.holdout.users) == set(half.train.users)
    assert (half.past.seen != (half.train.weights > 0)).nnz == 0
    for row, user in enumerate(half.train.users):
        place = int(np.flatnonzero(whole.train.users == user)[0])
        assert (half.train.weights[row] != whole.train.weights[place]).nnz == 0
    assert len(half.train.last_times) == half.train.weights.nnz


def test_a_variant_of_another_plan_is_refused(accepted: Storage, write_run: WriteRun) -> None:
    form = {**FORM, "parameters": {}}
    for name in plan_experiment(accepted, MINE, form):
        try_variant(accepted, MINE, name)
    later = write_run(run="run=later", as_of=AS_OF + timedelta(days=1))
    save_gates(accepted, later)
    plan_experiment(accepted, MINE, form)
    with pytest.raises(InputError, match="Clear the tasks try_variant"):
        compare_variants(accepted, MINE)


def test_worked_examples() -> None:
    tried = doctest.testmod(sample)
    assert tried.failed == 0 and tried.attempted > 0
