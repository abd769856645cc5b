"""What every candidate answers beyond users it knows: sessions, product pages, reasons."""

from __future__ import annotations

import doctest

import numpy as np

from models.candidates import Candidate
from models.recommender import Recommendations, Recommender
from models.recommenders import capabilities
from models.recommenders.also_bought import AlsoBought
from models.recommenders.capabilities import (
    GivesReasons,
    reasons,
    recommend_sessions,
    similar_items,
)
from models.recommenders.factors import Factors
from tests.models.conftest import arrays, everyone, interaction, item, tastes

K = 6
HIDDEN = {"item038", "item039"}  # out of stock, without picture
PERSONAL = {"also_bought", "content", "lightfm_hybrid", "spark_als"}
TRAIN, _ = arrays(*tastes())


def coats(given: Recommendations, row: int) -> float:
    return float(np.mean([name < "item020" for name in given.item_ids(row)]))


@everyone
def test_a_few_items_of_a_stranger(fitted: Recommender, candidate: Candidate) -> None:
    sessions = [
        np.array(["item001", "item004", "item001"]),
        np.array(["item030", "never heard of"]),
        np.array(["never heard of"]),
        np.array([], dtype=np.str_),
    ]
    given = recommend_sessions(fitted, sessions, K)
    assert given.items.shape == (4, K)
    for row, session in enumerate(sessions):
        names = given.item_ids(row)
        assert len(set(names)) == K and not set(names) & (HIDDEN | set(session))
    assert given.fallback.tolist()[2:] == [True, True]
    assert given.item_ids(2) == fitted.recommend(np.array(["nobody"]), K).item_ids(0)
    if candidate.name in PERSONAL:
        assert not given.fallback[:2].any() and coats(given, 0) > 0.6 > 0.4 > coats(given, 1)


@everyone
def test_similar_items_for_a_product_page(fitted: Recommender, candidate: Candidate) -> None:
    asked = np.array(["item002", "never heard of", "item035"])
    given = similar_items(fitted, asked, K)
    assert given.users.tolist() == asked.tolist() and given.items.shape == (3, K)
    for row in range(3):
        names = given.item_ids(row)
        assert len(set(names)) == K and not set(names) & (HIDDEN | {str(asked[row])})
    assert given.fallback[1] and (np.diff(given.scores, axis=1) <= 0).all()
    if candidate.name in PERSONAL:
        assert not given.fallback[[0, 2]].any() and coats(given, 0) > 0.6 > 0.4 > coats(given, 2)


@everyone
def test_nobody_asks(fitted: Recommender) -> None:
    assert recommend_sessions(fitted, [], K).items.shape == (0, K)
    assert similar_items(fitted, np.array([], dtype=np.str_), K).items.shape == (0, K)


@everyone
def test_a_reason_names_what_the_user_had(fitted: Recommender) -> None:
    given = fitted.recommend(np.array(["user000", "nobody"]), K)
    titles = [name.title() for name in TRAIN.items]
    said = reasons(fitted, given, titles)
    assert len(said) == 2 and {len(row) for row in said} == {K}
    assert set(said[1]) == {""}
    had = {titles[place] for place in TRAIN.weights[0].indices}
    assert set(said[0]) <= {f"because you looked at {title}" for title in had} | {""}
    assert isinstance(fitted, GivesReasons) == ("because" in said[0][0])


def test_the_strongest_reason_is_given() -> None:
    pairs = [interaction(*pair) for pair in ["ax", "ay", "bx", "bz", "cx", "cz", "dy", "dw"]]
    model = AlsoBought(weighting="cosine").fit(*arrays(pairs, [item(name) for name in "wxyz"]))
    given = model.recommend(np.array(["a"]), 3)
    assert given.item_ids(0) == ["z", "w"] and given.catalogue.tolist() == list("wxyz")
    titles = ["W", "", "Y", "Z"]
    expected = ["because you bought x", "because you looked at Y", ""]
    bought = [{1}]  # x
    assert reasons(model, given, titles, bought=bought) == [expected]
    session = [np.array(["y"])]
    again = model.recommend_sessions(session, 1)
    assert reasons(model, again, titles, session) == [["because you looked at Y"]]


def test_of_vectors_the_most_alike_is_the_reason_and_never_the_item_itself() -> None:
    vectors = np.array([[1, 0, 9], [9, 8, 0], [0, 5, 0], [-1, -1, 0]], dtype=np.float32)
    model = Factors(
        users=np.array(["a"]),
        items=np.array(list("wxyz")),
        user_vectors=np.ones((1, 3), dtype=np.float32),
        item_vectors=vectors,
        popularity=np.ones(4, dtype=np.float32),
        recommendable=np.ones(4, dtype=np.bool_),
        seen_starts=np.array([0, 2]),
        seen_items=np.array([0, 2], dtype=np.int32),
        biases=1,
    )
    given = model.recommend(np.array(["a"]), 4, exclude_seen=False)
    said = dict(zip(given.item_ids(0), reasons(model, given, list("WXYZ"))[0], strict=True))
    assert said == {"w": "", "x": "because you looked at W", "y": "", "z": ""}
    visit = [np.array(["y", "nothing"])]
    about = reasons(model, model.recommend_sessions(visit, 1), list("WXYZ"), visit)
    assert about == [["because you looked at Y"]]


def test_worked_examples() -> None:
    tried = doctest.testmod(capabilities)
    assert tried.failed == 0 and tried.attempted > 0
