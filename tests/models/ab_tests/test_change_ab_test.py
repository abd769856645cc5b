"""Other shares of a test are another phase: once, with another salt, never of an ended test."""

from __future__ import annotations

import pytest

from infra.errors import InputError
from infra.ledger import decision_log
from infra.ledger.ab_tests import add_ab_record, read_ab_tests
from infra.ledger.record_files import RecordFiles
from infra.places import AB_TEST_PLAN
from infra.records.ab_tests import Arm
from infra.storage import Storage
from models.ab_tests.change_ab_test import change_ab_test
from models.ab_tests.plan_ab_test import PlanRecord
from models.ab_tests.wish import wish_of
from tests.infra.ledger.test_ab_tests import NOON, ab_test, decision, phase
from tests.models.ab_tests.test_start_ab_test import FORM

WORDS = ("eva", "it did no harm in the first days")


def test_other_shares_are_another_phase(shop: Storage) -> None:
    add_ab_record(shop, lambda _: ab_test(phase=phase(layer=(0, 500))))
    shown = "content-first none: not judged yet"
    made = change_ab_test(shop, shown, (50, 20), *WORDS, run="run=one")
    state = read_ab_tests(shop).named("content-first")
    assert (state.phase_number, state.phase.layer) == (2, (0, 5_000))
    assert state.phase.shares == pytest.approx((0.8, 0.2))
    assert state.phase.salt != state.test.phase.salt
    assert change_ab_test(shop, shown, (50, 20), *WORDS, run="run=one") == made
    assert len(read_ab_tests(shop).tests[1].changes) == 1, "a run changes once"
    logged = [entry for _, entry in decision_log.entries(shop.reports)]
    assert [(entry.about, entry.by, entry.why) for entry in logged] == [("content-first", *WORDS)]
    assert logged[0].outcome == "50% of the traffic, 20% of it treatment"


def planned(shop: Storage) -> None:
    """Keep a plan by which all traffic brings 1,000 units in 10 days; twice as long was wanted."""
    wish = wish_of({**FORM, "days": 20})
    plan = PlanRecord(
        at=NOON, wish=wish, run="run=r", control=Arm(version="v1", candidate="also_bought"),
        units=1_000, days_needed=10, detects=wish.least_effect / 2**0.5, sentence="s",
    )  # fmt: skip
    RecordFiles(shop.reports, "arm=one").write(AB_TEST_PLAN, plan)


def test_a_phase_says_how_many_days_it_needs_and_ninety_are_the_most(shop: Storage) -> None:
    planned(shop)
    add_ab_record(shop, lambda _: ab_test(run="arm=one"))
    assert change_ab_test(shop, "content-first", (50, 50), *WORDS, run="half").days_needed == 20
    with pytest.raises(InputError, match=r"At 10.0% of .* 50.0% .* 1,000 .* 100 days"):
        change_ab_test(shop, "content-first", (10, 50), *WORDS, run="tenth")
    assert change_ab_test(shop, "content-first", (12, 50), *WORDS, run="few").days_needed == 84
    uneven = change_ab_test(shop, "content-first", (50, 10), *WORDS, run="uneven")
    assert uneven.days_needed == 56, "20 x 0.25 / 0.09: the small arm needs as many as before"


def test_what_cannot_be_changed_is_refused(shop: Storage) -> None:
    with pytest.raises(InputError, match="no A/B test 'nobody'"):
        change_ab_test(shop, "nobody", (50, 50), *WORDS, run="r")
    add_ab_record(shop, lambda _: ab_test(phase=phase(layer=(0, 2_000))))
    add_ab_record(shop, lambda _: ab_test(name="another", phase=phase("b", layer=(2_000, 9_000))))
    with pytest.raises(InputError, match="'another' left"):
        change_ab_test(shop, "content-first", (40, 50), *WORDS, run="r")
    add_ab_record(shop, lambda _: decision(1))
    with pytest.raises(InputError, match="has ended"):
        change_ab_test(shop, "content-first", (10, 50), *WORDS, run="r")
    assert read_ab_tests(shop).named("content-first").phase_number == 1
