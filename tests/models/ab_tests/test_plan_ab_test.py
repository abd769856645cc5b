"""A test is checked and planned before anything is trained, by what is known of today."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import InputError
from infra.ledger.marts import save_built, show
from infra.mart_schemas import EXPOSURES, SALES
from infra.records.marts import MartsRecord, partition_of
from infra.storage import Storage
from models.ab_tests.plan_ab_test import load_plan, plan_ab_test
from models.ab_tests.wish import Wish, wish_of
from tests.models.ab_tests.test_start_ab_test import ARM, FORM, released
from tests.models.conftest import AS_OF, WINNER


def test_a_form_that_cannot_be_used_starts_nothing(shop: Storage) -> None:
    with pytest.raises(InputError, match="Nothing is live"):
        plan_ab_test(shop, ARM, wish_of(FORM))
    released(shop)
    for wrong, says in (
        ({"candidate": WINNER}, "tested against itself"),
        ({"candidate": "nobody"}, "'nobody' is no candidate"),
        ({"candidate": "popularity"}, "no candidate|was rejected"),
        ({"placements": ["home", "cellar"]}, "no placement cellar"),
        ({"placements": ["home", "home"]}, "a placement is named twice"),
        ({"name": "No Such Name"}, "name"),
        ({"guardrails": {"conversion": 5}}, "no guardrail of its own"),
        ({"guardrails": {"revenue": "much"}}, "guardrails, revenue is no number"),
        ({"guardrails": {"joy": 5}}, "metric"),
        ({"days": 1, "units_a_day": 10}, "units to see a difference of 10.0%"),
    ):
        with pytest.raises(InputError, match=says):
            plan_ab_test(shop, ARM, wish_of({**FORM, **wrong}))
    reasoned = {"days": 1, "units_a_day": 10, "reason": "we want to see that it works"}
    assert plan_ab_test(shop, ARM, wish_of({**FORM, **reasoned})).days_needed > 1


def test_the_form_says_percent_and_the_wish_shares() -> None:
    wish = wish_of({**FORM, "traffic": 20, "least_effect": 2.5, "reason": "  "})
    assert isinstance(wish, Wish)
    assert (wish.traffic, wish.least_effect, wish.reason) == (0.2, 0.025, "")
    assert wish.guardrails[0].margin == 0.05


def measured(shop: Storage) -> None:
    """Let two days have 40 customers in `home`, of whom 10 buy, and others elsewhere."""
    days = ["2026-11-22", "2026-11-23"]
    shown = [
        {"user_key": f"u{n % 40}", "placement": place, "was_seen": True, "was_clicked": n % 4 == 0}
        for place, units in (("home", 60), ("cart", 500))
        for n in range(units)
    ]
    sold = [{"user_key": f"u{n}", "event_type": "purchase"} for n in range(10)]
    sold += [
        {"user_key": "u30", "event_type": "return"},
        {"user_key": "x", "event_type": "purchase"},
    ]
    for table, rows in ((EXPOSURES.name, shown), (SALES.name, sold)):
        for day in days:
            place = partition_of(1, day)
            folder = shop.lake.begin(table, place)
            Path(folder).mkdir(parents=True)
            pq.write_table(pa.Table.from_pylist(rows), f"{folder}/part-00000.parquet")
            shop.lake.commit(table, place, {"rows": len(rows)})
    record = MartsRecord(
        number=1,
        at=AS_OF,
        run="run=marts",
        known_until=AS_OF,
        final_until={},
        events={},
        served={},
        partitions={name: dict.fromkeys(days, 1) for name in (EXPOSURES.name, SALES.name)},
    )
    save_built(shop, record)
    show(shop, record)


def test_the_traffic_of_today_is_measured_where_nobody_says_it(shop: Storage) -> None:
    released(shop)
    silent = {**FORM, "units_a_day": None, "mean": None, "least_effect": 50, "reason": "a trial"}
    with pytest.raises(InputError, match="Nobody has measured how many customers come to home"):
        plan_ab_test(shop, ARM, wish_of(silent))
    measured(shop)
    planned = plan_ab_test(shop, ARM, wish_of(silent))
    assert "20 new units a day (as the last 2 days have it)" in planned.sentence
    same = {**silent, "units_a_day": 20, "mean": 25}
    assert plan_ab_test(shop, ARM, wish_of(same)).units == planned.units, "10 of 40 buy"
    assert load_plan(shop, ARM).units == planned.units
    with pytest.raises(InputError, match="say both"):
        wish_of({**silent, "mean": 3})
