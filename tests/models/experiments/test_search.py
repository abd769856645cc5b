"""A search: on days before the cut that the hold-out never sees, and the same every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from infra.errors import InputError, SettingsError
from infra.records.evaluation import ExperimentRecord
from infra.storage import Storage
from models.candidates import candidate_named
from models.data.run_steps import read_steps
from models.data.run_tables import read_run
from models.experiments.earlier_tables import earlier
from models.experiments.experiment import compare_variants, try_variant
from models.experiments.plan import plan_experiment, read_plan
from models.experiments.search import search_parameters
from models.publishing.publish import publish
from tests.models.conftest import AS_OF, RUN, Row, WriteRun, prepare_bundle, step, tastes
from tests.models.experiments.test_experiment import HERE, MINE, save_gates

pytestmark = pytest.mark.usefixtures("mlflow_tables")
NEIGHBOURS: dict[str, Any] = {"from": 1, "to": 40}
PARTS = ("train", "holdout")
FORM: dict[str, Any] = {
    "candidate": "also_bought",
    "parameters": {"neighbours": NEIGHBOURS, "weighting": ["bm25", "cosine"]},
    "budget": 6,
    "share": 1.0,
    "run": None,
}


def purchases() -> Iterator[Row]:
    """Everybody buys what they have pairs of, a thing every other day."""
    bought = Counter[str]()
    for pair in tastes()[0]:
        user, place = str(pair["user_key"]), bought[str(pair["user_key"])]
        if pair["part"] == "train":
            when = {"session": f"s{place}", "event_time": AS_OF - timedelta(days=18 - 2 * place)}
            yield step(user, str(pair["item_id"]), place, event_type="purchase", **when)
            bought[user] += 1


@pytest.fixture
def accepted(shop: Storage, write_run: WriteRun) -> Storage:
    save_gates(shop, write_run(steps=list(purchases())))
    return shop


def test_the_best_points_are_scored_beside_the_candidate_and_what_is_live(
    accepted: Storage,
) -> None:
    prepare_bundle(accepted, RUN)
    publish(accepted, RUN)
    assert plan_experiment(accepted, MINE, FORM) == ["popularity", "also_bought"]
    assert read_plan(accepted, MINE).live == "also_bought", "it is live as it is"
    space = {"regularisation": {"from": 1.0, "to": 1000.0, "scale": "log"}, "weight_power": 0.5}
    names = plan_experiment(accepted, MINE, {**FORM, "candidate": "ease", "parameters": space})
    assert names == ["popularity", "ease", "live"]
    found = search_parameters(accepted, MINE)
    tried = read_plan(accepted, MINE).tried
    assert len(tried) == 6 and len({str(each.parameters) for each in tried}) > 3
    own = candidate_named("ease").parameters
    assert tried[0].parameters.items() <= own.items(), "as it is comes first"
    assert all(1 <= each.parameters["regularisation"] <= 1000 for each in tried)
    assert search_parameters(accepted, MINE) == found, "again, it finds the same"
    assert read_plan(accepted, MINE).tried == tried
    assert found[:3] == names and found[3:] == [f"ease-{number}" for number in (1, 2, 3)]
    for name in found:
        try_variant(accepted, MINE, name)
    compare_variants(accepted, MINE)
    record = ExperimentRecord.model_validate_json(accepted.reports.read(f"{HERE}/comparison.json"))
    assert (record.live, len(record.tried)) == ("live", 6)
    best = max(tried, key=lambda each: each.value or 0)
    first = next(score for score in record.scores if score.name == "ease-1")
    assert first.parameters == {**own, **best.parameters}
    assert {made.against for made in first.comparisons} == {"popularity", "ease", "live"}
    page = accepted.reports.read(f"{HERE}/index.html").decode()
    assert "What the search tried" in page and "6 points" in page


def test_a_search_knows_nothing_of_the_hold_out(accepted: Storage, write_run: WriteRun) -> None:
    plan_experiment(accepted, MINE, FORM)
    search_parameters(accepted, MINE)
    before = read_plan(accepted, MINE).tried
    pairs, items = tastes()
    train, taken = ([each for each in pairs if each["part"] == part] for part in PARTS)
    assert len(taken) > 100
    write_run([*train, *taken[::3]], items, steps=list(purchases()))  # most of it never happened
    search_parameters(accepted, MINE)
    assert read_plan(accepted, MINE).tried == before


def test_the_cut_moves_and_nothing_after_it_is_learnt(accepted: Storage) -> None:
    tables = read_run(accepted, RUN)
    steps = read_steps(accepted, RUN, tables.items.items, "train")
    moved, past = earlier(tables, steps, ("purchase",), 30.0)
    cut = np.datetime64(moved.cut.replace(tzinfo=None))
    assert past.times.max() < cut <= steps.times.max() and moved.as_of == tables.cut
    assert moved.train.last_times.max() < cut
    assert moved.past.seen.nnz == moved.past.bought.nnz == moved.train.weights.nnz
    assert moved.past.bought.data.max() < cut.astype("datetime64[us]").astype(np.int64)
    late = steps.of_steps(steps.times >= cut)
    assert moved.holdout.successes.sum() == len(late.times) == moved.holdout.purchases.sum() > 50


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no range": ({"neighbours": {"from": 9, "to": 3}}, "from 9 to 3 is no range"),
    "log of nothing": ({"neighbours": {"from": 0, "to": 3, "scale": "log"}}, "starts above 0"),
    "another key": ({"neighbours": {"from": 1, "till": 3}}, "parameters"),
    "out of bounds": ({"neighbours": {"from": 1, "to": 99_999}}, "neighbours is 99999"),
    "broken whole": ({"neighbours": {"from": 1.5, "to": 3}}, "neighbours is 1.5"),
    "endless": ({"neighbours": {"from": 1, "to": float("inf")}}, "finite"),
    "empty list": ({"neighbours": NEIGHBOURS, "weighting": []}, "has an empty list"),
    "unknown": ({"neighbour": {"from": 1, "to": 3}}, "no parameter 'neighbour'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_space_is_refused_before_anything_is_trained(name: str, accepted: Storage) -> None:
    space, message = BAD[name]
    with pytest.raises(SettingsError, match=message):
        plan_experiment(accepted, MINE, {**FORM, "parameters": space})
    assert accepted.lake.store.list("experiments") == []


def test_a_run_without_steps_cannot_be_searched(shop: Storage, write_run: WriteRun) -> None:
    save_gates(shop, write_run())
    plan_experiment(shop, MINE, FORM)
    with pytest.raises(InputError, match="no steps before its cut"):
        search_parameters(shop, MINE)


def test_points_that_cannot_be_trained_are_passed_over(
    accepted: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.recommenders.also_bought import AlsoBought

    fit = AlsoBought.fit

    def fit_few(self: AlsoBought, *data: Any) -> Any:
        if self.neighbours > limit:
            raise InputError("It diverged.", "Less.")
        return fit(self, *data)

    monkeypatch.setattr(AlsoBought, "fit", fit_few)
    plan_experiment(accepted, MINE, FORM)
    limit = 20
    search_parameters(accepted, MINE)
    values = [each.value for each in read_plan(accepted, MINE).tried]
    assert None in values and any(values)
    limit = 0
    plan_experiment(accepted, MINE, FORM)
    with pytest.raises(InputError, match="None of 6 points could be trained"):
        search_parameters(accepted, MINE)
