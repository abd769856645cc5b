"""A recipe with `fit_steps` gets the order of what people did: in training, refit, experiment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from infra.places import PLAN, trained_of
from infra.rules import Strict
from infra.schemas import CATALOGUE, HISTORY
from infra.storage import Storage
from models.candidates import Candidate, make
from models.experiments.experiment import try_variant
from models.experiments.plan import MODELS, Plan, experiment_of, key_of
from models.experiments.sample import in_sample
from models.recommender import Interactions, ItemFeatures
from models.recommenders.capabilities import LearnsFromSteps, recommend_sessions
from models.recommenders.neighbours import Neighbours, assemble
from models.steps import Steps
from models.training.train import learn, learn_and_keep, read_lesson
from models.training.trained_model import load_kept, load_trained
from tests.models.conftest import RUN, WriteRun, step


class NextItem(Strict):
    """An item leads to those that came right after it in a visit."""

    def fit(self, train: Interactions, items: ItemFeatures) -> Neighbours:
        """Without steps nothing leads anywhere."""
        shape = (len(items.items), len(items.items))
        return assemble(train, items, train.weights.data, csr_matrix(shape, dtype=np.float32))

    def fit_steps(self, train: Interactions, items: ItemFeatures, steps: Steps) -> Neighbours:
        """Count the pairs of steps that follow each other; see `LearnsFromSteps`."""
        follows = (np.diff(steps.visits) == 0) & (steps.item[:-1] >= 0) & (steps.item[1:] >= 0)
        pairs = (steps.item[:-1][follows], steps.item[1:][follows])
        shape = (len(items.items), len(items.items))
        counts = csr_matrix((np.ones(int(follows.sum()), np.float32), pairs), shape=shape)
        return assemble(train, items, train.weights.data, counts)

    @classmethod
    def load(cls, folder: Path) -> Neighbours:
        """See `models.recommender.Recipe.load`."""
        return Neighbours.load(folder)


STEPS = [
    *(step(person, "item001", 0) for person in ("user000", "user002")),
    step("user000", "item007", 1),
    step("user002", "item003", 1),
    step("user000", "item009", 2, part="holdout"),
]
MINE = "run=manual__2026-11-24T09-00-00"
HERE = experiment_of(MINE)


@pytest.fixture
def candidate(monkeypatch: pytest.MonkeyPatch) -> Candidate:
    """Return an entry for the recipe: classes are looked up below `models` alone."""
    monkeypatch.setattr("models.recommenders.popularity.NextItem", NextItem, raising=False)
    path = "models.recommenders.popularity:NextItem"
    return Candidate.model_validate({"name": "next_item", "class": path, "why": "for this test"})


def after(model: Neighbours, item: str) -> set[str]:
    """Return what a model says of a stranger who looked at one item, beside bestsellers."""
    given = recommend_sessions(model, [np.array([item])], 3)
    return set(given.catalogue[given.items[given.own]].tolist())


def test_it_says_so_by_having_the_method() -> None:
    assert isinstance(NextItem(), LearnsFromSteps)
    assert not isinstance(object(), LearnsFromSteps)


def test_training_gives_it_the_steps_before_the_cut(
    shop: Storage, write_run: WriteRun, candidate: Candidate
) -> None:
    write_run(steps=STEPS)
    recipe = make(candidate, shop.settings)
    lesson = read_lesson(shop, RUN, recipe)
    learn_and_keep(shop, RUN, candidate, recipe, lesson, trained_of(RUN))
    model = load_trained(shop, RUN, "next_item").model
    assert after(model, "item001") == {"item003", "item007"} and not after(model, "item007")


def test_a_refit_gives_it_all_of_them(
    shop: Storage, write_run: WriteRun, candidate: Candidate
) -> None:
    write_run(steps=STEPS)
    recipe = make(candidate, shop.settings)
    model, _ = learn(recipe, read_lesson(shop, RUN, recipe, HISTORY, CATALOGUE))
    assert after(model, "item001") == {"item003", "item007"}
    assert after(model, "item007") == {"item009"}


def test_an_experiment_gives_it_those_of_its_sample(
    shop: Storage, write_run: WriteRun, candidate: Candidate
) -> None:
    write_run(steps=STEPS)
    facts = {"run": RUN, "share": 0.5, "candidate": "next_item"}
    plan = Plan.model_validate({**facts, "experiment": HERE, "variants": [candidate]})
    content = plan.model_dump_json(by_alias=True).encode()
    shop.lake.store.write(key_of(HERE, PLAN), content)
    assert in_sample(np.array(["user000", "user002"]), 0.5).tolist() == [False, True]
    try_variant(shop, MINE, "next_item")
    model = load_kept(shop, key_of(HERE, MODELS), "next_item").model
    assert after(model, "item001") == {"item003"}
