"""No two tests of a placement share units, and who is in the layer stays there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra.errors import InputError
from infra.ledger.ab_tests import KnownTests, TestState
from infra.ledger.assignment import arm_of
from infra.records.ab_tests import AbDecision, PhaseChange
from models.ab_tests.phases import first_phase, next_phase
from tests.infra.ledger.test_ab_tests import NOON, ab_test, decision, phase

UNITS = [f"{unit:032x}" for unit in range(2_000)]


def running(*layers: tuple[int, int], **fields: Any) -> KnownTests:
    """Return running tests of `home` with these layers."""
    tests = {
        number: TestState(
            ab_test(number=number, name=f"test-{number}", phase=phase(layer=layer), **fields)
        )
        for number, layer in enumerate(layers, 1)
    }
    return KnownTests(len(layers), tests)


def test_a_new_test_takes_the_first_free_range_that_suffices() -> None:
    known = running((0, 2_000), (3_000, 5_000))
    assert first_phase(known, ["home"], "user", 0.1).layer == (2_000, 3_000)
    assert first_phase(known, ["home"], "user", 0.4).layer == (5_000, 9_000)
    chosen = first_phase(known, ["home", "cart"], "user", 0.4, treatment_share=0.1)
    assert (chosen.control, chosen.treatment) == ((0, 9_000), (9_000, 10_000))
    assert chosen.shares == (0.9, 0.1)
    assert first_phase(known, ["home"], "user", 0.1).salt != chosen.salt


def test_tests_of_one_placement_share_no_unit() -> None:
    known = running((0, 4_000))
    chosen = first_phase(known, ["home"], "user", 0.6)
    other = known.tests[1].phase
    both = [unit for unit in UNITS if arm_of(other, unit) and arm_of(chosen, unit)]
    assert both == []
    assert all(arm_of(other, unit) or arm_of(chosen, unit) for unit in UNITS)


def test_a_full_layer_and_other_units_are_refused() -> None:
    known = running((0, 4_000), (4_000, 9_000))
    with pytest.raises(InputError, match="'test-1', 'test-2' left 10% of the traffic .* 20% is"):
        first_phase(known, ["home"], "user", 0.2)
    with pytest.raises(InputError, match="'test-1' counts each user .* each visitor"):
        first_phase(known, ["home"], "visitor", 0.1)
    assert first_phase(known, ["cart"], "visitor", 1.0).layer == (0, 10_000)
    over = {number: replace(s, decisions=(decision(number),)) for number, s in known.tests.items()}
    assert isinstance(over[1].ended, AbDecision)
    assert first_phase(KnownTests(4, over), ["home"], "visitor", 1.0).layer == (0, 10_000)


@pytest.mark.parametrize(("traffic", "treatment"), [(0, 0.5), (1.1, 0.5), (1, 1), (1, 0)])
def test_shares_that_leave_nobody_are_refused(traffic: float, treatment: float) -> None:
    with pytest.raises(InputError, match="Write a share"):
        first_phase(KnownTests(), ["home"], "user", traffic, treatment)


def test_more_traffic_moves_nobody_out_of_the_layer() -> None:
    known = running((0, 2_000), (2_000, 3_000))
    state = known.tests[2]
    larger = next_phase(known, state, 0.5)
    assert larger.layer == (2_000, 7_000)
    assert larger.salt != state.phase.salt, "its arms are drawn anew"
    before = [unit for unit in UNITS if arm_of(state.phase, unit)]
    assert before and all(arm_of(larger, unit) for unit in before)
    changed = replace(
        state,
        changes=(PhaseChange(at=NOON, by="e", changes=2, phase=larger, reason="more traffic"),),
    )
    after = KnownTests(3, {**known.tests, 2: changed})
    assert first_phase(after, ["home"], "user", 0.3).layer == (7_000, 10_000)
    with pytest.raises(InputError, match="'test-2' left 20%"):
        next_phase(after, known.tests[1], 0.4)
