"""Other shares of a test are another phase: once, with another salt, never of an ended test."""

from __future__ import annotations

import pytest

from infra.errors import InputError
from infra.ledger import decision_log
from infra.ledger.ab_tests import add_ab_record, read_ab_tests
from infra.storage import Storage
from models.ab_tests.change_ab_test import change_ab_test
from tests.infra.ledger.test_ab_tests import ab_test, decision, phase

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
