"""Intervals that hold what they promise, and findings that admit what nobody can tell."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from infra.ledger.run_rules import placements_of
from infra.storage import Storage
from models.candidates import Candidate, candidate_named
from models.data.run_tables import read_run
from models.evaluation.compare import compared, score_of
from models.evaluation.evaluate import evaluate
from models.evaluation.measure import measure
from models.evaluation.score_run import sitting_of
from models.metrics import confidence
from models.metrics.confidence import compare, intervals, resampled_means
from models.publishing.publish import publish
from models.training.seed_noise import with_other_seed
from models.training.train import train
from models.training.trained_model import load_trained
from tests.models.conftest import RUN, WriteRun, prepare_bundle
from tests.models.evaluation.test_evaluate import train_all


def test_the_interval_is_that_of_the_normal_curve_for_many_users() -> None:
    values = np.random.default_rng(1).random(4_000)
    low, high = intervals({"m": values}, seed=3)["m"]
    error = 1.96 * values.std() / np.sqrt(4_000)
    assert low == pytest.approx(values.mean() - error, abs=error / 8)
    assert high == pytest.approx(values.mean() + error, abs=error / 8)


def test_the_same_as_drawing_users_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confidence, "RESAMPLES", 5)
    values = np.random.default_rng(2).random((7, 3))
    random = np.random.default_rng(11)
    slow = [
        [sum(values[user, column] for user in drawn) / 7 for column in range(3)]
        for drawn in (random.integers(0, 7, 7) for _ in range(5))
    ]
    np.testing.assert_allclose(resampled_means(values, 11), slow)


def test_the_interval_of_no_difference_holds_zero_19_times_of_20() -> None:
    misses = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        taste = random.random(300)  # what pairing takes out
        mine, theirs = (taste + 0.1 * random.normal(size=300) for _ in range(2))
        found = compare("m", mine, {"other": theirs}, {"other": 0.0}, seed)[0]
        misses += found.finding != "cannot tell"
    assert misses <= 8


def test_pairing_sees_what_two_intervals_cannot() -> None:
    random = np.random.default_rng(5)
    taste = random.random(500)
    better = taste + 0.01 + 0.02 * random.normal(size=500)
    found = {
        comparison.against: comparison
        for comparison in compare("m", better, {"a": taste}, {"a": 0.0}, 1)
    }
    spans = intervals({"mine": better, "theirs": taste}, 1)
    assert found["a"].finding == "better" and spans["mine"][0] < spans["theirs"][1]
    assert found["a"].low < found["a"].difference < found["a"].high
    assert compare("m", taste, {"a": better}, {"a": 0.0}, 1)[0].finding == "worse"
    assert compare("m", better, {"a": taste}, {"a": 0.5}, 1)[0].finding == "cannot tell"
    assert compare("m", better, {"a": taste}, {"a": None}, 1)[0].finding == "cannot tell"
    assert compare("m", better, {}, {}, 1) == ()


def test_every_model_is_compared_with_champion_and_baseline(
    shop: Storage, write_run: WriteRun
) -> None:
    prepare_bundle(shop, write_run())
    publish(shop, RUN)
    record = evaluate(shop, RUN)
    for score in record.scores:
        against = [comparison.against for comparison in score.comparisons]
        itself = {"popularity": ["champion"]}.get(score.name, ["champion", "popularity"])
        assert against == (["popularity"] if score.role == "champion" else itself)
        for metric, (low, high) in score.intervals.items():
            assert low <= score.metrics[metric] <= high
    found = {score.name: score for score in record.scores}
    same = found["also_bought"]
    assert same.role == "champion" and same.comparisons[0].finding == "better"
    assert found["popularity"].noise == found["content"].noise == 0.0
    assert found["lightfm_hybrid"].noise == load_noise(shop) and load_noise(shop) > 0


def load_noise(shop: Storage) -> float:
    return load_trained(shop, RUN, "lightfm_hybrid").fit.noise or 0.0


@pytest.mark.parametrize(("noise", "finding"), [(0.0, "better"), (None, "cannot tell")])
def test_noise_that_nobody_measured_is_not_none(
    noise: float | None, finding: str, shop: Storage, write_run: WriteRun
) -> None:
    """A model trained with `noise_refits: 0`, beside one that needs none."""
    write_run()
    tables = read_run(shop, RUN)
    sitting = sitting_of(tables, None, placements_of(shop, RUN), 1)
    judged = []
    for name in ("popularity", "also_bought"):
        train(shop, RUN, name)
        trained = load_trained(shop, RUN, name)
        score = score_of(name, "candidate", trained, {})
        noisy = score if name == "popularity" else score.model_copy(update={"noise": noise})
        judged.append((noisy, measure(trained.model, sitting)))
    rivals = frozenset({"popularity"})
    assert compared(judged, sitting, rivals, "ndcg_at_10", 1)[1].comparisons[0].finding == finding


def test_a_model_that_is_the_champion_cannot_be_told_from_it(
    shop: Storage, write_run: WriteRun
) -> None:
    prepare_bundle(shop, write_run())
    publish(shop, RUN)
    train_all(shop, RUN)
    twin = next(score for score in evaluate(shop, RUN).scores if score.name == "also_bought")
    assert twin.role == "candidate"
    comparison = twin.comparisons[0]
    assert (comparison.against, comparison.difference) == ("champion", 0.0)
    assert comparison.finding == "cannot tell"


def test_another_seed_moves_one_that_is_fixed() -> None:
    candidate = candidate_named("lightfm_hybrid")
    assert with_other_seed(candidate, 8).parameters["random_state"] == 8
    fixed = {**candidate.parameters, "random_state": 3}
    entry = {**candidate.model_dump(by_alias=True), "parameters": fixed}
    assert with_other_seed(Candidate.model_validate(entry), 8).parameters["random_state"] == 11


def test_worked_examples() -> None:
    tried = doctest.testmod(confidence)
    assert tried.failed == 0 and tried.attempted > 0
