"""What training again adds: the part of it that customers do not explain, and how sure that is."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from infra.records.evaluation import Noise, Score
from models.metrics import noise
from models.metrics.noise import NOTHING, added, noise_of, noise_on, pooled


def test_what_moves_each_customer_alone_is_in_their_variance_already() -> None:
    random = np.random.default_rng(1)
    apart = noise_of(0.1 * random.normal(size=(60, 400)))
    assert apart.sd == pytest.approx(0.1 / 20, rel=0.3)
    assert apart.within == pytest.approx(0.1 / 20, rel=0.02)
    together = noise_of(np.repeat(0.1 * random.normal(size=(60, 1)), 400, axis=1))
    assert together.within == pytest.approx(together.sd / 20)
    assert added(together).variance == pytest.approx(0.01, rel=0.5)
    assert added(apart).variance < 0.01 / 100


def test_more_refits_are_surer() -> None:
    few, many = Noise(sd=0.1, refits=2), Noise(sd=0.1, refits=20)
    assert added(few).variance == added(many).variance
    assert added(few).error == 10 * added(many).error
    together = pooled([few] * 10)
    assert together is not None and together.refits == 20
    assert together.sd == pytest.approx(many.sd)
    assert pooled([]) is None


def test_no_seed_is_nothing_and_no_measure_is_unknown() -> None:
    def score(**change: object) -> Score:
        given = {"name": "m", "role": "candidate", "parameters": {}, "metrics": {}}
        return Score.model_validate({**given, **change})

    own = {"ndcg_at_10": {"sd": 0.2, "refits": 2}}
    assert noise_on(score(noise={}), "ndcg_at_10") == NOTHING
    assert noise_on(score(noise=None), "ndcg_at_10") is None
    assert noise_on(score(noise=own), "auc") is None, "of another metric nobody knows"
    assert noise_on(score(noise=own), "ndcg_at_10") == added(Noise(sd=0.2, refits=2))
    more = {"ndcg_at_10": {"sd": 0.1, "refits": 9}}
    assert noise_on(score(noise=own, pooled=more), "ndcg_at_10") == added(Noise(sd=0.1, refits=9))


def test_worked_examples() -> None:
    tried = doctest.testmod(noise)
    assert tried.failed == 0 and tried.attempted > 0
