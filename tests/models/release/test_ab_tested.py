"""What an A/B test decided counts more than the score, until somebody says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from infra.ledger.ab_tests import KnownTests, TestState, add_ab_record
from infra.ledger.live_pointer import point
from infra.records.release import Approval, PublishRecord, VerdictRecord
from infra.storage import Storage
from models.release.ab_tested import NOTHING_BINDS, Binding, ab_tested, binding_then, followed
from models.release.judging import Ruling, judge
from tests.infra.ledger.test_ab_tests import NOON, ab_test, decision
from tests.models.release.test_judging import BASE, GOOD, named, run, shipped

ARMS = {
    "control": {"version": "v1", "candidate": "hybrid"},
    "treatment": {"version": "v2", "candidate": "better"},
}
BETTER = {**BASE, "hybrid": GOOD, "better": np.minimum(1.0, GOOD * 1.2)}
ANNA = Approval(by="anna", at=NOON, why="it looks right")


def known(*decided: str, **arms: Any) -> KnownTests:
    """Return a test for each decision, a day after the other; "" is one that goes on."""
    tests = {}
    for number, word in enumerate(decided, 1):
        test = ab_test(number=number, name=f"test-{number}", **{**ARMS, **arms})
        at = NOON + timedelta(days=number)
        end = (decision(number, word).model_copy(update={"at": at}),) if word else ()
        tests[number] = TestState(test, decisions=end)
    return KnownTests(len(decided), tests)


def pointer(days: float, candidate: str, **fields: Any) -> PublishRecord:
    at = NOON + timedelta(days=days)
    made = {"run": "run=r", "at": at, "number": 9, "version": "v9", "manifest_sha256": "m"}
    return PublishRecord.model_validate({**made, "candidate": candidate, **fields})


def ruled(tested: Binding, **values: Any) -> Ruling:
    return judge(*run(values or BETTER), shipped(), tested=tested)


def test_without_a_test_the_highest_score_goes_on(shop: Storage) -> None:
    assert ab_tested(shop) == NOTHING_BINDS
    assert ruled(NOTHING_BINDS).candidate == "better"


def test_what_was_shipped_is_preferred_to_a_higher_score() -> None:
    swapped = {"control": ARMS["treatment"], "treatment": ARMS["control"]}
    tested = followed(known("ship", **swapped), [])
    assert (tested.preferred, tested.test, set(tested.unasked)) == ("hybrid", "test-1", {"better"})
    ruling = ruled(tested)
    assert (ruling.outcome, ruling.candidate, ruling.best) == ("release", "hybrid", "hybrid")
    assert any("shipped after the A/B test 'test-1'" in note for note in ruling.notes)
    rejected = ruled(tested, **{**BETTER, "hybrid": GOOD * 0.1})
    assert (rejected.candidate, rejected.outcome) == ("better", "review"), "it lost, so asked"


@pytest.mark.parametrize(
    ("decided", "why"),
    [
        ("keep", "max decided against better in the A/B test 'test-1' on 2026-11-25."),
        ("", "better is in the A/B test 'test-1', which goes on."),
        ("go on", "better is in the A/B test 'test-1', which goes on."),
    ],
)
def test_what_lost_or_is_under_test_is_never_released_unasked(decided: str, why: str) -> None:
    tested = followed(known(decided), [])
    assert dict(tested.unasked) == {"better": why}
    ruling = ruled(tested)
    assert named(ruling)["better"].outcome == "review"
    assert named(ruling)["better"].reason == why
    assert (ruling.outcome, ruling.candidate, ruling.best) == ("release", "hybrid", "better"), (
        "the recipe that is live goes on meanwhile"
    )
    assert "better has the highest ndcg_at_10 and waits" in " ".join(ruling.notes)
    alone = ruled(tested, popularity=BASE["popularity"], champion=GOOD, better=BETTER["better"])
    assert (alone.outcome, alone.candidate) == ("review", "better")


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"verdict_sha256": "", "outcome": None}, False),
        ({"outcome": "void"}, False),
        ({"outcome": "harm"}, True),
        ({"outcome": None}, True),  # of an earlier Catwalk, which did not keep what it said
    ],
)
def test_a_test_that_said_nothing_is_lost_by_nobody(change: dict[str, Any], lost: bool) -> None:
    tests = known("ship", "keep")
    end = tests.tests[2].decisions[0].model_copy(update=change)
    tests.tests[2] = replace(tests.tests[2], decisions=(end,))
    tested = followed(tests, [])
    assert ("better" in tested.unasked) == lost
    assert tested.preferred == ("" if lost else "better"), "what was shipped before stays preferred"


def test_a_test_of_one_recipe_against_itself_holds_nothing_back() -> None:
    same = {"version": "v2", "candidate": "hybrid"}
    assert followed(known("", treatment=same), []).unasked == {}
    shipped_ = followed(known("ship", treatment=same), [])
    assert (shipped_.preferred, shipped_.unasked) == ("hybrid", {})


@pytest.mark.parametrize(
    ("fields", "over"),
    [
        ({"decided": ANNA}, True),
        ({"decided": ANNA, "action": "roll_back"}, True),
        ({}, False),
        ({"decided": ANNA, "action": "ship"}, False),
    ],
)
def test_a_person_says_otherwise_by_a_release_or_a_roll_back(
    fields: dict[str, Any], over: bool
) -> None:
    lost = followed(known("keep"), [pointer(2, "better", **fields)])
    assert ("better" not in lost.unasked) == over
    preferred = followed(known("ship"), [pointer(2, "hybrid", **fields)])
    assert (preferred.preferred == "") == over
    before = followed(known("keep"), [pointer(0.5, "better", **fields)])
    assert "better" in before.unasked, "it was decided after that"


def test_what_was_shipped_and_waits_is_not_called_the_highest() -> None:
    tested = Binding("better", "test-1", {"better": "better is in the A/B test 'test-2'."})
    lower = {**BETTER, "highest": np.minimum(1.0, GOOD * 1.4)}
    ruling = ruled(tested, **lower)
    assert (ruling.best, ruling.candidate) == ("better", "hybrid")
    said = " ".join(ruling.notes)
    assert "better was shipped after the A/B test 'test-1' and waits" in said
    assert "better has the highest" not in said


def test_another_test_says_otherwise() -> None:
    assert followed(known("keep", "ship"), []).preferred == "better"
    assert "better" not in followed(known("keep", "ship"), []).unasked
    again = followed(known("ship", "keep"), [])
    assert (again.preferred, set(again.unasked)) == ("", {"better"})


def test_the_store_is_read_from_the_first_test_on(shop: Storage) -> None:
    point(shop, pointer(-3, "better", number=1, decided=ANNA))
    point(shop, pointer(3, "better", number=2, decided=ANNA))
    add_ab_record(shop, lambda _: ab_test(**ARMS))
    add_ab_record(shop, lambda _: decision(1))
    assert ab_tested(shop).unasked == {}


def test_an_earlier_verdict_is_replayed_by_what_bound_it() -> None:
    tested = Binding("hybrid", "test-1", {"better": "anna decided against better."})
    ruling = ruled(tested)
    verdict = VerdictRecord(run="run=r", at=NOON, thresholds_sha256="s", batches=(), **vars(ruling))
    again = ruled(binding_then(verdict))
    assert (again.candidate, again.outcome) == (ruling.candidate, ruling.outcome)
    assert named(again)["better"] == named(ruling)["better"]
    assert binding_then(None) == NOTHING_BINDS
