"""What a customer takes again: her own items by her own weights, and nothing else is personal."""

from __future__ import annotations

import numpy as np

from models.recommender import NONE
from models.recommenders.again import Again
from models.recommenders.bestsellers import popularity
from tests.models.conftest import arrays, interaction, item, tastes


def test_own_items_come_first_by_their_weights() -> None:
    train, items = arrays(*tastes())
    sold = popularity(train)
    given = Again().fit(train, items).recommend(train.users, 12, exclude_seen=False)
    assert len(given.users) == 60
    for row in range(len(train.users)):
        mine = train.weights[row].toarray().ravel() * (1 + sold / sold.max())
        had = {place for place in np.flatnonzero(mine) if items.recommendable[place]}
        first = given.items[row, : len(had)]
        assert set(first.tolist()) == had and (np.diff(mine[first]) < 1e-5).all()
        assert given.own[row].tolist() == [True] * len(had) + [False] * (12 - len(had))
        assert (given.items[row] != NONE).all(), "what sells most fills the list"


def test_where_nothing_may_be_shown_again_it_says_that_it_knows_nothing_more() -> None:
    train, items = arrays(*tastes())
    given = Again().fit(train, items).recommend(np.array(["user000", "nobody"]), 5)
    assert not given.own.any() and given.fallback.tolist() == [False, True]
    assert len(given.item_ids(0)) == 5


def test_an_item_that_is_sold_out_is_not_shown_again() -> None:
    pairs = [interaction("a", "x", weight=9), interaction("a", "y"), interaction("b", "x")]
    catalogue = [item("x", in_stock=False), item("y")]
    given = Again().fit(*arrays(pairs, catalogue)).recommend(np.array(["a"]), 2, exclude_seen=False)
    assert given.item_ids(0) == ["y"]
