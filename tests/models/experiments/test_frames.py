"""A notebook sees the tables of a run as they are, and scores as a run does."""

from __future__ import annotations

import pytest

from infra.errors import InputError
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from models.candidates import candidate_named
from models.evaluation.evaluate import evaluate
from models.experiments.frames import OF_RUN, columns_of, frames_of, scored_on
from models.training.train import train
from models.training.trained_model import load_trained
from tests.models.conftest import RUN, WriteRun, tastes


def test_frames_have_the_documented_columns_and_every_row(
    shop: Storage, write_run: WriteRun
) -> None:
    pairs, items = tastes()
    frames = frames_of(shop, write_run(pairs, items))
    assert set(frames) == set(OF_RUN)
    for name, frame in frames.items():
        assert list(frame.columns) == list(columns_of(name).index), name
    assert len(frames["interactions"]) == len(pairs) and len(frames["items"]) == len(items)
    about = columns_of("interactions")
    assert about.loc["weight", "what it is"].startswith("sum of event weights")
    assert about["may be null"].sum() == len(INTERACTIONS.columns) - len(INTERACTIONS.required)
    with pytest.raises(InputError, match=r"no table 'pairs'.*There are events"):
        columns_of("pairs")


def test_a_model_is_scored_as_in_its_run(shop: Storage, write_run: WriteRun) -> None:
    run = write_run()
    both = tuple(map(candidate_named, ("popularity", "also_bought")))
    for candidate in both:
        train(shop, run, candidate.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.evaluation.evaluate.candidates_of", lambda *_: both)
        (_, theirs) = evaluate(shop, RUN).scores
    mine = scored_on(shop, run, {"mine": load_trained(shop, run, "also_bought").model})
    assert mine.loc["mine", "ndcg_at_10"] == theirs.metrics["ndcg_at_10"]
    assert (mine.loc["mine", "low"], mine.loc["mine", "high"]) == theirs.intervals["ndcg_at_10"]
    (made,) = theirs.comparisons
    assert mine.loc["mine", "finding"] == made.finding == "better"
    assert mine.loc["mine", "against popularity"] == made.difference
