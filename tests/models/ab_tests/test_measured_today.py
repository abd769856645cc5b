"""A plan goes by what an earlier test of the same place has measured, and only else by a word."""

from __future__ import annotations

from typing import Any

import pytest

from infra.ledger.ab_tests import add_ab_record, read_ab_tests
from infra.records.ab_tests import Metric
from infra.storage import Storage
from models.ab_tests.measured_today import measured_today
from models.ab_tests.plan import Today
from tests.infra.ledger.test_ab_tests import ab_test, decision, phase
from tests.models.ab_tests.test_judge_ab_tests import both
from tests.models.ab_tests.units_of_a_test import land_units


def measured(
    shop: Storage, metric: Metric = "conversion", places: tuple[str, ...] = ("home",), **of: Any
) -> Today | None:
    unit = of.get("unit", "user")
    return measured_today(shop, read_ab_tests(shop), places, unit, metric)


def test_an_earlier_test_says_what_comes_and_how_it_varies(shop: Storage) -> None:
    add_ab_record(shop, lambda _: ab_test(phase=phase(layer=(0, 5_000))))
    assert measured(shop) is None, "nobody has counted its units"
    land_units(shop, read_ab_tests(shop).running()[0], both(2_000, 0.05, 0.05))
    today = measured(shop)
    assert today is not None
    assert today.units_a_day == pytest.approx(4_000 / 13 / 0.5, rel=0.01), "of all the traffic"
    assert today.mean == pytest.approx(0.05, abs=0.01)
    assert today.variance == pytest.approx(today.mean * (1 - today.mean), rel=0.01)
    assert today.source == "as the test 'content-first' measured"
    ctr = measured(shop, "ctr")
    assert ctr is not None and ctr.mean == pytest.approx(0.1, abs=0.01)
    assert ctr.variance == pytest.approx(0.1 * 0.9 / 10, rel=0.1), "for one unit that sees ten"
    assert measured(shop, places=("cart",)) is None
    assert measured(shop, places=("home", "cart")) is None
    assert measured(shop, unit="visitor") is None


def test_the_newest_test_with_enough_units_counts(shop: Storage) -> None:
    for number, (units, buy) in enumerate([(400, 0.2), (400, 0.4), (50, 0.9)], 1):
        add_ab_record(shop, lambda _, n=number: ab_test(name=f"test-{n}"))
        land_units(shop, read_ab_tests(shop).running()[-1], both(units, buy, buy))
        add_ab_record(shop, lambda known: decision(known.last))
    today = measured(shop)
    assert today is not None and today.source == "as the test 'test-2' measured"
    assert today.mean == pytest.approx(0.4, abs=0.05)
