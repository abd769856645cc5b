"""A verdict is void, too early, ship, keep or open; nothing is shown as won before its time."""

from __future__ import annotations

import doctest
from datetime import datetime, timedelta
from typing import Any

import pytest

from infra.errors import StorageError
from infra.ledger.ab_tests import TestState, add_ab_record, read_ab_tests
from infra.ledger.ab_verdicts import ab_verdicts, latest_ab_verdict
from infra.ledger.decision_log import entries
from infra.records.ab_tests import PhaseChange
from infra.records.ab_verdicts import AbVerdict
from infra.storage import Storage
from models.ab_tests import headline
from models.ab_tests.judge_ab_tests import judge_ab_tests
from tests.infra.ledger.test_ab_tests import NOON, ab_test, decision, phase
from tests.models.ab_tests.units_of_a_test import HEALTHY, Row, land_log, land_units, shoppers

OVER = NOON + timedelta(days=21)
EARLY = NOON + timedelta(days=10)


def started(shop: Storage, **fields: Any) -> TestState:
    """Start a test and return it."""
    add_ab_record(shop, lambda _: ab_test(**fields))
    return read_ab_tests(shop).running()[-1]


def both(n: int, control: float, treatment: float, **fixed: Any) -> list[Row]:
    """Return the units of both arms, of whom these shares buy."""
    arms = {"control": control, "treatment": treatment}
    return [row for arm, buy in arms.items() for row in shoppers(arm, n, buy, **fixed)]


def judged(shop: Storage, rows: list[Row], as_of: datetime = OVER, **facts: Any) -> AbVerdict:
    land_units(shop, read_ab_tests(shop).running()[-1], rows, **facts)
    return judge_ab_tests(shop, as_of).verdicts[-1]


def test_a_better_treatment_is_shipped_at_the_horizon(shop: Storage) -> None:
    started(shop)
    verdict = judged(shop, both(4_000, 0.05, 0.08))
    assert (verdict.outcome, verdict.primary.finding) == ("ship", "better")
    assert verdict.headline.startswith("Ship content: the share of customers who buy is ")
    assert verdict.primary.low and verdict.primary.low > 0
    assert verdict.units == verdict.mature == {"control": 4_000, "treatment": 4_000}
    assert [metric.role for metric in verdict.metrics] == ["primary", *["shown"] * 4]
    assert verdict.primary.control == pytest.approx(0.05, abs=0.01)


def test_nothing_is_shown_as_won_before_the_horizon(shop: Storage) -> None:
    started(shop)
    for as_of in (EARLY, OVER - timedelta(seconds=1)):
        verdict = judged(shop, both(4_000, 0.05, 0.08), as_of)
        assert verdict.outcome == "too early"
        assert {metric.finding for metric in verdict.metrics} == {"too early"}
        assert "8,000 of 1,000 planned units" in verdict.headline
        assert "after 2026-12-15 12:00 UTC" in verdict.headline
    unfinished = both(4_000, 0.05, 0.08)
    unfinished[0]["is_mature"] = False
    late = judged(shop, unfinished)
    assert late.outcome == "too early"
    assert "once the last days are complete" in late.headline


def test_harm_alone_stops_a_test_early(shop: Storage) -> None:
    started(shop, planned_units=8_000)
    verdict = judged(shop, both(2_000, 0.08, 0.03, is_mature=False), EARLY)
    assert (verdict.outcome, verdict.primary.finding) == ("harm", "harm")
    assert verdict.headline.startswith("Stop: content does harm")
    mild = judged(shop, both(2_000, 0.06, 0.05), EARLY)
    assert mild.outcome == "too early"


def test_a_worse_treatment_is_not_shipped(shop: Storage) -> None:
    started(shop)
    verdict = judged(shop, both(4_000, 0.08, 0.05))
    assert verdict.outcome == "keep"
    assert verdict.headline.startswith("Keep also_bought: The share of customers who buy is ")


