"""The blocked selection against sorting everything."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from infra.errors import InputError
from models.recommenders import top_k as module
from models.recommenders.top_k import places, top_k
from models.ties import Ties, ties_of_places
from tests.models.test_ties import slow_mix


def slow(users, items, k, allowed, seen, order):  # type: ignore[no-untyped-def]
    rows = []
    for user in range(len(users)):
        ranked = sorted(
            (-float(users[user] @ items[item]), order(user, item), item)
            for item in range(len(items))
            if allowed[item] and not seen[user, item]
        )[:k]
        rows.append([item for *_, item in ranked] + [-1] * (k - len(ranked)))
    return rows


@settings(max_examples=160, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    users=st.integers(1, 9),
    items=st.integers(1, 40),
    k=st.integers(1, 14),
    group=st.sampled_from([1, 2, 3, 32]),
    few=st.sampled_from([1, 20]),
)
def test_same_as_sorting_everything(
    seed: int, users: int, items: int, k: int, group: int, few: int
) -> None:
    random = np.random.default_rng(seed)
    left = random.integers(-2, 3, (users, 2)).astype(np.float32)  # small numbers: many ties
    right = random.integers(-2, 3, (items, 2)).astype(np.float32)
    allowed = random.random(items) < 0.8
    seen = random.random((users, items)) < 0.3
    ids = [random.integers(0, 2**64, amount, dtype=np.uint64) for amount in (users, items)]

    def order(user: int, item: int) -> int:
        return slow_mix((int(ids[0][user]) + int(ids[1][item])) % 2**64)

    with mock.patch.multiple(module, GROUP=group, FEW=few):
        places, scores = top_k(left, right, k, allowed, csr_matrix(seen), Ties(*ids))
    assert places.tolist() == slow(left, right, k, allowed, seen, order)
    assert (np.isneginf(scores) == (places == -1)).all()


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**31), users=st.integers(1, 6), items=st.integers(1, 40))
def test_places_are_those_of_a_whole_ranking(seed: int, users: int, items: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(-2, 3, (users, items)).astype(np.float32)  # many ties
    scores[random.random((users, items)) < 0.3] = -np.inf
    wanted = random.random((users, items)) < 0.4
    ties = Ties(*(random.integers(0, 2**64, size, dtype=np.uint64) for size in (users, items)))
    keys = ties.keys(*np.ogrid[:users, :items])
    slow = [
        sorted((-scores[user, item], keys[user, item], item) for item in range(items))
        for user in range(users)
    ]
    ranked = [[item for score, _, item in row if score < np.inf] for row in slow]
    expected = [
        ranked[user].index(item) if item in ranked[user] else -1
        for user, item in np.argwhere(wanted)
    ]
    assert places(scores, csr_matrix(wanted), ties).tolist() == expected


def test_a_score_that_is_no_number_has_no_place() -> None:
    scores = np.float32([[np.nan, 1.0]])
    wanted = csr_matrix(np.array([[True, True]]))
    assert places(scores, wanted, ties_of_places(1, 2)).tolist() == [-1, 0]


def test_the_block_size_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    users, items = random.normal(size=(50, 4)), random.normal(size=(30, 4))
    arguments = (users.astype(np.float32), items.astype(np.float32), 5, np.ones(30, dtype=bool))
    whole = top_k(*arguments)[0]
    monkeypatch.setattr(module, "BLOCK_SCORES", 7 * 30)
    assert np.array_equal(top_k(*arguments)[0], whole)


@pytest.mark.parametrize("k", [5, 30])
def test_the_block_size_changes_no_order_of_equal_items(
    monkeypatch: pytest.MonkeyPatch, k: int
) -> None:
    ties = Ties(np.arange(50, dtype=np.uint64), np.arange(30, dtype=np.uint64))
    users, items = np.ones((50, 1), dtype=np.float32), np.ones((30, 1), dtype=np.float32)
    arguments = (users, items, k, np.ones(30, dtype=bool))
    whole = top_k(*arguments, ties=ties)[0]
    monkeypatch.setattr(module, "BLOCK_SCORES", 7 * 30)
    assert np.array_equal(top_k(*arguments, ties=ties)[0], whole)
    assert len({tuple(row) for row in whole.tolist()}) == 50, "every user has an order of their own"


def test_diverged_vectors_are_refused() -> None:
    broken = np.float32([[np.nan]])
    with pytest.raises(InputError, match="not finite"):
        top_k(broken, np.float32([[1]]), 1, np.array([True]))
