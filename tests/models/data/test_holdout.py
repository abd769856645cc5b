"""Whom and what models are scored on, against a slow version with sets and dates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from infra.errors import InputError
from infra.placements import ListRule
from infra.storage import Storage
from models.data.holdout import notes_of, select
from models.data.left_out import left_out
from models.data.run_tables import read_run
from tests.models.conftest import AS_OF, RUN, WriteRun, interaction, item

CUT = AS_OF - timedelta(days=3)
ITEMS = [item(f"item{place:02d}") for place in range(12)]
RULES = (ListRule("nothing"), ListRule("seen"), ListRule("bought", 30), ListRule("bought", 2))
Row = dict[str, Any]


def some_pairs(seed: int) -> list[Row]:
    """Draw looks and purchases of 20 people: some long ago, some sent back, three of new people."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(20):
        for name in random.choice(14, size=6, replace=False):
            for part in ("train", "holdout"):
                if random.random() < (0.8 if part == "train" else 0.4):
                    rows.append(some_pair(random, f"user{user:02d}", f"item{name:02d}", part))
    return [row for row in rows if row["part"] == "holdout" or row["user_key"] < "user17"]


def some_pair(random: np.random.Generator, user: str, name: str, part: str) -> Row:
    bought = bool(random.random() < 0.5)
    days_ago = float(random.choice([0.5, 5, 29.9, 30.1, 60]))
    time = CUT + timedelta(days=1) if part == "holdout" else CUT - timedelta(days=days_ago)
    return {
        **interaction(user, name, part, weight=float(random.choice([0, 1, 2]))),
        "successes": int(random.random() < 0.6) + bought,
        "purchases": int(bought),
        "last_time": time,
        "bought_time": time if bought else None,
    }


def is_left_out(row: Row, rule: ListRule) -> bool:
    if rule.leave_out != "bought":
        return rule.leave_out == "seen"
    bought = row["bought_time"]
    return bought is not None and CUT - bought <= timedelta(days=rule.within_days)


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_the_same_as_with_sets(
    shop: Storage, write_run: WriteRun, rule: ListRule, seed: int
) -> None:
    rows = some_pairs(seed)
    write_run(rows, ITEMS)
    tables = read_run(shop, RUN)
    chosen = select(tables, rule)
    past = [row for row in rows if row["part"] == "train"]
    later = [row for row in rows if row["part"] == "holdout"]
    users = {row["user_key"] for row in past if row["weight"] > 0}
    items = {row["item_id"] for row in ITEMS} | {
        row["item_id"] for row in past if row["weight"] > 0
    }
    hidden = {(row["user_key"], row["item_id"]) for row in past if is_left_out(row, rule)}
    seen = {(row["user_key"], row["item_id"]) for row in past}
    wins = {(row["user_key"], row["item_id"]): row for row in later if row["successes"]}
    known = {pair for pair in wins if pair[0] in users and pair[1] in items}
    wanted = known - hidden

    def pairs_of(matrix: Any) -> set[tuple[str, str]]:
        found = matrix.tocoo()
        assert found.data.all() and len(set(zip(found.row, found.col, strict=True))) == found.nnz
        places = zip(chosen.users[found.row], tables.train.items[found.col], strict=True)
        return {(str(user), str(name)) for user, name in places}

    assert pairs_of(chosen.wanted) == wanted
    assert pairs_of(chosen.purchased) == {pair for pair in wanted if wins[pair]["purchases"]}
    assert pairs_of(chosen.repeated) == wanted & seen
    mine = {pair for pair in hidden if pair[0] in set(chosen.users) and pair[1] in items}
    assert pairs_of(chosen.left_out) == mine
    amounts = chosen.amounts
    assert (amounts.pairs, amounts.successes) == (len(later), len(wins))
    assert (amounts.known, amounts.repeats) == (len(known), len(known & hidden))
    assert amounts.cold_users == len({user for user, _ in wins} - users)
    assert amounts.unknown_items == len({name for _, name in wins} - items)


def test_what_may_not_be_shown_is_asked_for_some_rows(shop: Storage, write_run: WriteRun) -> None:
    write_run(some_pairs(1), ITEMS)
    tables = read_run(shop, RUN)
    rows = np.array([3, 0])
    for rule in RULES:
        every = left_out(tables, rule, np.arange(len(tables.train.users)))
        assert (left_out(tables, rule, rows) != every[rows]).nnz == 0


def coffee(new: int) -> list[Row]:
    """Four things that 30 people buy on two days, and a new thing that a few of them take."""
    rows = []
    for user in range(30):
        for name in ("beans", "filter", "milk", "sugar"):
            rows.append(interaction(f"user{user:02d}", name))
            fresh = "cup" if user < new and name == "beans" else name
            rows.append(interaction(f"user{user:02d}", fresh, "holdout"))
    return rows


GROCERIES = [item(name) for name in ("beans", "cup", "filter", "milk", "sugar")]


def test_repeats_are_counted_beside_the_numbers(shop: Storage, write_run: WriteRun) -> None:
    write_run(coffee(new=3), GROCERIES)
    tables = read_run(shop, RUN)
    chosen = select(tables, ListRule("seen"))
    assert len(chosen.users) == 3
    assert notes_of(chosen, tables) == ["117 of 120 hold-out pairs are repeats and were left out."]
    again = select(tables, ListRule("nothing"))
    assert len(again.users) == 30 and notes_of(again, tables) == []
    assert again.repeated.nnz == 117


def test_where_all_are_repeats_the_error_says_so(shop: Storage, write_run: WriteRun) -> None:
    write_run(coffee(new=0), GROCERIES)
    with pytest.raises(InputError) as error:
        select(read_run(shop, RUN), ListRule("bought", 30))
    assert "All 120 hold-out pairs are things that the same user had before" in str(error.value)
    assert "leave out nothing" in error.value.cure


def test_where_nothing_is_a_success_the_error_says_so(shop: Storage, write_run: WriteRun) -> None:
    write_run([{**row, "successes": 0} for row in coffee(new=3)], GROCERIES)
    with pytest.raises(InputError, match="None of 120 hold-out pairs holds a success"):
        select(read_run(shop, RUN), ListRule("nothing"))
