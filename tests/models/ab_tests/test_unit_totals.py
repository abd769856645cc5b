"""Totals of units are those that one table in memory gives, in batches of any size."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from infra.ledger.ab_tests import TestState, add_ab_record, read_ab_tests
from infra.ledger.marts import units_of_test
from infra.storage import Storage
from models.ab_tests import unit_totals
from models.ab_tests.statistics import cap_of
from models.ab_tests.unit_totals import COLUMNS, UnitTotals, read_units
from tests.infra.ledger.test_ab_tests import NOON, ab_test
from tests.models.ab_tests.units_of_a_test import land_units, shoppers

FOR_EVER = NOON + timedelta(days=999)


@pytest.fixture
def state(shop: Storage) -> TestState:
    """Start a test."""
    add_ab_record(shop, lambda _: ab_test())
    return read_ab_tests(shop).running()[0]


def units_read(shop: Storage, until: datetime) -> UnitTotals:
    units, _ = units_of_test(shop, 1, 1)
    return read_units(units, until)


def test_totals_are_those_of_the_whole_table(
    shop: Storage, state: TestState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_totals, "ROWS", 97)
    rows = shoppers("control", 700, 0.2) + shoppers("treatment", 500, 0.3)
    for row in rows[::5]:
        row["returned_revenue"] = row["gross_revenue"] / 2
    for row in rows[::7]:
        row["is_mature"] = False
    for row in rows[:3]:
        row["arms"] = 2
    land_units(shop, state, rows)
    totals = units_read(shop, FOR_EVER)
    assert totals.in_two_arms == 3
    for which, kept in (("exposed", rows), ("mature", [row for row in rows if row["is_mature"]])):
        for arm, moments in getattr(totals, which).items():
            expected = _values(kept, arm)
            assert moments.n == len(expected)
            np.testing.assert_allclose(moments.mean, expected.mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(moments.cov, np.cov(expected, rowvar=False), atol=1e-9)


def _values(rows: list[dict[str, Any]], arm: str) -> np.ndarray[Any, Any]:
    """Return the slow, obvious answer: every unit of an arm as a row."""
    net = {
        end: np.array([row[f"gross_revenue{end}"] - row[f"returned_revenue{end}"] for row in rows])
        for end in ("", "_before")
    }
    capped = {end: np.minimum(values, cap_of(values)) for end, values in net.items()}
    made = []
    for place, row in enumerate(rows):
        own = {
            **row,
            "conversion": row["orders"] > 0,
            "conversion_before": row["orders_before"] > 0,
            "revenue": capped[""][place],
            "revenue_before": capped["_before"][place],
        }
        if row["arm"] == arm:
            made.append([float(own[name]) for name in COLUMNS])
    return np.array(made)


def test_the_largest_order_is_capped_in_both_arms_alike(shop: Storage, state: TestState) -> None:
    rows = shoppers("control", 2_000, 1.0) + shoppers("treatment", 2_000, 1.0)
    rows[0]["gross_revenue"] = rows[0]["gross_revenue_before"] = 1e9
    land_units(shop, state, rows)
    totals = units_read(shop, FOR_EVER)
    place, before = COLUMNS.index("revenue"), COLUMNS.index("revenue_before")
    assert totals.mature["control"].mean[place] < 50
    assert totals.mature["control"].mean[before] < 50


def test_who_comes_after_the_days_does_not_count(shop: Storage, state: TestState) -> None:
    land_units(shop, state, shoppers("control", 130, 0.2))
    early = units_read(shop, NOON + timedelta(days=6.5))
    assert 0 < early.exposed["control"].n < 130
    assert early.exposed["treatment"].n == early.mature["treatment"].n == 0
    land_units(shop, state, shoppers("control", 2, 0.2, first_exposed=NOON))
    exactly = units_read(shop, NOON)
    assert exactly.exposed["control"].n == 0
