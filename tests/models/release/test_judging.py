"""The rules that decide what customers see: nothing that misses one limit ever passes."""

from __future__ import annotations

from typing import Any

import pytest

from infra.records.evaluation import Comparison, Score, Slice
from infra.records.release import Judgement
from models.release.judging import Rivals, judge
from models.release.thresholds import Doubt, ReleaseRules, Threshold
from models.release.verdict import outcome_of

NAN, INF = float("nan"), float("inf")
MIN, MAX = {"min": 0.5}, {"max": 0.5}
BEATS, DROP = {"beats": "popularity"}, {"max_drop_vs_champion": 0.1}
DROP_PART = {"max_drop_vs_champion": "10%"}
NOTHING_LIVE, NOT_JUDGED = "nothing live", "not judged"


def score(value: float | None, name: str = "hybrid", **more: Any) -> Score:
    numbers = {} if value is None else {"ndcg_at_10": value}
    role = "champion" if name == "champion" else "candidate"
    given = {"name": name, "role": role, "parameters": {}, "metrics": numbers, "noise": 0.0}
    return Score(**{**given, **more})


def rivals(rival: float | None = 0.1, champion: Any = NOTHING_LIVE) -> Rivals:
    others = {"popularity": score(rival, "popularity")}
    if champion == NOTHING_LIVE:
        return Rivals(others, None, None)
    if champion == NOT_JUDGED:
        return Rivals(others, None, "version1")
    return Rivals(others, score(champion, "champion"), "version1")


def rules(limit: dict[str, Any], metric: str = "ndcg_at_10", **doubt: Any) -> ReleaseRules:
    return ReleaseRules({metric: Threshold.model_validate({"why": "w", **limit})}, Doubt(**doubt))


def first(limit: dict[str, Any], mine: Score, others: Rivals, **doubt: Any) -> Judgement:
    return judge(mine, others, rules(limit, **doubt))[0]


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
    (DROP, 0.2, 0.1, 0.25, "met", "release"),
    (DROP, 0.2, 0.1, 0.31, "missed", "reject"),
    ({**DROP, "if_missed": "review"}, 0.2, 0.1, 0.31, "missed", "review"),
    (DROP, None, 0.1, 0.31, "missed", "reject"),
    (DROP, 0.2, 0.1, NAN, "not judged", "review"),
    (DROP, 0.2, 0.1, None, "not judged", "review"),
    (DROP, 0.2, 0.1, NOT_JUDGED, "not judged", "review"),
    (DROP, None, 0.1, NOT_JUDGED, "missed", "reject"),
    (DROP_PART, 0.91, 0.1, 1.0, "met", "release"),
    (DROP_PART, 0.89, 0.1, 1.0, "missed", "reject"),
]


@pytest.mark.parametrize(("limit", "value", "rival", "champion", "result", "outcome"), TABLE)
def test_each_limit(limit, value, rival, champion, result, outcome) -> None:  # type: ignore[no-untyped-def]
    judgement = first(limit, score(value), rivals(rival, champion))
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
    (DROP, (-0.05, -0.08, -0.02), 0.0, "met"),
    (DROP, (-0.09, -0.12, -0.06), 0.0, "cannot tell"),
    (DROP, (-0.13, -0.16, -0.11), 0.0, "missed"),
    (DROP, (-0.13, -0.16, -0.11), 0.04, "cannot tell"),
    (DROP, (0.0, 0.0, 0.0), 0.0, "met"),
    (DROP_PART, (-0.01, -0.015, 0.0), 0.0, "met"),
    (DROP_PART, (-0.03, -0.05, -0.01), 0.0, "cannot tell"),
]


@pytest.mark.parametrize(("limit", "found", "noise", "result"), CHANCE)
def test_a_difference_within_chance_is_neither(limit, found, noise, result) -> None:  # type: ignore[no-untyped-def]
    name = "popularity" if "beats" in limit else "champion"
    mine = score(0.2 + found[0], noise=noise, **compared(name, *found))
    judgement = judge(mine, rivals(0.2, 0.2), rules({**limit, "min": 0.01}))[1]
    assert judgement.result == result
    assert ("chance" in judgement.reason) is (result == "cannot tell")


def test_the_noise_of_the_rival_counts_too() -> None:
    mine = score(0.22, noise=0.001, **compared("popularity", 0.02, 0.01, 0.03))
    noisy = Rivals({"popularity": score(0.2, "popularity", noise=0.05)}, None, None)
    assert first(BEATS, mine, noisy).result == "cannot tell"


UNKNOWN_NOISE = [
    (BEATS, (0.02, 0.01, 0.03), "cannot tell"),
    (BEATS, (0.02, -0.01, 0.05), "cannot tell"),
    (BEATS, (-0.02, -0.03, -0.01), "missed"),
    (DROP, (-0.05, -0.08, -0.02), "cannot tell"),
    (DROP, (-0.13, -0.16, -0.11), "missed"),
]


