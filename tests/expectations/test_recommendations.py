"""The recommendations gate looks at each placement, and no robot stops a release."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from expectations.recommendations import gate_recommendations
from infra.errors import GateError
from infra.ledger.run_records import RunRecords
from infra.records.gates import Check, GateRecord
from infra.settings import load_settings
from infra.storage import Storage
from tests.expectations import lake
from tests.expectations.lake import AS_OF, pair, top

RUN = "run=lists"
USERS, LENGTHS = 60, {"home": 5, "newsletter": 3}
SEEN = {"leave_out": "seen"}


@pytest.fixture
def two_places(shop: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Return a shop whose home leaves out what was bought, and its newsletter what was seen."""
    rules: dict[str, dict[str, Any]] = {
        "home": {"leave_out": "bought", "within_days": 30},
        "newsletter": SEEN,
    }
    placements = {
        name: {"answers": "personal", "why": "a test", "length": LENGTHS[name], **rule}
        for name, rule in rules.items()
    }
    file = tmp_path / "placements.yaml"
    file.write_text(json.dumps({"success": ["purchase"], "placements": placements}))
    monkeypatch.setenv("CATWALK_PLACEMENTS", str(file))
    return Storage(load_settings())


def lists() -> lake.Rows:
    """Return full lists of everybody for both placements, each user's their own."""
    return [
        top(user, [2 + (user + place) % 50 for place in range(length)], placement=name)
        for user in range(USERS)
        for name, length in LENGTHS.items()
    ]


def gate(shop: Storage, rows: lake.Rows, *more: dict[str, Any]) -> dict[str, Check]:
    lake.put_items(shop, RUN, [], lake.items(60))
    lake.put_interactions(shop, RUN, [*(pair(user, 1) for user in range(USERS)), *more])
    lake.put_lists(shop, RUN, rows)
    with contextlib.suppress(GateError):
        gate_recommendations(shop, RUN)
    return {check.name: check for check in record(shop).checks}


def record(shop: Storage) -> GateRecord:
    found = RunRecords(shop, RUN).load_gate("recommendations")
    assert found is not None
    return found


def test_full_lists_of_both_placements_pass(two_places: Storage) -> None:
    gate(two_places, lists())
    assert record(two_places).result == "passed"


def test_a_robot_that_saw_everything_stops_nothing_and_is_named(two_places: Storage) -> None:
    rows = [row for row in lists() if (row["user_key"], row["placement"]) != ("u7", "newsletter")]
    checks = gate(two_places, [*rows, top(7, [], placement="newsletter")])
    assert record(two_places).result == "warned"
    assert checks["short_lists"].examples == (
        {"placement": "newsletter", "user_key": "u7", "items": 0, "wanted": 3},
    )


def test_a_placement_without_lists_stops_the_run(two_places: Storage) -> None:
    rows = [row for row in lists() if row["placement"] == "home"]
    checks = gate(two_places, rows)
    assert record(two_places).result == "stopped"
    assert checks["users_share"].value == 0
    assert checks["users_share"].examples[0] == {"placement": "newsletter", "user_key": "u0"}


def test_the_worst_placement_counts(two_places: Storage) -> None:
    rows = [
        {**row, "item_ids": row["item_ids"][:2], "scores": row["scores"][:2]}
        if row["placement"] == "newsletter"
        else row
        for row in lists()
    ]
    assert gate(two_places, rows)["full_lists_share"].value == 1 - USERS / 2000
    same = [
        {**row, "item_ids": ["i2", "i3", "i4"]} if row["placement"] == "newsletter" else row
        for row in lists()
    ]
    assert gate(two_places, same)["distinct_lists_share"].value == pytest.approx(1 / USERS)


def test_each_placement_leaves_out_what_its_own_rule_says(two_places: Storage) -> None:
    shown = lists()[0]["item_ids"][0]  # at both places, as the first item of the first user
    seen = {**pair(0, int(shown[1:])), "bought_time": None}
    checks = gate(two_places, lists(), seen)
    assert checks["left_out_items"].examples == (
        {"placement": "newsletter", "user_key": "u0", "item_id": shown},
    )
    bought = {**seen, "bought_time": AS_OF}
    checks = gate(two_places, lists(), bought)
    assert checks["left_out_items"].value == 2
    assert record(two_places).result == "stopped"


OWN = {"larder": "again", "mail": "looked_at"}


@pytest.fixture
def own_places(shop: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Return a shop that at two places shows own items, and at one needs to know an item."""
    rules: dict[str, dict[str, Any]] = {"home": {"answers": "personal"}}
    rules |= {name: {"answers": answers} for name, answers in OWN.items()}
    rules["page"] = {"answers": "similar"}
    placements = {
        name: {"why": "a test", "length": 5, "leave_out": "nothing", **rule}
        for name, rule in rules.items()
    }
    file = tmp_path / "placements.yaml"
    file.write_text(json.dumps({"success": ["purchase"], "placements": placements}))
    monkeypatch.setenv("CATWALK_PLACEMENTS", str(file))
    return Storage(load_settings())


def of_home() -> lake.Rows:
    return [row for row in lists() if row["placement"] == "home"]


def own_pairs() -> lake.Rows:
    """Return what everybody bought long ago, item 20 to 25, and what one looked at, item 30."""
    long_ago = AS_OF - timedelta(days=60)
    bought = [pair(user, 20 + n, bought_time=long_ago) for user in range(USERS) for n in range(6)]
    return [*bought, pair(3, 30)]


def test_lists_of_own_items_may_be_short_or_missing(own_places: Storage) -> None:
    rows = [top(user, [20], placement="larder") for user in range(USERS)]  # everybody the same
    checks = gate(own_places, [*of_home(), *rows, top(3, [30], placement="mail")], *own_pairs())
    assert record(own_places).result == "passed"
    assert checks["users_share"].value == 1
    assert checks["distinct_lists_share"].value == pytest.approx(50 / USERS), "as home alone"


@pytest.mark.parametrize(
    ("row", "breaks", "amount"),
    [
        (top(3, [30], placement="larder"), "not_own_items", 1),  # looked at, not bought
        (top(3, [20], placement="mail"), "not_own_items", 1),  # bought
        (top(3, [47, 48], placement="mail"), "not_own_items", 2),  # never met
        (top(3, [], placement="mail"), "short_lists", 1),
        (top(3, range(20, 26), placement="larder"), "short_lists", 1),  # one too many
        (top(3, [1], placement="page"), "unknown_placements", 1),
    ],
)
def test_what_is_wrong_with_a_list_of_own_items(
    own_places: Storage, row: dict[str, Any], breaks: str, amount: int
) -> None:
    checks = gate(own_places, [*of_home(), row], *own_pairs())
    assert checks[breaks].value == amount
    assert checks[breaks].examples[0]["user_key"] == "u3"
    assert record(own_places).result == ("warned" if breaks == "short_lists" else "stopped")
