"""The benchmark scores as a run does, and no model of a window twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from infra.placements import load_placements
from infra.records.evaluation import Role, Score
from infra.storage import Storage
from models.benches.release_scores import Scorer
from models.data.run_tables import RunTables, read_run
from models.evaluation.score_run import Entrant, score_run
from models.recommender import ItemIds, Recommendations, Recommender, UserIds
from models.recommenders.also_bought import AlsoBought
from models.recommenders.popularity import Popularity
from tests.models.conftest import RUN, WriteRun

SEED = 7


@dataclass
class Counted:
    """A model that counts how often it is asked."""

    model: Recommender
    times: int = 0

    @property
    def items(self) -> ItemIds:
        """Return those of the model."""
        return self.model.items

    @property
    def recommendable(self) -> np.ndarray:
        """Return those of the model."""
        return self.model.recommendable

    def recommend(self, users: UserIds, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """Answer as the model does."""
        self.times += 1
        return self.model.recommend(users, k, exclude_seen=exclude_seen)


def entrant(name: str, model: Recommender, role: Role = "candidate") -> Entrant:
    score = Score(name=name, role=role, parameters={}, metrics={"training_minutes": 2.0}, noise={})
    return Entrant(score, model)


@pytest.fixture
def tables(shop: Storage, write_run: WriteRun) -> RunTables:
    write_run()
    return read_run(shop, RUN)


@pytest.fixture
def scorer(shop: Storage, tables: RunTables) -> Scorer:
    return Scorer.of(tables, load_placements(shop.settings.placements), SEED)


def test_scores_and_values_are_those_of_a_run(
    shop: Storage, tables: RunTables, scorer: Scorer
) -> None:
    mine, live = AlsoBought().fit(tables.train, tables.items), Popularity()
    entrants = (
        entrant("mine", mine),
        entrant("popularity", live.fit(tables.train, tables.items)),
        entrant("mine", AlsoBought(neighbours=3).fit(tables.train, tables.items), "champion"),
    )
    scores, values = scorer.score(entrants)
    placements = load_placements(shop.settings.placements)
    run = score_run(tables, None, entrants, placements, frozenset({"popularity"}), SEED)
    assert [score.metrics for score in scores] == [score.metrics for score in run.scores]
    assert "list_overlap_vs_live" in scores[0].metrics
    assert values.seed == SEED and values.by_metric.keys() == run.values.by_metric.keys()
    for metric, entries in values.by_metric.items():
        for entry, array in run.values.by_metric[metric].items():
            np.testing.assert_array_equal(entries[entry], array)


def test_a_model_of_several_releases_is_measured_once(tables: RunTables, scorer: Scorer) -> None:
    model = Counted(Popularity().fit(tables.train, tables.items))
    scorer.score([entrant("a", model)])
    asked = model.times
    scorer.score([entrant("a", model), entrant("b", model, "champion")])
    assert asked > 0 and model.times == asked


def test_a_branch_knows_what_was_measured_and_keeps_what_it_adds(
    tables: RunTables, scorer: Scorer
) -> None:
    first, second = (Counted(Popularity().fit(tables.train, tables.items)) for _ in range(2))
    scorer.score([entrant("a", first)])
    times, branch = first.times, scorer.branch()
    branch.score([entrant("a", first), entrant("b", second)])
    assert first.times == times
    asked = second.times
    scorer.score([entrant("b", second)])
    assert second.times == 2 * asked > 0, "the branch alone knew it"
