"""A/B tests are written once, read on by servers, and say who is in which arm."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from infra.errors import InputError, StorageError
from infra.ledger.ab_tests import KnownTests, add_ab_record, read_ab_tests
from infra.records.ab_tests import AbDecision, AbTest, Phase, PhaseChange
from infra.storage import Storage

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HALVES: dict[str, Any] = {"layer": (0, 10_000), "control": (0, 5_000), "treatment": (5_000, 10_000)}


def phase(salt: str = "a", **fields: Any) -> Phase:
    return Phase.model_validate({"salt": salt * 32, **HALVES, **fields})


def ab_test(**fields: Any) -> AbTest:
    """Return a test of two halves of all users on `home`."""
    of = {
        "at": NOON,
        "by": "eva",
        "name": "content-first",
        "hypothesis": "Lists by content sell more.",
        "placements": ("home",),
        "unit": "user",
        "control": {"version": "v1", "candidate": "also_bought"},
        "treatment": {"version": "v2", "candidate": "content"},
        "learnt_from": "run=r",
        "primary": "conversion",
        "least_effect": 0.05,
        "planned_units": 1_000,
        "phase": phase(),
    }
    return AbTest.model_validate({**of, **fields})


def decision(number: int, decided: str = "keep") -> AbDecision:
    return AbDecision.model_validate(
        {"at": NOON, "by": "max", "decides": number, "decision": decided, "reason": "it is over"}
        | {"verdict_sha256": "c" * 64, "outcome": "cannot tell"}
    )


def test_a_test_runs_until_a_decision_ends_it(shop: Storage) -> None:
    first = add_ab_record(shop, lambda _: ab_test())
    known = read_ab_tests(shop)
    assert read_ab_tests(shop, known) is known
    assert [state.test for state in known.running()] == [first]
    change = PhaseChange(
        at=NOON + timedelta(days=1), by="eva", changes=1, phase=phase("b"), reason="more"
    )
    add_ab_record(shop, lambda _: change)
    add_ab_record(shop, lambda _: decision(1, "go on"))
    state = read_ab_tests(shop, known).named("content-first")
    assert (state.phase, state.phase_number) == (phase("b"), 2)
    assert state.phase_since == change.at
    assert state.ended is None
    add_ab_record(shop, lambda _: decision(1))
    assert read_ab_tests(shop, known).running() == ()
    assert known.running(), "what was known is not changed"


def test_a_record_is_checked_against_all_that_stand_before_it(shop: Storage) -> None:
    """Another writer takes the number between the check and the write: the check runs again."""
    seen: list[int] = []

    def make(known: KnownTests) -> AbTest:
        seen.append(known.last)
        if len(seen) == 1:
            add_ab_record(shop, lambda _: ab_test(name="first-of-all"))
        return ab_test()

    assert add_ab_record(shop, make).number == 2
    assert seen == [0, 1]


def test_a_record_about_a_test_that_is_gone_is_an_error(shop: Storage) -> None:
    add_ab_record(shop, lambda _: decision(7))
    with pytest.raises(StorageError, match="test 7, which is not there"):
        read_ab_tests(shop)
    with pytest.raises(InputError, match="no A/B test 'x'"):
        KnownTests().named("x")


def test_arms_divide_the_units_of_the_layer(shop: Storage) -> None:
    half = ab_test(phase=phase(layer=(0, 5_000)))
    state = read_ab_tests(shop).tests.get(1)
    assert state is None
    add_ab_record(shop, lambda _: half)
    state = read_ab_tests(shop).tests[1]
    arms = Counter(state.arm_of(f"{unit:032x}", "v") for unit in range(4_000))
    assert arms[None] == pytest.approx(2_000, abs=150)
    assert arms["control"] == pytest.approx(1_000, abs=120)
    assert arms["treatment"] == pytest.approx(1_000, abs=120)
    assert state.arm_of("", "v") is None, "nobody who is logged in"
    by_visitor = read_ab_tests(shop).tests[1].test.model_copy(update={"unit": "visitor"})
    assert type(state)(by_visitor).arm_of("u", "") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"control": (0, 6_000)},
        {"control": (0, 0)},
        {"layer": (5, 5)},
        {"layer": (0, 10_001)},
    ],
)
def test_arms_that_overlap_or_are_empty_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        phase(**wrong)
