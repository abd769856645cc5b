"""The DAG of a curator in this process: the form is checked, and the record names who sent it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from infra.ledger.overrides import read_overrides
from infra.storage import Storage


def test_a_curator_pins_by_the_form_and_ends_it(airflow_database: None, shop: Storage) -> None:
    from dags.curate_placement import curate_placement

    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    pin = {"action": "pin", "items": ["i1"], "place": 1, "until": until, "reason": "the season"}
    assert str(curate_placement().test(run_conf=pin).state) == "success"
    end = {"action": "end", "items": None, "override": 1, "reason": "it is over"}
    assert str(curate_placement().test(run_conf=end).state) == "success"
    assert str(curate_placement().test(run_conf={**pin, "place": None}).state) == "failed"
    known = read_overrides(shop)
    assert known.last == 2
    # whom Airflow names for a run of its own test
    assert (known.records[1].by, known.records[1].place) == ("dag_test", 1)
    assert (known.endings[1].by, known.endings[1].reason) == ("dag_test", "it is over")
