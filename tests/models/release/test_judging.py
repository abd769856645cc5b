"""The verdict on a run: which candidate it is judged by, which one goes on, and who is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from infra.errors import ReleaseError
from infra.ledger.run_rules import RELEASE
from infra.records.evaluation import EvaluationRecord, HoldoutFacts, Score
from infra.records.release import CandidateVerdict
from models.evaluation.values import UserValues
from models.metrics.ranking import Values
from models.release.judging import Ruling, judge
from models.release.thresholds import ReleaseRules, parse_thresholds
from tests.models.release.test_limits import evaluation, moves, score

USERS = 2_000
FINE = {"user_coverage": 1.0, "catalogue_coverage": 0.5, "training_minutes": 1.0}
FINE |= {"list_overlap_vs_live": 0.6}


def shipped() -> ReleaseRules:
    return parse_thresholds(RELEASE.read_bytes(), "release.yaml")


def taste(users: int = USERS) -> Values:
    """Return the NDCG of users of a good model: most get no hit, as in a real log."""
    random = np.random.default_rng(7)
    return np.where(random.random(users) < 0.4, random.random(users), 0.0)


def like(base: Values, share: float, seed: int) -> Values:
    """Return the values of a model that gives a share of the users nothing."""
    hurt = np.random.default_rng(seed).random(len(base)) < share
    return np.where(hurt, 0.0, base)


def run(
    values: dict[str, Values], numbers: dict[str, dict[str, float]] | None = None, **change: Any
) -> tuple[EvaluationRecord, UserValues]:
    """Write the evaluation of a run from the values of its models by their names."""
    scores = []
    for name, by_user in values.items():
        metrics = {"ndcg_at_10": float(by_user.mean()), **FINE, **(numbers or {}).get(name, {})}
        parameters = {"epochs": 5} if name in ("hybrid", "champion") else {}
        made = score(None, name, metrics=metrics, parameters=parameters)
        digest = {"model_sha256": f"digest of {name}"}
        if name == "champion":
            digest["name"] = "hybrid"
        scores.append(made.model_copy(update=digest))
    live = "version1" if "champion" in values else None
    users = len(next(iter(values.values())))
    record = evaluation(*scores, **{"champion": live, "users": users, **change})
    return record, UserValues(1, {"ndcg_at_10": values})


def ruled(values: dict[str, Values], **change: Any) -> Ruling:
    return judge(*run(values, **change), shipped())


def named(ruling: Ruling) -> dict[str, CandidateVerdict]:
    return {candidate.name: candidate for candidate in ruling.candidates}


GOOD, POOR = taste(), like(taste(), 0.8, 1)
BASE = {"popularity": POOR, "champion": GOOD}


def test_an_equal_model_is_released_unasked() -> None:
    twin = np.roll(GOOD, 0) + 0.0
    twin[:100] = GOOD[:100][::-1]
    ruling = ruled({**BASE, "hybrid": twin})
    assert (ruling.outcome, ruling.candidate, ruling.best) == ("release", "hybrid", "hybrid")
    assert ruling.model_sha256 == "digest of hybrid" and all(each.passed for each in ruling.doubts)
    assert named(ruling)["hybrid"].reason == "meets every limit"


@pytest.mark.parametrize(("lost", "outcome"), [(0.03, "review"), (0.10, "review"), (0.3, "reject")])
def test_what_is_lost_is_never_released_unasked(lost: float, outcome: str) -> None:
    """Also 3%, which is within the limit: it is surely worse than the champion."""
    assert ruled({**BASE, "hybrid": like(GOOD, lost, 2)}).outcome == outcome


def test_a_better_candidate_that_knows_few_customers_leaves_its_place_to_the_next_best() -> None:
    """By the shipped file, unasked: such a shop would else be asked at every run."""
    values = {**BASE, "hybrid": GOOD, "again": np.minimum(1.0, GOOD * 1.2)}
    ruling = ruled(values, numbers={"again": {"user_coverage": 0.4}})
    assert (ruling.outcome, ruling.candidate, ruling.best) == ("release", "hybrid", "hybrid")
    assert [candidate.name for candidate in ruling.candidates] == ["again", "hybrid"]
    assert named(ruling)["again"].outcome == "reject"
    assert "user_coverage is 40%" in named(ruling)["again"].reason


def test_the_best_that_needs_a_person_makes_the_run_need_one_who_may_choose() -> None:
    """Another candidate that meets every limit does not go live in its place, unasked."""
    values = {**BASE, "hybrid": GOOD, "better": np.minimum(1.0, GOOD * 1.2)}
    ruling = ruled(values, numbers={"better": {"catalogue_coverage": 0.01}})
    assert (ruling.outcome, ruling.candidate, ruling.best) == ("review", "better", "better")
    assert named(ruling)["hybrid"].outcome == "release", "a person may choose it"


def test_the_recipe_that_is_live_goes_on_while_the_best_waits() -> None:
    """Of the best alone nobody can tell: whether it beats bestsellers is chance."""
    wild = np.where(np.arange(USERS) % 50 == 0, 11.0, 0.0) * 1.0
    values = {**BASE, "hybrid": GOOD, "wild": wild}
    ruling = ruled(values)
    assert named(ruling)["wild"].outcome == "review" and ruling.best == "wild"
    assert {each.result for each in named(ruling)["wild"].judgements if not each.passed} == {
        "cannot tell"
    }
    assert (ruling.outcome, ruling.candidate) == ("release", "hybrid")
    assert "wild has the highest ndcg_at_10 and waits" in " ".join(ruling.notes)
    numbers = {"wild": {"catalogue_coverage": 0.01}}
    assert ruled(values, numbers=numbers).candidate == "wild", "more than chance is against it"
    other = ruled({**BASE, "other": GOOD, "wild": wild})
    assert named(other)["other"].outcome == "release", (
        "it passes, and is not the recipe that is live"
    )
    assert (other.outcome, other.candidate) == ("review", "wild")


def test_a_jump_in_any_candidate_sends_the_run_to_a_person() -> None:
    leak = np.ones(USERS) * 0.9
    numbers = {"leak": {"user_coverage": 0.4, "catalogue_coverage": 0.001}}
    text = RELEASE.read_bytes().replace(b"  if_missed: review\n", b"")
    values = {**BASE, "hybrid": GOOD, "leak": leak}
    ruling = judge(*run(values, numbers), parse_thresholds(text, "r"))
    assert named(ruling)["leak"].outcome == "reject"
    assert named(ruling)["hybrid"].outcome == "release"
    assert (ruling.outcome, ruling.candidate) == ("review", "hybrid")
    assert "leak: ndcg_at_10 is 0.9; it must be at most 50% above" in ruling.doubts[0].reason


@pytest.mark.parametrize("users", [1, 53, 99])
def test_too_few_customers_decide_nothing(users: int) -> None:
    """Neither for a model nor against it."""
    for share in (0.0, 1.0):
        values = {name: by_user[:users] for name, by_user in BASE.items()}
        ruling = ruled({**values, "hybrid": like(GOOD, share, 3)[:users] + 0.01})
        assert ruling.outcome == "review"
        said = f"holdout_users is {users}; it must be at least 100."
        assert said in [doubt.reason for doubt in ruling.doubts]


def test_a_number_that_is_missing_rejects_also_among_few() -> None:
    values = {name: by_user[:50] for name, by_user in {**BASE, "hybrid": GOOD}.items()}
    record, by_user = run(values)
    scores = tuple(
        each.model_copy(update={"metrics": {**each.metrics, "ndcg_at_10": float("nan")}})
        if each.name == "hybrid" and each.role == "candidate"
        else each
        for each in record.scores
    )
    assert judge(record.model_copy(update={"scores": scores}), by_user, shipped()).outcome == (
        "reject"
    )


# how many customers there are, were wanted, what limited them, outcome
CUTS = [
    (703, "champion", "review"),
    (703, "quarter", "release"),
    (703, "most_holdout_days", "release"),
    (1_000, "champion", "release"),
    (1_000, "quarter", "release"),
    (703, None, "release"),
]


@pytest.mark.parametrize(("users", "limited_by", "outcome"), CUTS)
def test_a_hold_out_cut_short_by_the_champion_needs_a_person(
    users: int, limited_by: str | None, outcome: str
) -> None:
    facts = {"users": users, "wanted_users": 1_000, "days": 5, "limited_by": limited_by}
    holdout = HoldoutFacts.model_validate(facts) if limited_by else None
    values = {name: by_user[:users] for name, by_user in {**BASE, "hybrid": GOOD}.items()}
    ruling = ruled(values, holdout=holdout)
    assert ruling.outcome == outcome
    if outcome == "review":
        assert "the cut of the live model allows no more" in ruling.judgements[-1].reason
    said = [note for note in ruling.notes if note.startswith(f"{users:,} customers are judged")]
    because = {"quarter": "a quarter of the days", "most_holdout_days": "MOST_HOLDOUT_DAYS"}
    assert len(said) == (users < 1_000 and limited_by in because)
    assert all(because[str(limited_by)] in note and "wants 1,000" in note for note in said)


def test_a_live_model_that_nobody_could_score_goes_to_a_person() -> None:
    ruling = ruled({"popularity": POOR, "hybrid": GOOD}, champion="version1")
    assert ruling.outcome == "review"
    assert "version1 is live and could not be scored" in ruling.judgements[-1].reason


def test_the_page_says_what_the_hold_out_could_have_seen() -> None:
    users = 703
    values = {name: by_user[:users] for name, by_user in BASE.items()}
    other = values["champion"] + 0.1 * np.random.default_rng(1).normal(size=users)
    drop = 2.8 * (other - values["champion"]).std(ddof=1) / users**0.5 / values["champion"].mean()
    [note] = ruled({**values, "hybrid": other}).notes
    assert note == f"703 customers: a drop of {np.ceil(100 * drop):.0f}% or more would have shown."
    [alike] = ruled({**values, "hybrid": values["champion"] + 1e-9}).notes
    assert alike == "703 customers: a drop of 1% or more would have shown.", "0% is none"
    [first] = ruled({"popularity": POOR, "hybrid": GOOD}).notes
    assert first == "2,000 customers: nothing to compare with, so no drop would have shown."


def test_a_live_model_worse_than_bestsellers_is_named() -> None:
    values = {"popularity": GOOD, "champion": POOR, "hybrid": np.minimum(1.0, GOOD + 0.02)}
    ruling = ruled(values)
    assert ruling.outcome == "review"
    assert "The live model itself is worse than bestsellers" in ruling.notes[-1]
    assert not any("learnt by heart" in each.why for each in ruling.judgements if not each.passed)


def test_the_more_candidates_the_wider_are_their_intervals() -> None:
    """The best of eight is lucky: alone it would pass, among eight nobody can tell."""
    random = np.random.default_rng(4)
    models = {f"model{n}": GOOD + 0.5 * random.normal(size=USERS) for n in range(8)}
    record, values = run({**BASE, "hybrid": GOOD, **models})
    both = run({**BASE, "model0": models["model0"]})

    def spread(ruling: Ruling) -> str:
        judged = named(ruling)["model0"].judgements
        return next(each.reason for each in judged if "below the champion" in each.limit)

    def width(reason: str) -> float:
        low, high = reason.split("interval ")[1].split(")")[0].split(" to ")
        return float(high.strip("%")) - float(low.strip("%"))

    many, alone = judge(record, values, shipped()), judge(*both, shipped())
    assert width(spread(many)) > 1.25 * width(spread(alone))


def test_training_again_widens_what_the_values_say() -> None:
    """Two refits of a model whose seed alone moves it by 5% leave it open what is lost."""
    values = {**BASE, "hybrid": GOOD * 0.999}
    record, by_user = run(values)
    level = float(GOOD.mean())

    def noisy(refits: int) -> Ruling:
        scores = tuple(
            Score.model_validate({**dict(each), **moves(0.05 * level, refits)})
            for each in record.scores
        )
        return judge(record.model_copy(update={"scores": scores}), by_user, shipped())

    assert noisy(2).outcome == "review"
    assert "chance alone may decide" in named(noisy(2))["hybrid"].reason


def test_a_run_of_baselines_cannot_be_judged() -> None:
    with pytest.raises(ReleaseError, match="no releasable candidate"):
        ruled(BASE)
    record, values = run({**BASE, "hybrid": GOOD})
    with pytest.raises(ReleaseError, match="no releasable candidate"):
        judge(record, values, shipped(), baselines=frozenset({"hybrid"}))


def test_a_first_release_that_is_too_good_for_a_model_sends_the_run_to_a_person() -> None:
    few = np.where(np.arange(USERS) % 40 == 0, 1.0, 0.0)
    assert ruled({"popularity": few, "hybrid": like(np.ones(USERS), 0.8, 1)}).outcome == "release"
    leaked = ruled({"popularity": few, "hybrid": np.ones(USERS)})
    assert leaked.outcome == "review"
    assert "at most 10 times popularity" in " ".join(each.reason for each in leaked.judgements)


# what a person approved before a rejected candidate was beside a release, what it is now, who asks
SEEN = [({}, 0.5, True), ({"ndcg_at_10": 0.5}, 0.5, False), ({"ndcg_at_10": 0.4}, 0.5, False)]
SEEN += [({"ndcg_at_10": 0.5}, 0.8, True), ({"recall_at_10": 0.5}, 0.5, True)]


@pytest.mark.parametrize(("approved", "level", "asked"), SEEN)
def test_a_rejected_candidate_that_jumps_as_a_person_has_seen_asks_nobody_again(
    approved: dict[str, float], level: float, asked: bool
) -> None:
    """A first jump asks, and so does one that grows by half since a person approved beside it."""
    values = {**BASE, "hybrid": GOOD, "again": np.full(USERS, level)}
    record, by_user = run(values, {"again": {"user_coverage": 0.4}})
    ruling = judge(knowing(record, "again", approved), by_user, shipped())
    assert named(ruling)["again"].outcome == "reject"
    assert (ruling.outcome, ruling.candidate) == ("review" if asked else "release", "hybrid")
    notes = [note for note in ruling.notes if note.startswith("again: ndcg_at_10 is 0.5")]
    assert len(notes) == (0 if asked else 1)


def test_what_a_person_has_seen_jump_goes_live_only_by_a_persons_word() -> None:
    """They approved another one beside it."""
    record, by_user = run({**BASE, "hybrid": GOOD, "leak": np.full(USERS, 0.5)})
    ruling = judge(knowing(record, "leak", {"ndcg_at_10": 0.5}), by_user, shipped())
    assert (ruling.outcome, ruling.candidate) == ("review", "leak")
    assert "Nobody is asked" not in " ".join(ruling.notes)


def knowing(record: EvaluationRecord, name: str, approved: dict[str, float]) -> EvaluationRecord:
    scores = [
        each.model_copy(update={"approved": approved}) if each.name == name else each
        for each in record.scores
    ]
    return record.model_copy(update={"scores": tuple(scores)})


def test_another_class_under_the_name_of_what_is_live_does_not_go_on_meanwhile() -> None:
    """Its parameters may be equal: the recipe is both."""
    wild = np.where(np.arange(USERS) % 50 == 0, 11.0, 0.0) * 1.0
    record, by_user = run({**BASE, "hybrid": GOOD, "wild": wild})

    def of(mine: str, live: str) -> Ruling:
        scores = [
            each.model_copy(update={"class_path": live if each.role == "champion" else mine})
            for each in record.scores
        ]
        return judge(record.model_copy(update={"scores": tuple(scores)}), by_user, shipped())

    assert of("models.a:A", "models.a:A").candidate == "hybrid"
    assert of("models.b:B", "models.a:A").candidate == "wild"
