"""What training again moved in earlier runs: each training counts once, and each counts."""

from __future__ import annotations

import math
from datetime import timedelta

from infra.ledger.decision_log import Decision, append
from infra.ledger.run_records import RunRecords
from infra.storage import Storage
from models.evaluation.noise_history import RUNS, past_scores, with_pooled_noise
from tests.models.conftest import AS_OF
from tests.models.release.test_limits import evaluation, moves, score


def judged(shop: Storage, run: str, *names: str, minute: int = 0) -> None:
    """Write down that a run was judged, and what it had scored: nothing without a name."""
    if names:
        scores = [score(0.1, name, model_sha256=f"{name} of {run}") for name in names]
        RunRecords(shop, run).save_evaluation(evaluation(*scores, run=run))
    at = AS_OF + timedelta(minutes=minute)
    given = {"at": at, "outcome": "reject", "by": "release.yaml", "why": run}
    append(shop.reports, Decision(what="verdict", about=run, **given))


def test_the_past_is_the_candidates_of_the_last_ten_judged_runs(shop: Storage) -> None:
    """Each run once, however often it was judged; not the run itself, nor what cannot be read."""
    for number in range(RUNS + 2):
        judged(shop, f"run={number}", "hybrid", "champion", "anchor")
    judged(shop, "run=5", minute=1)  # again
    judged(shop, "run=gone")  # its evaluation was deleted
    judged(shop, "run=broken", "hybrid")
    shop.reports.write("run=broken/evaluation.json", b"{")
    judged(shop, "run=now", "hybrid")
    last = ["run=5", "run=11", "run=10", *(f"run={number}" for number in (9, 8, 7, 6, 4))]
    past = past_scores(shop, "run=now")
    assert [each.model_sha256 for each in past] == [f"hybrid of {run}" for run in last]


def test_before_the_first_run_there_is_no_past(shop: Storage) -> None:
    assert past_scores(shop, "run=now") == ()


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


def test_another_class_under_the_same_name_is_left_out() -> None:
    """Records of an earlier Catwalk do not name the class: they count by name and parameters."""
    mine = score(0.1, model_sha256="mine", class_path="models.a:A", **moves(0.01, 2))
    other = score(0.1, model_sha256="other", class_path="models.b:B", **moves(1.0, 2))
    old = score(0.1, model_sha256="old", **moves(0.01, 2))
    assert with_pooled_noise(mine, [other, old]).pooled["ndcg_at_10"].refits == 4