@pytest.mark.parametrize("whose", ["mine", "the rival's"])
@pytest.mark.parametrize(("limit", "found", "result"), UNKNOWN_NOISE)
def test_unknown_noise_is_not_no_noise(limit, found, result, whose) -> None:  # type: ignore[no-untyped-def]
    name = "popularity" if "beats" in limit else "champion"
    mine = score(0.2 + found[0], **compared(name, *found), noise=None if whose == "mine" else 0.0)
    theirs = None if whose == "the rival's" else 0.0
    held = Rivals(
        {"popularity": score(0.2, "popularity", noise=theirs)},
        score(0.2, "champion", noise=theirs),
        "version1",
    )
    judgement = first(limit, mine, held)
    assert judgement.result == result
    if result == "cannot tell" and found[1] * found[2] > 0:
        assert "nobody measured what training again does" in judgement.reason


def test_unknown_noise_hides_no_jump() -> None:
    mine = score(0.76, **compared("champion", 0.26, 0.2, 0.3), noise=None)
    assert outcome_of(judge(mine, rivals(champion=0.5), rules(MIN))) == "review"


@pytest.mark.parametrize("limit", [BEATS, DROP])
@pytest.mark.parametrize("found", [(0.3, NAN, 0.4), (0.3, 0.2, INF), (NAN, NAN, NAN)])
def test_an_interval_without_a_number_releases_nothing(limit, found) -> None:  # type: ignore[no-untyped-def]
    """It meets no limit and hides neither a drop nor a jump, whatever the file says of doubt."""
    name = "popularity" if "beats" in limit else "champion"
    unsure = score(0.5, **compared(name, *found))
    judged = judge(unsure, rivals(0.2, 0.45), rules({**limit, **MIN}, cannot_tell="release"))[1]
    assert (judged.result, judged.outcome) == ("not judged", "review")
    assert "its interval holds no number" in judged.reason
    judged = first(limit, unsure, rivals(0.6, 0.9), cannot_tell="release")
    assert (judged.result, judged.outcome) == ("missed", "reject"), "the difference is known"
    mine = score(0.5, **compared("champion", *found))
    assert outcome_of(judge(mine, rivals(champion=0.2), rules(MIN))) == "review"


def test_a_noise_that_is_no_number_is_unknown() -> None:
    mine = score(0.76, **compared("champion", 0.26, 0.2, 0.3), noise=NAN)
    assert outcome_of(judge(mine, rivals(champion=0.5), rules(MIN))) == "review"


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
    judged = judge(mine, rivals(0.19), rules(limit, cannot_tell=cannot_tell))
    assert judged[-1].result == "cannot tell"
    assert outcome_of(judged) == outcome


def test_a_minimum_that_is_missed_is_not_saved_by_doubt() -> None:
    mine = score(0.2, **compared("popularity", 0.01, -0.01, 0.03))
    limit = {**BEATS, "min": 0.3, "if_missed": "review"}
    judged = judge(mine, rivals(0.19), rules(limit))
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
    judgement = first(limit, score(0.9, **found), rivals())
    assert (judgement.result, judgement.outcome) == (result, outcome)
    assert judgement.slice == "light users"
    assert said in judgement.reason


def test_a_live_model_that_nobody_judged_goes_to_a_person() -> None:
    judged = judge(score(0.9), rivals(champion=NOT_JUDGED), rules(MIN))
    assert outcome_of(judged) == "review"
    assert "version1 is live and could not be scored" in judged[-1].reason


# candidate, live, interval or None, bound, outcome
JUMPS = [
    (0.6, 0.5, None, "50%", "release"),
    (0.76, 0.5, None, "50%", "review"),
    (0.76, 0.5, (0.26, 0.2, 0.3), "50%", "review"),
    (0.76, 0.5, (0.26, -0.1, 0.6), "50%", "release"),
    (0.61, 0.5, None, 0.1, "review"),
    (0.51, 0.0, None, "50%", "review"),
    (0.51, NAN, None, "50%", "review"),
]


@pytest.mark.parametrize(("value", "live", "found", "bound", "outcome"), JUMPS)
def test_a_jump_too_good_to_be_believed(value, live, found, bound, outcome) -> None:  # type: ignore[no-untyped-def]
    mine = score(value, **(compared("champion", *found) if found else {}))
    judged = judge(mine, rivals(champion=live), rules(MIN, suspicious_improvement=bound))
    assert outcome_of(judged) == outcome


def test_the_reasons_read_well() -> None:
    limit = {"min": 0.3, "max": 0.9, **BEATS, **DROP}
    said = [judgement.reason for judgement in judge(score(0.2), rivals(0.1, 0.4), rules(limit))]
    assert said == [
        "ndcg_at_10 is 0.2; it must be at least 0.3.",
        "ndcg_at_10 is 0.2, which is at most 0.9.",
        "ndcg_at_10 is 0.2, which is above popularity (0.1).",
        "ndcg_at_10 is 0.2; it must be at most 0.1 below the champion (0.4).",
        "ndcg_at_10 is 0.2, which is at most 50% above the champion (0.4).",
    ]
    unclear = score(0.2, **compared("popularity", 0.01, -0.02, 0.04))
    assert first(BEATS, unclear, rivals(0.19)).reason == (
        "ndcg_at_10 is 0.2; it must be above popularity (0.19), and chance alone may decide that "
        "(+0.01, 95% interval -0.02 to +0.04)."
    )


def test_nothing_judged_is_nothing_released() -> None:
    assert outcome_of(()) == "reject"
