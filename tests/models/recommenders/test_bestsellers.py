"""What sells most: users counted once, in a window that no hold-out chooses."""

from __future__ import annotations

import doctest
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from models.recommenders import bestsellers as module
from models.recommenders.bestsellers import AGES, WINDOWS, best_window, popularity, takers_by_age
from models.recommenders.popularity import Popularity
from tests.models.conftest import AS_OF, arrays, interaction, item

Row = dict[str, Any]


def taken(user: str, name: str, days_ago: float, weight: float = 1.0) -> Row:
    row = interaction(user, name, weight=weight)
    return {**row, "last_time": AS_OF - timedelta(days=days_ago)}


def slow_gain(rows: list[Row], window: int, end: int) -> float:
    """Take the first ten items of a window; add what later users took of them, by rank."""

    def takers(name: str, low: int, high: int) -> int:
        mine = [row for row in rows if row["item_id"] == name]
        ages = {row["user_key"]: (AS_OF - row["last_time"]) / timedelta(days=1) for row in mine}
        return sum(low <= age < high for age in ages.values())

    names = sorted({row["item_id"] for row in rows})
    first = sorted(names, key=lambda name: -takers(name, end, end + window))[:10]
    later = [takers(name, end - 7, end) for name in first]
    total = sum(takers(name, end - 7, end) for name in names)
    return sum(count / np.log2(rank + 2) for rank, count in enumerate(later)) / max(1, total)


@pytest.mark.parametrize("seed", range(8))
def test_the_window_is_that_of_the_slow_version(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = [taken("last", "item00", 0)]
    for user in range(150):
        for name in random.choice(25, size=4, replace=False):
            age = random.integers(0, 60) * 0.99 + (20 if name < 8 else 0)
            rows.append(taken(f"user{user:03d}", f"item{name:02d}", float(age)))
    train, _ = arrays(rows, [item(f"item{place:02d}") for place in range(25)])
    gains = {window: sum(slow_gain(rows, window, end) for end in (7, 14)) for window in WINDOWS}
    assert gains[best_window(takers_by_age(train))] == pytest.approx(max(gains.values()))


def test_a_customer_counts_once_however_much_they_buy() -> None:
    """One who has 40% of all weight moves nothing."""
    rows = [taken(f"user{user}", name, 1.0) for user in range(5) for name in ("x", "y")]
    rows += [taken("user9", "x", 0.5)]
    before = popularity(arrays(rows, [item(name) for name in "xyz"])[0])
    heavy = [*rows, taken("heavy", "z", 0.0, weight=7.0)]
    after = popularity(arrays(heavy, [item(name) for name in "xyz"])[0])
    assert before.argsort()[::-1].tolist() == [0, 1, 2] == after.argsort()[::-1].tolist()
    assert after[2] < 2, "one customer"


def test_what_sold_long_ago_orders_only_the_rest() -> None:
    rows = [taken(f"user{user}", "old", AGES + 9) for user in range(50)]
    rows += [taken("user1", "now", 0), taken("user2", "older", 2 * AGES)]
    names = ["never", "now", "old", "older"]
    ranked = popularity(arrays(rows, [item(name) for name in names])[0])
    assert [names[place] for place in ranked.argsort()[::-1]] == ["now", "old", "older", "never"]


def test_strangers_and_the_baseline_are_shown_the_same() -> None:
    rows = [taken(f"user{user}", f"item{user % 7}", user) for user in range(40)]
    data = arrays(rows, [item(f"item{place}") for place in range(9)])
    asked = np.array(["nobody", "user1"])
    given = Popularity().fit(*data).recommend(asked, 7, exclude_seen=False)
    best = np.sort(popularity(data[0]))[::-1][:7]
    assert given.scores[0].tolist() == given.scores[1].tolist() == best.tolist()


def test_worked_examples() -> None:
    tried = doctest.testmod(module)
    assert tried.failed == 0 and tried.attempted > 0