def test_a_guardrail_that_falls_keeps_control_and_an_unsure_one_is_said(shop: Storage) -> None:
    rails = [{"metric": "ctr", "margin": 0.1}]
    started(shop, guardrails=rails)
    rows = both(4_000, 0.05, 0.08)
    assert judged(shop, rows).outcome == "ship"
    for row in rows[4_000::2]:
        row["clicks"] = max(0, row["clicks"] - 1)
    fallen = judged(shop, rows)
    assert fallen.outcome == "keep"
    assert "The share of seen items that are clicked is 3" in fallen.headline
    add_ab_record(shop, lambda _: decision(1))
    started(shop, name="wider", guardrails=[{"metric": "ctr", "margin": 0.6}])
    assert judged(shop, rows).outcome == "ship", "it fell by less than it may"
    add_ab_record(shop, lambda _: decision(3))
    started(shop, name="again", guardrails=rails)
    for row in rows:
        row["clicks"] = int(row["clicks"] > 4)
    unsure = judged(shop, rows)
    assert unsure.outcome == "cannot tell"
    assert "Perhaps the share of seen items that are clicked fell by more" in unsure.headline


def test_no_difference_is_no_verdict(shop: Storage) -> None:
    started(shop)
    assert judged(shop, both(1_000, 0.05, 0.05)).headline.startswith("Nobody can tell: ")
    nobody = judged(shop, both(1_000, 0.0, 0.0))
    assert nobody.outcome == "cannot tell"
    assert nobody.primary.low is None
    assert "cannot be compared: too few have bought" in nobody.headline
    assert judged(shop, []).outcome == "cannot tell"


@pytest.mark.parametrize(
    ("name", "rows", "facts", "said"),
    [
        ("sample ratio", [*shoppers("control", 9_600, 0.05), *shoppers("treatment", 10_400, 0.09)],
         {}, "52.00% where 50.00% were configured"),
        ("two arms", [*both(980, 0.02, 0.09), *both(20, 0.02, 0.09, arms=2)], {}, "40 of 2,000"),
        ("other versions", both(1_000, 0.02, 0.09),
         {"answers_by_version": {"control": {"v1": 9_000}, "treatment": {"v2": 8_000, "v1": 7}}},
         "Treatment gave 7 answers by another version than v2"),
        ("missing answers", both(1_000, 0.02, 0.09),
         {"missing": {"control": 61, "treatment": 61}}, "0.61% of the answers"),
        ("missing answers", both(1_000, 0.02, 0.09),
         {"missing": {"control": 5, "treatment": 60}}, "differ between the arms: 5 and 60"),
    ],
)  # fmt: skip
def test_a_test_that_was_not_served_as_planned_is_void(
    shop: Storage, name: str, rows: list[Row], facts: dict[str, Any], said: str
) -> None:
    started(shop)
    verdict = judged(shop, rows, **facts)
    assert verdict.outcome == "void"
    assert [check.name for check in verdict.health if not check.passed] == [name]
    assert verdict.headline.startswith("Void, so its numbers say nothing.")
    assert said in verdict.headline


def test_a_log_that_lost_answers_in_these_days_makes_it_void(shop: Storage) -> None:
    started(shop)
    land_log(shop, "2026-11-23", 900, 100)
    assert judged(shop, both(1_000, 0.02, 0.09)).outcome == "ship", "the day before it began"
    land_log(shop, "2026-11-24", 9_960, 40)
    assert judged(shop, both(1_000, 0.02, 0.09)).outcome == "ship"
    land_log(shop, "2026-11-25", 9_930, 70)
    void = judged(shop, both(1_000, 0.02, 0.09))
    assert (void.outcome, void.known_until) == ("void", HEALTHY["known_until"])
    assert "0.70% of the answers are missing in the served log; 0.5% may be." in void.headline


