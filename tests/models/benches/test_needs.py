"""What the benchmark of needs measures: real fits, at a size that a test can afford."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from models.benches import needs
from models.benches.needs import Need, line, measure, need, shop, visits_of
from models.candidates import candidate_named

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_the_shop_has_the_asked_size_and_the_same_pairs_each_time() -> None:
    train, items = shop(300, 40, 2_000)
    assert (train.weights.shape, train.weights.nnz) == ((300, 40), 2_000)
    assert len(train.last_times) == 2_000 and len(items.items) == 40
    again, _ = shop(300, 40, 2_000)
    np.testing.assert_array_equal(train.weights.indices, again.weights.indices)


def test_visits_have_every_pair_once_in_the_order_of_time() -> None:
    train, _ = shop(300, 40, 2_000)
    steps = visits_of(train)
    assert len(steps.item) == 2_000 and np.diff(steps.starts).max() == 5
    persons = steps.visitors[steps.visits]
    codes = np.searchsorted(train.users, steps.persons)[persons] * 40 + steps.item
    rows = np.repeat(np.arange(300), np.diff(train.weights.indptr))
    assert sorted(codes) == sorted(rows * 40 + train.weights.indices)
    same = np.diff(persons) == 0
    assert (np.diff(steps.times)[same] >= np.timedelta64(0)).all()


@linux
@pytest.mark.parametrize("name", ["also_bought", "lightfm_hybrid", "session_neighbours"])
def test_a_fit_is_measured(name: str) -> None:
    facts = measure(candidate_named(name), 2_500, 40, 9_000)
    assert facts.keys() == {"memory", "seconds", "disk", "list"}
    assert facts["disk"] > 2_500 * 128 and facts["seconds"] > 0 and facts["list"] > 0


@linux
def test_what_one_more_needs_is_what_doubling_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of 32 letters takes 128 bytes, a place in a history 8."""
    monkeypatch.setattr(needs, "BASE", (2_500, 40, 9_000))
    found = need("popularity")
    assert found.more["user"]["disk"] == pytest.approx(128 + 4 + 8, abs=8)
    assert found.more["pair"]["disk"] == pytest.approx(4, abs=1)


def test_a_row_of_the_table_has_a_cell_for_each_number() -> None:
    facts = {"memory": 2e6, "seconds": 3e-6, "disk": 40.0, "list": 1e-3}
    row = line("a", Need(facts, dict.fromkeys(needs.AXES, facts)))
    assert row.count("|") == 14
    assert row.startswith("| `a` | 2 MB | 0.0 s | 2,000,000 B | 40 B | 3.0 µs |")
