"""The rules that decide what customers see: nothing that misses one limit ever passes."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import ReleaseError, SettingsError
from infra.records import EvaluationRecord, Score
from infra.run_records import RunRecords
from infra.storage import Storage
from models import release
from models.judging import RELEASE, Threshold, judge, load_thresholds, passed
from models.metrics import METRICS
from models.release import best, decide
from tests.models.conftest import AS_OF, RUN, WriteRun

NAN, INF = float("nan"), float("inf")
MIN, MAX = {"min": 0.5}, {"max": 0.5}
BEATS, DROP = {"beats": "popularity"}, {"max_drop_vs_champion": 0.1}
NO_CHAMPION: dict[str, float] | None = None

# limit, candidate's value, popularity's value, champion's metrics, released?
TABLE = [
    (MIN, 0.5, 0.1, NO_CHAMPION, True),
    (MIN, 0.499, 0.1, NO_CHAMPION, False),
    (MIN, NAN, 0.1, NO_CHAMPION, False),
    (MIN, INF, 0.1, NO_CHAMPION, False),
    (MIN, None, 0.1, NO_CHAMPION, False),
    (MAX, 0.5, 0.1, NO_CHAMPION, True),
    (MAX, 0.501, 0.1, NO_CHAMPION, False),
    (MAX, -INF, 0.1, NO_CHAMPION, False),
    (MAX, None, 0.1, NO_CHAMPION, False),
    (BEATS, 0.2, 0.1, NO_CHAMPION, True),
    (BEATS, 0.1, 0.1, NO_CHAMPION, False),
    (BEATS, 0.2, None, NO_CHAMPION, False),
    (BEATS, 0.2, NAN, NO_CHAMPION, False),
    (BEATS, NAN, 0.1, NO_CHAMPION, False),
    (DROP, 0.2, 0.1, NO_CHAMPION, True),
    (DROP, None, 0.1, NO_CHAMPION, False),
    (DROP, 0.2, 0.1, {"ndcg_at_10": 0.25}, True),
    (DROP, 0.2, 0.1, {"ndcg_at_10": 0.31}, False),
    (DROP, 0.2, 0.1, {"ndcg_at_10": NAN}, False),
    (DROP, 0.2, 0.1, {}, False),
]


def metrics(value: float | None) -> dict[str, float]:
    return {} if value is None else {"ndcg_at_10": value}


@pytest.mark.parametrize(("limit", "value", "rival", "champion", "good"), TABLE)
def test_each_limit(limit, value, rival, champion, good) -> None:  # type: ignore[no-untyped-def]
    thresholds = {"ndcg_at_10": Threshold(why="w", **limit)}
    (judgement,) = judge(metrics(value), {"popularity": metrics(rival)}, champion, thresholds)
    assert judgement.passed is good
    assert judgement.reason.startswith("ndcg_at_10 ") and judgement.why == "w"


def test_the_reasons_read_well() -> None:
    limits = Threshold(min=0.3, max=0.9, beats="popularity", max_drop_vs_champion=0.1, why="w")
    others = {"popularity": metrics(0.1)}
    for champion in (None, {}, metrics(0.4)):
        judged = judge(metrics(0.2), others, champion, {"ndcg_at_10": limits})
        print(*(judgement.reason for judgement in judged), sep="\n")
    assert [one.reason for one in judged] == [
        "ndcg_at_10 is 0.2; it must be at least 0.3.",
        "ndcg_at_10 is 0.2, which is at most 0.9.",
        "ndcg_at_10 is 0.2, which is above popularity (0.1).",
        "ndcg_at_10 is 0.2; it must be at most 0.1 below the champion (0.4).",
    ]
    assert [one.bound for one in judged] == [0.3, 0.9, 0.1, pytest.approx(0.3)]


number = st.one_of(
    st.none(), st.floats(), st.sampled_from([0.0, 0.1, 0.2]), st.floats(-1, 1, width=16)
)
limits = st.fixed_dictionaries(
    {},
    optional={
        "min": st.sampled_from([-0.1, 0.0, 0.1]),
        "max": st.sampled_from([0.1, 0.2, 0.5]),
        "beats": st.sampled_from(["popularity", "absent"]),
        "max_drop_vs_champion": st.sampled_from([0.0, 0.1]),
    },
).filter(bool)


@settings(max_examples=400, deadline=None)
@given(
    asked=st.dictionaries(st.sampled_from(METRICS[:4]), limits, max_size=4),
    values=st.dictionaries(st.sampled_from(METRICS[:4]), number),
    rival=st.dictionaries(st.sampled_from(METRICS[:4]), number),
    champion=st.none() | st.dictionaries(st.sampled_from(METRICS[:4]), number),
)
def test_nothing_that_misses_a_limit_is_released(asked, values, rival, champion) -> None:  # type: ignore[no-untyped-def]
    def given_(numbers):  # type: ignore[no-untyped-def]
        return {name: value for name, value in numbers.items() if value is not None}

    def missed(name, limit):  # type: ignore[no-untyped-def]
        value, other = values.get(name), rival.get(name)
        if value is None or not math.isfinite(value):
            return True
        if ("min" in limit and value < limit["min"]) or ("max" in limit and value > limit["max"]):
            return True
        if "beats" in limit:
            if limit["beats"] == "absent" or other is None or not math.isfinite(other):
                return True
            if value <= other:
                return True
        if "max_drop_vs_champion" in limit and champion is not None:
            live = champion.get(name)
            if live is None or not math.isfinite(live):
                return True
            return value < live - limit["max_drop_vs_champion"]
        return False

    thresholds = {name: Threshold(why="w", **limit) for name, limit in asked.items()}
    others = {"popularity": given_(rival)}
    judged = judge(
        given_(values), others, None if champion is None else given_(champion), thresholds
    )
    expected = bool(asked) and not any(missed(name, limit) for name, limit in asked.items())
    assert passed(judged) is expected
    assert len(judged) == sum(map(len, asked.values()))


BAD_RULES = {
    "": "holds no keys",
    "{}": "no thresholds",
    "- a": "holds no keys",
    "ndcg: {min: 1, why: w}": "no metric 'ndcg'.*ndcg_at_10",
    "ndcg_at_10: {min: 1}": "'why' is missing",
    "ndcg_at_10: {min: 1, why: ''}": "why",
    "ndcg_at_10: {why: w}": "one of min, max",
    "ndcg_at_10: {mim: 1, why: w}": "unknown key 'mim'",
    "ndcg_at_10: {min: .nan, why: w}": "finite",
    "ndcg_at_10: {min: 2, max: 1, why: w}": "above max",
    "ndcg_at_10: {max_drop_vs_champion: -1, why: w}": "greater than or equal",
    "ndcg_at_10: {min: 1, why: w}\nndcg_at_10: {min: 0, why: w}": "stands twice",
    "training_minutes: {beats: popularity, why: w}": "Use max",
    "training_minutes: {max_drop_vs_champion: 0, why: w}": "Use max",
    "ndcg_at_10: [": "(YAML|line 1)",
}


@pytest.mark.parametrize("text", BAD_RULES)
def test_rules_that_cannot_be_meant(text: str, tmp_path: Path) -> None:
    file = tmp_path / "release.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=f"release.yaml.*{BAD_RULES[text]}"):
        load_thresholds(file)


def test_missing_rules(tmp_path: Path, shop: Storage) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        decide(RUN, shop, tmp_path / "release.yaml")
    assert RunRecords(shop, RUN).load_verdict() is None


def test_our_own_rules_are_honest() -> None:
    thresholds = load_thresholds()
    assert thresholds["ndcg_at_10"].beats == "popularity"
    assert all(threshold.why for threshold in thresholds.values())


def evaluated(shop: Storage, ndcg: float, champion: float | None = None) -> EvaluationRecord:
    def score(name: str, value: float, role: str = "candidate") -> Score:
        numbers = {
            "ndcg_at_10": value,
            "user_coverage": 1.0,
            "catalogue_coverage": 0.5,
            "training_minutes": 1.0,
        }
        content = {"name": name, "role": role, "parameters": {}, "metrics": numbers}
        return Score.model_validate({**content, "model_sha256": f"digest of {name}"})

    scores = [score("popularity", 0.9 if ndcg < 0 else 0.03), score("lightfm_hybrid", ndcg)]
    if champion is not None and champion > 0:
        scores.append(score("lightfm_hybrid", champion, "champion"))
    record = EvaluationRecord(
        run=RUN,
        at=AS_OF,
        cut=AS_OF,
        users=1,
        items=1,
        train_interactions=1,
        holdout_interactions=1,
        scores=tuple(scores),
        champion=None if champion is None else "version1",
    )
    RunRecords(shop, RUN).save_evaluation(record)
    return record


def test_a_release_is_bound_to_what_was_judged(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    evaluated(shop, 0.1, champion=0.11)
    verdict = decide(RUN, shop)
    assert verdict == RunRecords(shop, RUN).load_verdict()
    assert (verdict.outcome, verdict.candidate) == ("release", "lightfm_hybrid")
    assert verdict.thresholds_sha256 == hashlib.sha256(RELEASE.read_bytes()).hexdigest()
    assert verdict.batches == ("batch=shop-000001",)
    assert (verdict.model_sha256, verdict.champion) == ("digest of lightfm_hybrid", "version1")


def test_the_hash_is_of_the_rules_that_judged(
    shop: Storage, write_run: WriteRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run()
    evaluated(shop, 0.1)
    file = tmp_path / "release.yaml"
    file.write_text("ndcg_at_10: {min: 0.05, why: w}")
    judged_by = hashlib.sha256(file.read_bytes()).hexdigest()

    def then_edited(read: Path) -> dict[str, Threshold]:
        thresholds = load_thresholds(read)
        file.write_text("ndcg_at_10: {min: 0.9, why: w}")
        return thresholds

    monkeypatch.setattr(release, "load_thresholds", then_edited)
    assert decide(RUN, shop, file).thresholds_sha256 == judged_by


def test_wrong_rules_are_named_where_they_stand(shop: Storage, tmp_path: Path) -> None:
    file = tmp_path / "release.yaml"
    file.write_text("ndcg_at_10: {mim: 1, why: w}")
    with pytest.raises(SettingsError, match=f"^{file}.*unknown key 'mim'"):
        decide(RUN, shop, file)


@pytest.mark.parametrize(
    ("ndcg", "champion", "said"),
    [
        (0.01, None, "must be at least 0.02.*must be above popularity"),
        (0.1, 0.2, "below the champion"),
        (0.1, -1, "could not be judged"),
    ],
)
def test_a_rejection_is_recorded_then_raised(
    shop: Storage, write_run: WriteRun, ndcg: float, champion: float | None, said: str
) -> None:
    write_run()
    evaluated(shop, ndcg, champion)
    with pytest.raises(ReleaseError, match=said):
        decide(RUN, shop)
    verdict = RunRecords(shop, RUN).load_verdict()
    assert verdict is not None and verdict.outcome == "reject"


def test_the_best_passing_one_is_chosen() -> None:
    thresholds = {"ndcg_at_10": Threshold(max=0.5, why="w")}
    judged = [
        (
            Score(name=name, role="candidate", parameters={}, metrics=metrics(value)),
            judge(metrics(value), {}, None, thresholds),
        )
        for name, value in [("low", 0.1), ("good", 0.4), ("too high", 0.9), ("higher", 1.9)]
    ]
    unmeasured = Score(name="none", role="candidate", parameters={}, metrics={})
    judged.append((unmeasured, judge({}, {}, None, thresholds)))
    assert best(judged)[0].name == "good"
    assert best([one for one in judged if not passed(one[1])])[0].name == "higher"


def test_nothing_evaluated(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    with pytest.raises(ReleaseError, match="never evaluated"):
        decide(RUN, shop)


def test_a_baseline_is_never_released(shop: Storage, write_run: WriteRun) -> None:
    write_run()
    record = evaluated(shop, 0.1)
    alone = record.model_copy(update={"scores": record.scores[:1]})
    RunRecords(shop, RUN).save_evaluation(alone)
    with pytest.raises(ReleaseError, match="no releasable candidate"):
        decide(RUN, shop)
