"""What is known of a metric and the traffic before a test starts: an earlier test, else a word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from infra.errors import StorageError
from infra.ledger.ab_tests import KnownTests, TestState
from infra.ledger.marts import units_of_test
from infra.records.ab_tests import BUCKETS, Metric, Unit
from infra.storage import Storage
from models.ab_tests.plan import Today, today_of
from models.ab_tests.statistics import unit_spread
from models.ab_tests.unit_totals import ARMS, MEASURES, UnitTotals, read_units

LEAST_UNITS = 200  # of an arm, whose days are over
ALL_THE_FIRST_DAYS = 3  # fewer days say too little of how many come


def measured_today(
    storage: Storage, known: KnownTests, placements: Sequence[str], unit: Unit, metric: Metric
) -> Today | None:
    """Return what the newest test of the same placements and units has measured; else None.

    Units are those of its days on average: the first days of a test bring more new ones than the
    later ones, and a test as long as that one meets about as many.
    """
    return next(_measured(storage, known, placements, unit, metric), None)


def _measured(
    storage: Storage, known: KnownTests, placements: Sequence[str], unit: Unit, metric: Metric
) -> Iterator[Today]:
    for _, state in sorted(known.tests.items(), reverse=True):
        test = state.test
        if set(test.placements) != set(placements) or test.unit != unit:
            continue
        try:
            units, _ = units_of_test(storage, test.number, state.phase_number)
        except StorageError:
            continue  # nobody has counted its units
        totals = read_units(units, state.exposed_until)
        days = _days(state, totals)
        if days >= ALL_THE_FIRST_DAYS and min(totals.mature[arm].n for arm in ARMS) >= LEAST_UNITS:
            yield _today(state, totals, metric, days)


def _days(state: TestState, totals: UnitTotals) -> float:
    """Return on how many days units were exposed for the first time."""
    if totals.last_exposed is None:
        return 0.0
    return min((totals.last_exposed - state.phase_since) / timedelta(days=1), state.test.days)


def _today(state: TestState, totals: UnitTotals, metric: Metric, days: float) -> Today:
    layer = state.phase.layer
    traffic = (layer[1] - layer[0]) / BUCKETS
    exposed = sum(totals.exposed[arm].n for arm in ARMS)
    by_arm = [
        (totals.mature[arm].n, *unit_spread(totals.mature[arm], MEASURES[metric])) for arm in ARMS
    ]
    source = f"as the test '{state.test.name}' measured"
    return today_of(by_arm, exposed / days / traffic, source)
