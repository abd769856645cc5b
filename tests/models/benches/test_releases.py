"""The figures of the benchmark are shares of all releases of their kind; a crowd is drawn anew."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import numpy as np

from infra.ledger.run_rules import RELEASE
from infra.records.evaluation import EvaluationRecord, Score
from infra.records.release import Outcome
from infra.rules import read_rules
from models.benches.release_rates import Release, Row
from models.benches.release_replay import AGAIN, LEAKED, ONE_USER, SEED, swapped
from models.benches.releases import DEAD, figures
from models.evaluation.values import UserValues
from models.release.thresholds import parse_thresholds

RULES = parse_thresholds(read_rules(RELEASE), str(RELEASE))
METRICS = {
    "user_coverage": 1.0,
    "catalogue_coverage": 1.0,
    "training_minutes": 1.0,
    "list_overlap_vs_live": 0.9,
}


def row(kind: str, users: int = 1_000, **outcomes: int) -> Row:
    return Row("shop", kind, [users], Counter[Outcome](outcomes))  # type: ignore[arg-type]


def release(mine: float, live: float, users: int = 400) -> Release:
    """Return a release whose candidate and champion hit that share of the customers."""
    hits = {
        name: (np.arange(users) < share * users).astype(np.float64)
        for name, share in {"mine": mine, "champion": live, "popularity": 0.05}.items()
    }
    roles = {"mine": "candidate", "champion": "champion", "popularity": "candidate"}
    scores = tuple(
        Score.model_validate(
            {
                "name": "mine" if name == "champion" else name,
                "role": role,
                "parameters": {},
                "metrics": {**METRICS, "ndcg_at_10": float(hits[name].mean())},
                "noise": {},
                "baseline": name == "popularity",
            }
        )
        for name, role in roles.items()
    )
    now = datetime(2026, 11, 1, tzinfo=UTC)
    record = EvaluationRecord(
        run="run=a",
        at=now,
        cut=now,
        users=users,
        items=10,
        train_interactions=10,
        holdout_interactions=10,
        scores=scores,
        champion="live",
    )
    return Release(record, UserValues(1, {"ndcg_at_10": hits}))


def test_healthy_releases_are_those_of_shops_with_enough_customers() -> None:
    rows = [
        row(AGAIN, release=8, review=2),
        row(SEED, release=9, reject=1),
        row(AGAIN, users=999, review=30),
    ]
    found = figures(rows, [0.06, 0.09])
    assert (found["healthy_unasked"], found["healthy_rejected"]) == (0.85, 0.05)
    assert found["erosion_stopped_at"] == 0.09, "the chain that went on longest"


def test_faulty_releases_are_those_of_all_shops() -> None:
    kinds = (swapped(0.3), swapped(0.5), swapped(0.7), LEAKED, ONE_USER, DEAD)
    rows = [row(kind, users=5, release=place, reject=10) for place, kind in enumerate(kinds)]
    found = figures(rows, [0.03])
    assert found["swapped30_unasked"] == 0.0
    assert found["swapped50_unasked"] == round(3 / 23, 4), "50% and 70% together"
    assert found["leak_unasked"] == round(3 / 13, 4)
    assert found["one_user_unasked"] == round(4 / 14, 4)
    assert found["dead_feed_unasked"] == round(5 / 15, 4)
    assert found["healthy_unasked"] is None, "nothing was measured"


def test_crowds_judge_sound_and_broken_models_alike() -> None:
    assert set(release(0.3, 0.3).outcomes(RULES, 5, seed=1)) == {"release"}
    assert set(release(0.15, 0.3).outcomes(RULES, 5, seed=1)) == {"reject"}


def test_a_loss_that_just_shows_is_decided_by_the_crowd() -> None:
    outcomes = Counter(release(0.298, 0.3, users=2_000).outcomes(RULES, 30, seed=1))
    assert set(outcomes) == {"release", "review"}, "four customers of 2,000 lost what they had"


def test_one_customer_decides_nothing() -> None:
    found = release(0.3, 0.3).of_users(np.array([5]))
    assert (found.record.users, found.ruling(RULES).outcome) == (1, "review")
