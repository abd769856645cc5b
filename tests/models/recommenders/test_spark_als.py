"""ALS through Spark: from the table itself, by the equations of the paper."""

from __future__ import annotations

import numpy as np
import pytest

from infra.places import trained_of
from infra.settings import load_settings
from infra.spark.submit import submit_command
from infra.storage import Storage
from models.candidates import load_candidates, make
from models.data.run_tables import read_run
from models.recommender import NONE
from models.recommenders import spark_als_job
from models.recommenders.factors import Factors
from models.recommenders.spark_als import SparkALS
from models.training.train import train
from models.training.trained_model import load_trained, read_costs
from tests.conftest import JVM
from tests.models.conftest import RUN, SPARK, WriteRun, arrays, interaction, let_all_compete, tastes


@pytest.fixture
def trained(shop: Storage, write_run: WriteRun, spark: object) -> Factors:
    """Train on a table whose hold-out users are few, and one is new."""
    pairs, items = tastes()
    few = [row for row in pairs if row["part"] == "train" or row["user_key"] < "user005"]
    let_all_compete(shop, write_run([*few, interaction("new", "item003", "holdout")], items))
    counts = train(shop, RUN, "spark_als")
    assert (counts["users"], counts["interactions"]) == (60, 360), "not the judged ones alone"
    model = load_trained(shop, RUN, "spark_als").model
    assert isinstance(model, Factors)
    return model


def test_the_table_gives_what_the_arrays_give(trained: Factors, shop: Storage) -> None:
    whole, mine = read_run(shop, RUN), trained
    theirs = make(SPARK, shop.settings).fit(whole.train, whole.items)
    for name in ("users", "items", "seen_starts", "seen_items", "recommendable"):
        assert np.array_equal(getattr(mine, name), getattr(theirs, name)), name
    for name in ("user_vectors", "item_vectors", "popularity"):
        np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=0.02, atol=1e-3)
    assert np.array_equal(mine.seen_items, whole.train.weights.indices)
    assert shop.lake.store.list("scratch") == [], "what Spark was handed is gone"
    assert read_costs(shop, trained_of(RUN), "spark_als").peak_memory_mb > 0


@pytest.mark.xdist_group(JVM)
@pytest.mark.parametrize("candidate", [SPARK], ids=["spark_als"])
def test_the_vectors_solve_the_equations_of_the_paper(recipe: SparkALS, fitted: Factors) -> None:
    weights = arrays(*tastes())[0].weights
    items = fitted.item_vectors.astype(float)
    for user in range(5):
        had = weights[user].indices
        more = recipe.alpha * weights[user].data.astype(float) ** recipe.weight_power
        left = items.T @ items + (items[had].T * more) @ items[had]
        left += recipe.regularisation * len(had) * np.eye(recipe.components)
        expected = np.linalg.solve(left, items[had].T @ (1 + more))
        np.testing.assert_allclose(fitted.user_vectors[user], expected, atol=2e-4)


def test_an_item_nobody_had_makes_no_list_personal(shop: Storage, spark: object) -> None:
    pairs, items = tastes()
    recipe = SparkALS(components=4, iterations=2)
    model = recipe.fit(*arrays([row for row in pairs if row["item_id"] != "item003"], items))
    sessions = [np.array(["item003"]), np.array(["item003", "item004"])]
    given = model.recommend_sessions(sessions, 5)
    assert given.fallback.tolist() == [True, False] and (given.items != NONE).all()


def test_a_cluster_gets_it_through_spark_submit(shop: Storage) -> None:
    settings = load_settings().model_copy(update={"spark_master": "spark://cluster:7077"})
    arguments = SparkALS()._arguments("s3a://lake/scratch/1")
    command = submit_command(
        spark_als_job, ["--pairs", "s3a://lake/interactions/run=1", *arguments], settings
    )
    assert "spark://cluster:7077" in command and str(spark_als_job.__file__) in command
    assert command[command.index("--into") + 1] == "s3a://lake/scratch/1"


def test_it_takes_one_word_to_let_it_compete() -> None:
    assert "spark_als" not in {candidate.name for candidate in load_candidates()}
    assert not SPARK.enabled
