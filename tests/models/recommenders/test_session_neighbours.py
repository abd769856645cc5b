"""V-SKNN against a direct transcription of the paper, and what answers of visits promise."""

from __future__ import annotations

import doctest
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from infra.errors import InputError
from models.data.run_steps import steps_of
from models.recommender import ItemFeatures
from models.recommenders import also_viewed, near_visits
from models.recommenders.also_viewed import AlsoViewed
from models.recommenders.capabilities import reasons
from models.recommenders.near_visits import NearVisits
from models.recommenders.session_neighbours import SessionNeighbours
from models.recommenders.visits import Visits, visits_of
from models.steps import Steps
from tests.models.conftest import AS_OF, STEP_TYPES, arrays, step, tastes

NAMES = [f"item{number:03d}" for number in range(40)]
Log = list[list[str]]


def log(seed: int, amount: int = 40) -> Log:
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 7, amount)
    return [random.choice(NAMES[:14], size, replace=False).tolist() for size in sizes]


def steps(visits: Log, items: ItemFeatures, **values: Any) -> Steps:
    """Let another person make each visit, a day after the one before it."""
    began = AS_OF - timedelta(days=len(visits) + 5)
    rows = [
        step(
            f"p{visit:03d}",
            name,
            place,
            event_time=began + timedelta(days=visit, minutes=place),
            **values,
        )
        for visit, names in enumerate(visits)
        for place, name in enumerate(names)
    ]
    return steps_of(pa.Table.from_pylist(rows, STEP_TYPES), items.items)


def fit(visits: Log, **parameters: Any) -> NearVisits:
    train, items = arrays(*tastes())
    return SessionNeighbours(**parameters).fit_steps(train, items, steps(visits, items))


def slow(visits: Log, current: list[str], nearest: int, sample: int) -> dict[str, float]:
    """Transcribe the paper: vectors of decaying weights, dot products, and decay by the step."""
    weight = {name: (place + 1) / len(current) for place, name in enumerate(current)}
    sharing = [number for number, names in enumerate(visits) if set(names) & set(current)]
    latest = sorted(sharing, reverse=True)[:sample]
    alike = {
        number: sum(weight[name] for name in current if name in visits[number]) / len(current)
        for number in latest
    }
    neighbours = sorted(latest, key=lambda number: (-alike[number], -number))[:nearest]
    scores: dict[str, float] = {}
    for number in neighbours:
        step_back = 1
        for name in reversed(current):
            if name in visits[number]:
                break
            step_back += 1
        for name in visits[number]:
            scores[name] = scores.get(name, 0.0) + alike[number] / step_back
    having = {name: sum(name in names for names in visits) for name in scores}
    return {
        name: score * (1 + math.log(len(visits) / having[name])) for name, score in scores.items()
    }


@pytest.mark.parametrize("seed", range(6))
def test_it_does_what_the_paper_says(seed: int) -> None:
    visits, random = log(seed), np.random.default_rng(seed)
    model = fit(visits, nearest=5, sample=9, idf_power=1.0)
    for length in (1, 2, 4):
        current = random.choice(NAMES[:14], length, replace=False).tolist()
        expected = slow(visits, current, nearest=5, sample=9)
        found = model.scores_of_visit(np.array([NAMES.index(name) for name in current]))
        assert {NAMES[place] for place in np.flatnonzero(found)} == set(expected)
        for name, score in expected.items():
            assert found[NAMES.index(name)] == pytest.approx(score, rel=1e-5)
        given = model.recommend_sessions([np.array(current)], 3)
        best = sorted((score for name, score in expected.items() if name not in current))[::-1]
        assert given.scores[0][given.own[0]] == pytest.approx(best[:3], rel=1e-5)


