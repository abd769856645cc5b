"""The rules that decide what customers see: nothing that misses one limit ever passes."""

from __future__ import annotations

from typing import Any

import pytest

from infra.records.evaluation import Anchor, Comparison, EvaluationRecord, Score, Slice
from infra.records.release import Judgement
from models.release.contest import Contest
from models.release.judgements import Subject
from models.release.limits import hold_to_limits
from models.release.thresholds import Doubt, ReleaseRules, Threshold
from models.release.verdict import outcome_of
from tests.models.conftest import AS_OF, RUN

NAN, INF = float("nan"), float("inf")
MIN, MAX = {"min": 0.5}, {"max": 0.5}
BEATS, DROP = {"beats": "popularity"}, {"max_drop_vs_champion": "10%"}
NOTHING_LIVE, NOT_JUDGED = "nothing live", "not judged"


def score(value: float | None, name: str = "hybrid", **more: Any) -> Score:
    numbers = {} if value is None else {"ndcg_at_10": value}
    role = name if name in ("champion", "anchor") else "candidate"
    given = {"name": name, "role": role, "parameters": {}, "metrics": numbers, "noise": {}}
    return Score.model_validate({**given, "baseline": name == "popularity", **more})


def moves(sd: float | None, refits: int = 30) -> dict[str, Any]:
    """Say what training again moves a model by; None for nobody knows."""
    if sd is None:
        return {"noise": None}
    return {"noise": {"ndcg_at_10": {"sd": sd, "refits": refits}} if sd else {}}


def evaluation(*scores: Score, **change: Any) -> EvaluationRecord:
    amounts = dict.fromkeys(("items", "train_interactions", "holdout_interactions"), 1)
    given = {"run": RUN, "at": AS_OF, "cut": AS_OF, "users": 1_000, "scores": scores}
    return EvaluationRecord.model_validate({**given, **amounts, **change})


def contest(mine: Score, rival: float | None = 0.1, champion: Any = NOTHING_LIVE) -> Contest:
    scores, live = [score(rival, "popularity"), mine], None
    if champion != NOTHING_LIVE:
        live = "version1"
        scores += [] if champion == NOT_JUDGED else [score(champion, "champion")]
    return Contest(evaluation(*scores, champion=live))


def rules(limit: dict[str, Any], metric: str = "ndcg_at_10", **doubt: Any) -> ReleaseRules:
    return ReleaseRules({metric: Threshold.model_validate({"why": "w", **limit})}, Doubt(**doubt))


def held(limit: dict[str, Any], mine: Score, *others: Any, **doubt: Any) -> tuple[Judgement, ...]:
    return hold_to_limits(mine, contest(mine, *others), rules(limit, **doubt))


def first(limit: dict[str, Any], mine: Score, *others: Any, **doubt: Any) -> Judgement:
    return held(limit, mine, *others, **doubt)[0]


