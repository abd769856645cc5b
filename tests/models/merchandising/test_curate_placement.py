"""The form of a curator writes one record per run, and refuses what would do nothing in silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.errors import CatwalkError, InputError
from infra.ledger.live_pointer import point
from infra.ledger.overrides import read_overrides, standing
from infra.storage import Storage
from models.merchandising.curate_placement import MOST_DAYS, curate_placement
from tests.infra.report.test_report import published
from tests.models.conftest import RUN, write_tables

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BLOCK: dict[str, Any] = {
    "action": "block",
    "items": [" item001 ", "", "item000"],
    "until": (NOON + DAY).isoformat(),
    "reason": " it is torn ",
}
PIN = {**BLOCK, "action": "pin", "place": 3}
EMPTY = {"place": None, "placement": "", "market": None, "since": None, "override": None}


def send(shop: Storage, run: str = "run=1", **changes: Any) -> dict[str, Any]:
    form = {**EMPTY, **BLOCK, **changes}
    return curate_placement(shop, form, "eva", run, NOON)


def test_a_form_becomes_a_record(shop: Storage) -> None:
    told = send(shop, market="AT", since="2026-11-24T15:00+01:00")
    (rule,) = standing(read_overrides(shop), NOON)
    assert (rule.by, rule.at, rule.run, rule.reason) == ("eva", NOON, "run=1", "it is torn")
    assert (rule.action, rule.item_ids, rule.place) == ("block", ("item001", "item000"), None)
    assert (rule.placement, rule.market, rule.category) == ("", "AT", "")
    assert (rule.since, rule.until) == (NOON + 2 * DAY / 24, NOON + DAY)
    assert told == {
        "number": 1,
        "action": "block",
        "items": 2,
        "since": "2026-11-24T14:00:00+00:00",
        "until": "2026-11-25T12:00:00+00:00",
    }


def test_a_run_writes_once_however_often_it_runs(shop: Storage) -> None:
    assert send(shop) == send(shop)
    assert send(shop, "run=2")["number"] == 2
    end = {"action": "end", "items": [], "until": None, "override": 1}
    ended = send(shop, "run=3", **end)
    assert ended == send(shop, "run=3", **end) == {"number": 3, "action": "end", "override": 1}
    known = read_overrides(shop)
    assert (known.last, [rule.number for rule in standing(known, NOON)]) == (3, [2])
    assert known.endings[1].reason == "it is torn"
    with pytest.raises(InputError, match="eva ended 1 of overrides already"):
        send(shop, "run=4", **end)


def test_what_was_to_begin_before_begins_now(shop: Storage) -> None:
    """Nobody shall read in the list that something was in force when it was not."""
    send(shop, since="2026-11-01T00:00")
    assert read_overrides(shop).records[1].since == NOON


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"until": None}, "'until' is empty"),
        ({"until": "2026-11-24T11:00"}, "'until' 2026-11-24 11:00 UTC is over"),
        ({"until": "2028-11-24T11:00"}, f"Let it last at most {MOST_DAYS}"),
        ({"until": "tomorrow"}, "'until' is no time: tomorrow"),
        ({"since": "2026-11-26T00:00"}, "'until' must be later than 'since'"),
        ({"items": []}, "item_ids"),
        ({"items": ["i", "i "]}, "an item is named twice"),
        ({"items": [f"i{n}" for n in range(101)]}, "item_ids"),
        ({"reason": " "}, "reason"),
        ({"action": "hide"}, "action"),
        ({"place": 2}, "a pin needs a 'place'"),
        ({"action": "pin"}, "a pin needs a 'place'"),
        ({"placement": "kitchen"}, "no placement 'kitchen'.*name one of: home"),
        ({**PIN, "placement": "home", "place": 10}, "home has 10 places, .* last .* be at 11"),
        ({"override": 7}, "Choose the action 'end'"),
        ({"action": "end", "items": [], "until": None}, "No override is named"),
        ({"action": "end", "override": 7, "items": []}, "'until' is filled in"),
        ({"action": "end", "override": 7, "items": [], "until": None}, "has no record 7"),
    ],
    ids=str,
)
def test_a_wrong_form_writes_nothing(shop: Storage, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(CatwalkError, match=f"(?s){says}"):
        send(shop, **changes)
    assert read_overrides(shop).last == 0


def test_names_that_what_is_live_does_not_have_are_refused(shop: Storage) -> None:
    write_tables(shop)
    send(shop, "run=before there is anything live", items=["typo"])
    point(shop, published(run=RUN))
    send(shop, "run=1", category="coats")
    with pytest.raises(InputError, match="What is live has no item 'typo', 'item01'"):
        send(shop, "run=2", items=["item001", "typo", "item01"])
    with pytest.raises(InputError, match="What is live has no category 'coat'"):
        send(shop, "run=2", category="coat")
    send(shop, "run=2", items=["new"], since="2026-11-24T13:00")
    assert read_overrides(shop).last == 3


def test_a_catalogue_that_is_gone_stops_no_curator(shop: Storage) -> None:
    point(shop, published(run="run=deleted"))
    assert send(shop)["number"] == 1