def test_the_latest_item_of_a_visit_says_most() -> None:
    model = fit([["item000", "item001"], ["item002", "item003"]])
    first, second = (
        model.recommend_sessions([np.array(visit)], 1).item_ids(0)
        for visit in (["item000", "item002"], ["item002", "item000"])
    )
    assert (first, second) == (["item003"], ["item001"])


def test_one_question_at_once_is_answered_as_among_many() -> None:
    model, (train, _) = fit(log(1)), arrays(*tastes())
    allowed = model.recommendable.copy()
    for user in train.users[:5]:
        row = model.row_of_user(str(user), 6, allowed)
        given = model.recommend(np.array([user]), 6, exclude_seen=False)
        own = given.own[0]
        assert row is not None and row.items.tolist() == given.items[0][own].tolist()
        assert model.own_places(str(user), given.scores[0].tolist()) == own.sum()
    allowed[[3, 1]] = False
    row = model.row_of_items([3, 1, 3], 6, allowed)
    given = model.recommend_sessions([np.array([NAMES[place] for place in (3, 1, 3)])], 6)
    assert row is not None and row.items.tolist() == given.items[0][given.own[0]].tolist()
    assert (
        model.row_of_items([39], 6, allowed) is None and model.row_of_user("x", 6, allowed) is None
    )


def test_reasons_name_the_latest_item_of_a_near_visit() -> None:
    model = fit([["item000", "item001", "item005"], ["item001", "item006"]])
    session = [np.array(["item000", "item001"])]
    lists = model.recommend_sessions(session, 3)
    assert reasons(model, lists, NAMES, session) == [
        ["because you looked at item001", "because you looked at item001", ""]
    ]


def test_what_the_shop_showed_is_no_visit_and_too_many_steps_are_refused() -> None:
    train, items = arrays(*tastes())
    shown = steps(log(1), items, event_type="impression")
    model = SessionNeighbours().fit_steps(train, items, shown)
    assert not model.recommend_sessions([np.array(["item001"])], 3).own.any()
    many = replace(shown, item=np.zeros(10**6, dtype=np.int64))
    with pytest.raises(InputError, match=r"1,000,000 steps need 114 MB.*Raise CATWALK_TRAINING"):
        SessionNeighbours(memory_mb=64).fit_steps(train, items, many)


def test_visits_keep_the_last_of_an_item_and_the_latest_visits() -> None:
    _, items = arrays(*tastes())
    found = visits_of(steps([["item001", "item002", "item001"], ["item003"]], items))
    assert found.items.tolist() == [2, 1, 3] and found.starts.tolist() == [0, 2, 3]
    assert (np.diff(found.ends.astype(np.int64)) > 0).all()
    short = found.latest(2, 1)
    assert short.items.tolist() == [1, 3] and short.starts.tolist() == [0, 1, 2]
    assert found.latest(1, 5).items.tolist() == [3] and len(found.latest(1, 5).ends) == 1


def test_also_viewed_shows_what_came_next_soon_and_lately() -> None:
    train, items = arrays(*tastes())
    often = [["item000", "item001"]] * 2 + [["item000", "item002", "item003"]]
    model = AlsoViewed(popularity_power=0.0).fit_steps(train, items, steps(often, items))
    given = model.similar_items(np.array(["item000"]), 4)
    assert given.item_ids(0)[:3] == ["item001", "item002", "item003"]
    assert given.own[0].tolist() == [True, True, True, False]
    old = Visits(np.array([0, 2, 4]), np.array([0, 1, 0, 2]), AS_TIMES)
    counts = also_viewed.transitions(old, 3, 1, half_life_days=10.0)
    assert counts[0, 1] == pytest.approx(0.5) and counts[0, 2] == 1


AS_TIMES = np.array(["2026-01-01", "2026-01-11"], dtype="datetime64[us]")


@pytest.mark.parametrize("module", [also_viewed, near_visits])
def test_worked_examples(module: Any) -> None:
    tried = doctest.testmod(module)
    assert tried.failed == 0 and tried.attempted > 0