# limit, candidate's value, popularity's value, champion, result, outcome
TABLE = [
    (MIN, 0.5, 0.1, NOTHING_LIVE, "met", "release"),
    (MIN, 0.499, 0.1, NOTHING_LIVE, "missed", "reject"),
    (MIN, NAN, 0.1, NOTHING_LIVE, "missed", "reject"),
    (MIN, INF, 0.1, NOTHING_LIVE, "missed", "reject"),
    (MIN, None, 0.1, NOTHING_LIVE, "missed", "reject"),
    ({**MIN, "if_missed": "review"}, 0.499, 0.1, NOTHING_LIVE, "missed", "review"),
    ({**MIN, "if_missed": "review"}, None, 0.1, NOTHING_LIVE, "missed", "review"),
    (MAX, 0.5, 0.1, NOTHING_LIVE, "met", "release"),
    (MAX, 0.501, 0.1, NOTHING_LIVE, "missed", "reject"),
    (MAX, -INF, 0.1, NOTHING_LIVE, "missed", "reject"),
    (MAX, None, 0.1, NOTHING_LIVE, "missed", "reject"),
    (BEATS, 0.2, 0.1, NOTHING_LIVE, "met", "release"),
    (BEATS, 0.1, 0.1, NOTHING_LIVE, "missed", "reject"),
    (BEATS, 0.2, None, NOTHING_LIVE, "missed", "reject"),
    (BEATS, 0.2, NAN, NOTHING_LIVE, "missed", "reject"),
    (BEATS, NAN, 0.1, NOTHING_LIVE, "missed", "reject"),
    ({"beats": "absent"}, 0.2, 0.1, NOTHING_LIVE, "missed", "reject"),
    (DROP, 0.2, 0.1, NOTHING_LIVE, "not judged", "release"),
    (DROP, None, 0.1, NOTHING_LIVE, "missed", "reject"),
    (DROP, 0.2, 0.1, 0.22, "met", "release"),
    (DROP, 0.2, 0.1, 0.31, "missed", "reject"),
    ({**DROP, "if_missed": "review"}, 0.2, 0.1, 0.31, "missed", "review"),
    (DROP, None, 0.1, 0.31, "missed", "reject"),
    (DROP, 0.2, 0.1, NAN, "not judged", "review"),
    (DROP, 0.2, 0.1, None, "not judged", "review"),
    (DROP, 0.2, 0.1, NOT_JUDGED, "not judged", "review"),
    (DROP, None, 0.1, NOT_JUDGED, "missed", "reject"),
    (DROP, 0.91, 0.1, 1.0, "met", "release"),
    (DROP, 0.89, 0.1, 1.0, "missed", "reject"),
]


@pytest.mark.parametrize(("limit", "value", "rival", "champion", "result", "outcome"), TABLE)
def test_each_limit(limit, value, rival, champion, result, outcome) -> None:  # type: ignore[no-untyped-def]
    judgement = first(limit, score(value), rival, champion)
    assert (judgement.result, judgement.outcome) == (result, outcome)
    assert judgement.reason.startswith("ndcg_at_10 ") and judgement.why == "w"


def compared(against: str, difference: float, low: float, high: float) -> dict[str, Any]:
    said = {"difference": difference, "low": low, "high": high, "finding": "cannot tell"}
    return {"comparisons": (Comparison(metric="ndcg_at_10", against=against, **said),)}  # type: ignore[arg-type]


# what must hold, difference to the rival with its interval, noise, result
CHANCE = [
    (BEATS, (0.02, 0.01, 0.03), 0.0, "met"),
    (BEATS, (0.02, -0.01, 0.05), 0.0, "cannot tell"),
    (BEATS, (0.02, 0.01, 0.03), 0.025, "cannot tell"),
    (BEATS, (-0.02, -0.05, 0.01), 0.0, "cannot tell"),
    (BEATS, (-0.02, -0.03, -0.01), 0.0, "missed"),
    (BEATS, (-0.02, -0.03, -0.01), 0.025, "cannot tell"),
    (DROP, (-0.01, -0.015, 0.0), 0.0, "met"),
    (DROP, (-0.01, -0.015, 0.0), 0.02, "cannot tell"),
    (DROP, (-0.03, -0.05, -0.01), 0.0, "cannot tell"),
    (DROP, (-0.03, -0.035, -0.025), 0.0, "missed"),
    (DROP, (0.0, 0.0, 0.0), 0.0, "met"),
]


@pytest.mark.parametrize(("limit", "found", "noise", "result"), CHANCE)
def test_a_difference_within_chance_is_neither(limit, found, noise, result) -> None:  # type: ignore[no-untyped-def]
    name = "popularity" if "beats" in limit else "champion"
    mine = score(0.2 + found[0], **moves(noise), **compared(name, *found))
    judgement = held({**limit, "min": 0.01}, mine, 0.2, 0.2)[1]
    assert judgement.result == result
    assert ("chance" in judgement.reason) is (result == "cannot tell")


def test_the_noise_of_the_rival_counts_too() -> None:
    mine = score(0.22, **compared("popularity", 0.02, 0.01, 0.03))
    noisy = score(0.2, "popularity", **moves(0.05))
    found = hold_to_limits(mine, Contest(evaluation(noisy, mine)), rules(BEATS))
    assert found[0].result == "cannot tell"


