"""Noise of equal recipes is pooled; each measurement counts once, and other recipes not at all."""

from __future__ import annotations

from infra.records.evaluation import Noise, Score
from models.evaluation.noise_history import with_pooled_noise

METRIC = "ndcg_at_10"


def score(sd: float, epochs: int = 20) -> Score:
    noise = {METRIC: Noise(sd=sd, refits=2)}
    return Score(
        name="hybrid", role="candidate", parameters={"epochs": epochs}, metrics={}, noise=noise
    )


def test_runs_with_equal_parameters_are_pooled_and_others_left_out() -> None:
    together = with_pooled_noise(score(3.0), [score(1.0), score(100.0, epochs=40)]).pooled[METRIC]
    assert together.refits == 4
    assert abs(together.sd**2 - (9 + 1) / 2) < 1e-9


def test_a_measurement_that_two_runs_name_counts_once() -> None:
    assert with_pooled_noise(score(3.0), [score(3.0)]).pooled[METRIC].refits == 2
