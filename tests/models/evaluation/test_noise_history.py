"""What training again moved in earlier runs: each training counts once, and each counts."""

from __future__ import annotations

import math

from models.evaluation.noise_history import with_pooled_noise
from tests.models.release.test_limits import moves, score


def test_two_runs_that_measured_equal_numbers_are_two() -> None:
    mine, earlier = (
        score(0.1, model_sha256=digest, **moves(0.01, 2)) for digest in ("this run", "earlier")
    )
    assert with_pooled_noise(mine, [earlier]).pooled["ndcg_at_10"].refits == 4


def test_a_champion_is_the_training_that_was_measured_in_its_own_run() -> None:
    digest = "its own run"
    champion = score(0.1, name="hybrid", role="champion", model_sha256=digest, **moves(0.01, 2))
    others = score(0.1, model_sha256="other", **moves(0.03, 2))
    own = score(0.1, model_sha256=digest, **moves(0.01, 2))
    pooled = with_pooled_noise(champion, [others, own]).pooled["ndcg_at_10"]
    assert pooled.refits == 4 and math.isclose(pooled.sd, math.sqrt((0.01**2 + 0.03**2) / 2))


def test_runs_with_other_parameters_are_left_out() -> None:
    mine = score(0.1, model_sha256="mine", **moves(0.01, 2))
    other = score(0.1, model_sha256="other", parameters={"epochs": 40}, **moves(1.0, 2))
    assert with_pooled_noise(mine, [other]).pooled["ndcg_at_10"].refits == 2