@pytest.mark.parametrize(("refits", "result"), [(1, "cannot tell"), (30, "met")])
def test_noise_from_few_refits_is_less_sure(refits: int, result: str) -> None:
    mine = score(0.24, **moves(0.012, refits), **compared("popularity", 0.04, 0.03, 0.05))
    assert first(BEATS, mine, 0.2).result == result


UNKNOWN_NOISE = [
    (BEATS, (0.02, 0.01, 0.03), "cannot tell"),
    (BEATS, (0.02, -0.01, 0.05), "cannot tell"),
    (BEATS, (-0.02, -0.03, -0.01), "missed"),
    (DROP, (-0.005, -0.008, -0.002), "cannot tell"),
    (DROP, (-0.03, -0.035, -0.025), "missed"),
]


@pytest.mark.parametrize("whose", ["mine", "the rival's"])
@pytest.mark.parametrize(("limit", "found", "result"), UNKNOWN_NOISE)
def test_unknown_noise_is_not_no_noise(limit, found, result, whose) -> None:  # type: ignore[no-untyped-def]
    name = "popularity" if "beats" in limit else "champion"
    unknown, known = moves(None), moves(0.0)
    ours, theirs = (unknown, known) if whose == "mine" else (known, unknown)
    mine = score(0.2 + found[0], **compared(name, *found), **ours)
    scores = (score(0.2, "popularity", **theirs), mine, score(0.2, "champion", **theirs))
    against = Contest(evaluation(*scores, champion="version1"))
    judgement = hold_to_limits(mine, against, rules(limit))[0]
    assert judgement.result == result
    if result == "cannot tell" and found[1] > 0:
        assert "nobody measured what training again does" in judgement.reason


def test_unknown_noise_hides_no_jump() -> None:
    mine = score(0.76, **compared("champion", 0.26, 0.2, 0.3), **moves(None))
    assert outcome_of(held(MIN, mine, 0.1, 0.5)) == "review"


@pytest.mark.parametrize("limit", [BEATS, DROP])
@pytest.mark.parametrize("found", [(0.3, NAN, 0.4), (0.3, 0.2, INF), (NAN, NAN, NAN)])
def test_an_interval_without_a_number_releases_nothing(limit, found) -> None:  # type: ignore[no-untyped-def]
    """It meets no limit and hides neither a drop nor a jump, whatever the file says of doubt."""
    name = "popularity" if "beats" in limit else "champion"
    unsure = score(0.5, **compared(name, *found))
    judged = held({**limit, **MIN}, unsure, 0.2, 0.45, cannot_tell="release")[1]
    assert (judged.result, judged.outcome) == ("not judged", "review")
    assert "its interval holds no number" in judged.reason
    judged = first(limit, unsure, 0.6, 0.9, cannot_tell="release")
    assert (judged.result, judged.outcome) == ("missed", "reject"), "the difference is known"
    mine = score(0.5, **compared("champion", *found))
    assert outcome_of(held(MIN, mine, 0.1, 0.2)) == "review"


# least, cannot_tell, outcome
DOUBT = [
    (0.1, "release", "release"),
    (None, "release", "review"),
    (0.1, "review", "review"),
    (0.1, "reject", "reject"),
]


@pytest.mark.parametrize(("least", "cannot_tell", "outcome"), DOUBT)
def test_the_file_says_what_cannot_tell_means(least, cannot_tell, outcome) -> None:  # type: ignore[no-untyped-def]
    mine = score(0.2, **compared("popularity", 0.01, -0.01, 0.03))
    limit = {**BEATS, **({} if least is None else {"min": least})}
    judged = held(limit, mine, 0.19, cannot_tell=cannot_tell)
    assert judged[-1].result == "cannot tell"
    assert outcome_of(judged) == outcome


def test_a_minimum_that_is_missed_is_not_saved_by_doubt() -> None:
    mine = score(0.2, **compared("popularity", 0.01, -0.01, 0.03))
    limit = {**BEATS, "min": 0.3, "if_missed": "review"}
    judged = held(limit, mine, 0.19, cannot_tell="release")
    assert [judgement.outcome for judgement in judged] == ["review", "review"]