def test_a_healthy_test_passes_every_check(shop: Storage) -> None:
    started(shop)
    rows = [*both(990, 0.02, 0.09), *both(10, 0.02, 0.09, arms=2)]
    verdict = judged(shop, rows)
    assert [check.passed for check in verdict.health] == [True] * 4
    unequal = {"control": (0, 9_000), "treatment": (9_000, 10_000)}
    add_ab_record(shop, lambda _: decision(1))
    started(shop, name="unequal", phase=phase(**unequal))
    rows = [*shoppers("control", 9_000, 0.05), *shoppers("treatment", 1_000, 0.05)]
    assert judged(shop, rows).outcome == "cannot tell"


def test_units_that_do_not_say_how_they_were_served_are_not_judged(shop: Storage) -> None:
    started(shop, name="first-one")
    land_units(shop, read_ab_tests(shop).running()[-1], [], answers_by_version=None)
    started(shop, name="second-one")
    land_units(shop, read_ab_tests(shop).running()[-1], both(100, 0.1, 0.1))
    with pytest.raises(StorageError, match="'first-one' do not say which versions"):
        judge_ab_tests(shop, OVER)
    assert latest_ab_verdict(shop, "first-one") is None
    assert latest_ab_verdict(shop, "second-one") is not None, "the other one is judged"


def test_a_new_phase_counts_its_own_units_alone(shop: Storage) -> None:
    state = started(shop)
    land_units(shop, state, both(4_000, 0.05, 0.08))
    change = PhaseChange(at=OVER, by="eva", changes=1, phase=phase("b"), reason="more")
    add_ab_record(shop, lambda _: change)
    found = judge_ab_tests(shop, OVER)
    assert found.counts() == {"content-first": "no units yet"}
    verdict = judged(shop, both(4_000, 0.05, 0.08, since=OVER))
    assert (verdict.phase, verdict.outcome) == (2, "too early")
    assert verdict.horizon == OVER + timedelta(days=21)


def test_the_same_outcome_of_another_phase_is_news(shop: Storage) -> None:
    started(shop)
    judged(shop, both(2_000, 0.08, 0.03), EARLY)
    change = PhaseChange(at=EARLY, by="eva", changes=1, phase=phase("b"), reason="more")
    add_ab_record(shop, lambda _: change)
    judged(shop, both(2_000, 0.08, 0.03, since=EARLY), EARLY + timedelta(days=9))
    logged = [(entry.outcome, entry.facts["phase"]) for _, entry in entries(shop.reports)]
    assert logged == [("harm", "2"), ("harm", "1")]


def test_the_verdict_of_a_day_is_written_once_and_a_new_outcome_is_logged(shop: Storage) -> None:
    started(shop)
    judged(shop, both(4_000, 0.05, 0.08), EARLY)
    land_units(shop, read_ab_tests(shop).running()[-1], both(4_000, 0.05, 0.08))
    first = judge_ab_tests(shop, OVER)
    kept = latest_ab_verdict(shop, "content-first")
    assert kept is not None
    again = judge_ab_tests(shop, OVER)
    assert first == again
    assert latest_ab_verdict(shop, "content-first") == kept
    judge_ab_tests(shop, OVER + timedelta(days=1))
    days = [each.verdict.day.isoformat() for each in ab_verdicts(shop, "content-first")]
    assert days == ["2026-12-16", "2026-12-15", "2026-12-04"]
    logged = [entry for _, entry in entries(shop.reports)]
    assert [(entry.what, entry.about, entry.outcome) for entry in logged] == [
        ("ab_test", "content-first", "ship")
    ]
    add_ab_record(shop, lambda _: decision(1))
    assert judge_ab_tests(shop, OVER + timedelta(days=2)).verdicts == ()


def test_the_example_of_a_headline_is_true() -> None:
    tried = doctest.testmod(headline)
    assert (tried.failed, tried.attempted > 0) == (0, True)
