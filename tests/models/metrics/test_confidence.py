"""Intervals that hold what they promise, and findings that admit what nobody can tell."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from infra.ledger.run_rules import placements_of
from infra.records.evaluation import Noise
from infra.storage import Storage
from models.candidates import Candidate, candidate_named
from models.data.run_tables import read_run
from models.evaluation.compare import compared, score_of
from models.evaluation.evaluate import evaluate
from models.evaluation.measure import measure
from models.evaluation.score_run import evaluation_data
from models.metrics import confidence
from models.metrics.confidence import Margin, intervals, margins, resampled_means, sample
from models.metrics.noise import NOTHING, Added, added, noise_of, pooled
from models.metrics.ranking import Values
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


def alone(mine: Values, theirs: Values, noise: Added | None = NOTHING, kept: float = 1.0) -> Margin:
    """Compare one model with its rival."""
    values = sample({"mine": mine, "theirs": theirs}, 3)
    return margins(values, ["mine"], "theirs", kept, {"mine": noise, "theirs": NOTHING})["mine"]


def test_the_interval_of_no_difference_holds_zero_19_times_of_20() -> None:
    told = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        taste = random.random(300)  # what pairing takes out
        mine, theirs = (taste + 0.1 * random.normal(size=300) for _ in range(2))
        told += alone(mine, theirs).finding != "cannot tell"
    assert told <= 8


def test_pairing_sees_what_two_intervals_cannot() -> None:
    random = np.random.default_rng(5)
    taste = random.random(500)
    better = taste + 0.01 + 0.02 * random.normal(size=500)
    found = alone(better, taste)
    spans = intervals({"mine": better, "theirs": taste}, 1)
    assert found.finding == "better" and spans["mine"][0] < spans["theirs"][1]
    assert found.low < found.middle < found.high
    assert alone(taste, better).finding == "worse"
    assert alone(better, taste, Added(0.5**2, 0.001)).finding == "cannot tell"
    assert alone(better, taste, None).finding == "cannot tell"
    assert alone(taste, better, None).finding == "worse", "an interval over users alone may say so"


@pytest.mark.parametrize(
    ("lost", "finding"), [(0.0, "better"), (0.05, "better"), (0.10, "cannot tell"), (0.2, "worse")]
)
def test_a_drop_is_met_missed_or_left_open(lost: float, finding: str) -> None:
    random = np.random.default_rng(6)
    live = random.random(2_000)
    gone = random.random(2_000) < lost
    assert alone(np.where(gone, 0.0, live), live, kept=0.9).finding == finding


def test_any_drop_follows_from_one_resampling() -> None:
    """The mean of resampled differences is the difference of resampled means."""
    random = np.random.default_rng(9)
    mine, theirs = random.random(400), random.random(400)
    found = alone(mine, theirs, kept=0.9)
    differences = mine - 0.9 * theirs
    direct = np.percentile(resampled_means(differences[:, None], 3), [2.5, 97.5])
    assert found.middle == pytest.approx(differences.mean())
    assert [found.low, found.high] == pytest.approx(direct.tolist(), abs=0.0025)


def test_a_single_user_tells_nothing() -> None:
    found = alone(np.ones(1), np.zeros(1))
    assert found.finding == "cannot tell" and np.isfinite([found.low, found.high]).all()


def test_equal_lists_need_no_training_again_to_explain_them() -> None:
    values = np.random.default_rng(1).random(300)
    assert alone(values, values, None, kept=0.9).finding == "better"
    assert alone(values, values, Added(4.0, 1.0)) == Margin(0.0, 0.0, 0.0, 0.0)


def test_the_best_of_eight_equal_models_is_called_different_in_one_run_of_twenty() -> None:
    """Each alone would be called different in one of twenty: one of the eight in three."""
    names = [f"model{number}" for number in range(8)]
    together = apart = 0
    for seed in range(150):
        random = np.random.default_rng(seed)
        live = random.random(200)
        models = {name: live + 0.2 * random.normal(size=200) for name in names}
        values, noise = (
            sample({**models, "live": live}, seed),
            dict.fromkeys([*names, "live"], NOTHING),
        )
        found = margins(values, names, "live", 1.0, noise).values()
        together += any(margin.finding != "cannot tell" for margin in found)
        single = [margins(values, [name], "live", 1.0, noise)[name] for name in names]
        apart += any(margin.finding != "cannot tell" for margin in single)
    assert together <= 14 < 30 <= apart


def trained(random: np.random.Generator, taste: Values, common: float, apart: float) -> Values:
    """Train an equal model: the seed moves all users together, and each on its own."""
    own: Values = taste + common * random.normal() + apart * random.normal(size=len(taste))
    return own


# refits a run, runs, what the seed moves all users by, each user by
REFITS = [(2, 1, 0.0, 0.1), (2, 1, 0.005, 0.1), (3, 1, 0.02, 0.1), (1, 10, 0.02, 0.1)]
REFITS += [(2, 10, 0.0, 0.1), (2, 10, 0.005, 0.1), (2, 10, 0.02, 0.02)]


@pytest.mark.parametrize(("refits", "runs", "common", "apart"), REFITS)
def test_two_equal_models_are_called_different_in_one_of_twenty(
    refits: int, runs: int, common: float, apart: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By few refits a run; the largest difference of three trainings said so in one of seven."""
    monkeypatch.setattr(confidence, "RESAMPLES", 100)
    random, told, tries = np.random.default_rng(2), 0, 400
    for _ in range(tries):
        taste = 0.3 * random.random(200)
        again = [
            noise_of(np.array([trained(random, taste, common, apart) for _ in range(refits + 1)]))
            for _ in range(runs)
        ]
        together = pooled(again)
        assert together is not None and together.refits == refits * runs
        models = {name: trained(random, taste, common, apart) for name in ("mine", "live")}
        noise = dict.fromkeys(models, added(together))
        found = margins(sample(models, 1), ["mine"], "live", 1.0, noise)["mine"]
        told += found.finding != "cannot tell"
    assert told <= 0.05 * tries + 2 * (0.05 * 0.95 * tries) ** 0.5


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
    assert found["popularity"].noise == found["content"].noise == {}
    noise = load_trained(shop, RUN, "lightfm_hybrid").fit.noise
    assert noise and noise["ndcg_at_10"].sd > 0 and noise["ndcg_at_10"].refits == 2
    assert found["lightfm_hybrid"].noise == found["lightfm_hybrid"].pooled == noise


@pytest.mark.parametrize(("noise", "finding"), [({}, "better"), (None, "cannot tell")])
def test_noise_that_nobody_measured_is_not_nothing(
    noise: dict[str, Noise] | None, finding: str, shop: Storage, write_run: WriteRun
) -> None:
    """A model trained with `noise_refits: 0`, beside one that needs none."""
    write_run()
    tables = read_run(shop, RUN)
    data = evaluation_data(tables, None, placements_of(shop, RUN), 1)
    judged = []
    for name in ("popularity", "also_bought"):
        train(shop, RUN, name)
        trained = load_trained(shop, RUN, name)
        score = score_of(name, "candidate", trained, {})
        noisy = score if name == "popularity" else score.model_copy(update={"noise": noise})
        judged.append((noisy, measure(trained.model, data)))
    rivals = frozenset({"popularity"})
    assert compared(judged, data, rivals, "ndcg_at_10", 1)[1].comparisons[0].finding == finding


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