def part(name: str, value: float | None, too_small: bool = False) -> dict[str, Any]:
    numbers = {} if value is None else {"ndcg_at_10": value}
    return {"slices": (Slice(name=name, users=7, too_small=too_small, metrics=numbers),)}


LIGHT = "light users (up to 3 items)"
# limits of a slice, slices of the score, result, outcome, part of the reason
SLICES: list[tuple[dict[str, Any], dict[str, Any], str, str, str]] = [
    ({"min": 0.1}, part(LIGHT, 0.1), "met", "release", "of light users is 0.1, which"),
    ({"min": 0.1}, part(LIGHT, 0.09), "missed", "reject", "must be at least 0.1"),
    ({"max": 0.1}, part(LIGHT, 0.2), "missed", "reject", "must be at most 0.1"),
    ({"min": 0.1, "if_missed": "review"}, part(LIGHT, 0.09), "missed", "review", "at least"),
    ({"min": 0.1}, part(LIGHT, None, too_small=True), "not judged", "release", "7 users are too"),
    ({"min": 0.1}, part(LIGHT, None), "missed", "reject", "was not measured"),
    ({"min": 0.1}, {}, "missed", "reject", "was not measured"),
]


@pytest.mark.parametrize(("limits", "found", "result", "outcome", "said"), SLICES)
def test_a_slice_has_limits_of_its_own(limits, found, result, outcome, said) -> None:  # type: ignore[no-untyped-def]
    limit = {"slices": {"light users": limits}}
    judgement = first(limit, score(0.9, **found))
    assert (judgement.result, judgement.outcome) == (result, outcome)
    assert judgement.slice == "light users"
    assert said in judgement.reason


# candidate, live, interval or None, outcome
JUMPS = [
    (0.6, 0.5, None, "release"),
    (0.76, 0.5, None, "review"),
    (0.76, 0.5, (0.26, 0.2, 0.3), "review"),
    (0.76, 0.5, (0.26, -0.1, 0.6), "release"),
    (0.51, 0.0, None, "review"),
    (0.51, NAN, None, "review"),
]


@pytest.mark.parametrize(("value", "live", "found", "outcome"), JUMPS)
def test_a_jump_too_good_to_be_believed(value, live, found, outcome) -> None:  # type: ignore[no-untyped-def]
    mine = score(value, **(compared("champion", *found) if found else {}))
    assert outcome_of(held(MIN, mine, 0.1, live)) == outcome


def test_a_jump_over_a_live_model_worse_than_bestsellers_is_not_blamed_on_a_leak() -> None:
    def why(bestsellers: float) -> str:
        return held(MIN, score(0.76), bestsellers, 0.5)[-1].why

    assert "learnt by heart" in why(0.4)
    assert why(0.6) == "popularity alone reaches 0.6, the live model 0.5; next to that much jumps"


def test_what_is_surely_worse_than_the_champion_goes_to_a_person_whatever_its_limits_say() -> None:
    def outcome(*found: float) -> str:
        return outcome_of(held(MIN, score(0.69, **compared("champion", *found)), 0.1, 0.7))

    assert outcome(-0.01, -0.015, -0.005) == "review"
    assert outcome(-0.01, -0.025, 0.005) == "release"


# value of the candidate, of the anchor, which model is the anchor, result
ANCHORS = [
    (0.2, 0.22, "anchor", "met"),
    (0.2, 0.23, "anchor", "missed"),
    (0.2, None, "anchor", "not judged"),
    (0.2, 0.23, "", "not judged"),
    (0.2, 0.23, "hybrid", "met"),
]


@pytest.mark.parametrize(("value", "anchor", "scored_as", "result"), ANCHORS)
def test_a_drop_is_also_held_against_the_anchor(value, anchor, scored_as, result) -> None:  # type: ignore[no-untyped-def]
    mine = score(value)
    scores = (mine, score(0.2, "champion"), score(anchor, "anchor"))
    old = Anchor(version="version0", live_at=AS_OF, candidate="als", scored_as=scored_as)
    against = Contest(evaluation(*scores, champion="version1", anchor=old))
    champion, judged = hold_to_limits(mine, against, rules(DROP))[:2]
    assert (champion.result, judged.result) == ("met", result)
    assert judged.limit.startswith("at most 10% below the anchor")
    assert judged.outcome == {"met": "release", "missed": "reject", "not judged": "review"}[result]


