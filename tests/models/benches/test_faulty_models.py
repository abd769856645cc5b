"""As many customers get another's list as were asked for, and they keep it as more are added."""

from __future__ import annotations

import numpy as np
import pytest

from models.benches.faulty_models import SwappedLists
from models.recommenders.factors import Factors

USERS = np.array([f"user{number:03d}" for number in range(200)])


def own_number() -> Factors:
    """Return a model that recommends to every user the item that is called like her."""
    return Factors(
        users=USERS,
        items=USERS,
        user_vectors=np.eye(len(USERS), dtype=np.float32),
        item_vectors=np.eye(len(USERS), dtype=np.float32),
        popularity=np.ones(len(USERS), dtype=np.float32),
        recommendable=np.ones(len(USERS), dtype=np.bool_),
        seen_starts=np.zeros(len(USERS) + 1, dtype=np.int64),
        seen_items=np.zeros(0, dtype=np.int32),
    )


def failed(share: float) -> set[str]:
    lists = SwappedLists.of(own_number(), USERS, share, seed=3).recommend(USERS, 1)
    assert lists.users.tolist() == USERS.tolist()
    assert sorted(lists.items[:, 0]) == list(range(200)), "each list is somebody's"
    return {str(user) for row, user in enumerate(USERS) if lists.item_ids(row) != [user]}


@pytest.mark.parametrize(("share", "users"), [(0.0, 0), (0.03, 6), (0.3, 60), (1.0, 200)])
def test_exactly_the_share_has_anothers_list(share: float, users: int) -> None:
    assert len(failed(share)) == users


def test_who_had_anothers_list_has_it_when_more_do() -> None:
    assert failed(0.03) < failed(0.06) < failed(0.3)


def test_a_stranger_is_no_part_of_it() -> None:
    lists = SwappedLists.of(own_number(), USERS, 1.0, seed=3).recommend(np.array(["nobody"]), 1)
    assert lists.fallback.tolist() == [True]


def test_its_scores_are_those_of_its_lists() -> None:
    model = SwappedLists.of(own_number(), USERS, 0.3, seed=3)
    scores, _ = model.scores_of(USERS)
    assert np.array_equal(scores.argmax(axis=1), model.recommend(USERS, 1).items[:, 0])