def test_what_exists_only_beside_a_live_model_is_not_missed_before_there_is_one() -> None:
    limit, metric = {"min": 0.2, "if_missed": "review"}, "list_overlap_vs_live"

    def result(champion: Any, **numbers: float) -> str:
        mine = score(0.2, metrics=numbers)
        return hold_to_limits(mine, contest(mine, 0.1, champion), rules(limit, metric))[0].result

    assert (result(NOTHING_LIVE), result(0.2)) == ("not judged", "missed")
    assert (result(0.2, list_overlap_vs_live=0.2)) == "met"


def test_a_limit_that_says_not_reads_well() -> None:
    judged = Subject("auc", 0.4, "why", "review").hold("not surely below the champion", None, False)
    assert judged.reason == "auc is 0.4; it must not be surely below the champion."


def test_the_reasons_read_well() -> None:
    limit = {"min": 0.3, "max": 0.9, **BEATS, **DROP}
    said = [judgement.reason for judgement in held(limit, score(0.2), 0.1, 0.4)]
    assert said == [
        "ndcg_at_10 is 0.2; it must be at least 0.3.",
        "ndcg_at_10 is 0.2, which is at most 0.9.",
        "ndcg_at_10 is 0.2, which is above popularity (0.1).",
        "ndcg_at_10 is 0.2; it must be at most 10% below the champion (0.4).",
        "ndcg_at_10 is 0.2, which is at most 50% above the champion (0.4).",
    ]
    unclear = score(0.2, **compared("popularity", 0.01, -0.02, 0.04))
    assert first(BEATS, unclear, 0.19).reason == (
        "ndcg_at_10 is 0.2; it must be above popularity (0.19), and chance alone may decide that "
        "(+5.3%, 95% interval -10.5% to +21.1%)."
    )
    worse = score(0.36, **compared("champion", -0.04, -0.05, -0.03))
    assert first(DROP, worse, 0.1, 0.4).reason == (
        "ndcg_at_10 is just under 0.36; it must be at most 10% below the champion (0.4), and "
        "chance alone may decide that (-10.0%, 95% interval -12.5% to -7.5%)."
    )


def test_nothing_judged_is_nothing_released() -> None:
    assert outcome_of(()) == "reject"


NEXT = "next_item_ndcg_at_10"
# how many new customers were asked, whether their slice is too small, who decides
NEWCOMERS = [(0, True, "review"), (53, False, "review"), (99, False, "review"), (100, False, None)]


@pytest.mark.parametrize(("users", "too_small", "outcome"), NEWCOMERS)
@pytest.mark.parametrize("value", [None, 0.01, 0.9])
def test_a_few_new_customers_decide_nothing(
    users: int, too_small: bool, outcome: str | None, value: float | None
) -> None:
    """Neither for a model nor against it, whatever the file says of doubt."""
    newcomers = Slice(name="new customers", users=users, too_small=too_small)
    numbers = {"ndcg_at_10": 0.2} | ({} if value is None else {NEXT: value})
    mine = score(None, metrics=numbers, slices=(newcomers,))
    limit = {**MIN, "max_drop_vs_champion": "10%"}
    judged = hold_to_limits(mine, contest(mine), rules(limit, NEXT, cannot_tell="release"))
    found = outcome_of(judged)
    assert found == (outcome or ("release" if value == 0.9 else "reject"))
    if outcome:
        said = f"{users} new customers are too few to judge by, 100 are needed."
        assert judged[0].reason.endswith(said) and judged[0].result == "not judged"


def test_few_new_customers_do_not_hide_that_others_were_judged() -> None:
    newcomers = Slice(name="new customers", users=3, too_small=True)
    assert first(MIN, score(0.2, slices=(newcomers,))).outcome == "reject"
