"""New customers: asked for item by item of their visits, against a slow version; never averaged in.

The slow version walks through rows of the table, with sets and lists.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from infra.storage import Storage
from models.data.run_steps import steps_of
from models.data.run_tables import RunTables, read_run
from models.evaluation import newcomers
from models.evaluation.evaluate import evaluate
from models.evaluation.newcomers import FIRST, Questions, answered, questions_of
from models.recommenders.also_bought import AlsoBought
from models.recommenders.capabilities import recommend_sessions
from models.recommenders.popularity import Popularity
from models.steps import Steps
from tests.models.conftest import RUN, STEP_TYPES, WriteRun, step, tastes
from tests.models.evaluation.test_evaluate import train_all

Row = dict[str, Any]


def some_steps(persons: int = 12, seed: int = 1) -> list[Row]:
    """Visits of people: most are new, some look twice at an item, one looks at unknown items."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(persons):
        name = f"user{number:03d}" if number < 3 else f"new{number:03d}"
        for visit in range(int(random.integers(1, 4))):
            items = random.integers(0, 38, int(random.integers(1, 9)))
            items = [*items, items[0]]
            for place, chosen in enumerate(items):
                what = "unknown" if number == 5 and place % 2 else f"item{chosen:03d}"
                more = {"session": f"s{visit}", "part": "holdout"}
                rows.append(step(name, what, place, **more))
    return rows


def as_steps(rows: list[Row], tables: RunTables) -> Steps:
    return steps_of(pa.Table.from_pylist(rows, STEP_TYPES), tables.items.items)


def slow_questions(rows: list[Row], tables: RunTables) -> dict[str, list[tuple[list[str], str]]]:
    """Return per person what was seen of a visit, and what came next."""
    known, asked = set(tables.items.items), {}
    old = set(tables.train.users)
    visits: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        visits.setdefault((row["person_key"], row["session"]), []).append(row)
    for person, _session in sorted(visits):
        if person in old:
            continue
        steps = sorted(visits[person, _session], key=lambda row: row["position"])
        items = list(dict.fromkeys(row["item_id"] for row in steps if row["item_id"] in known))
        mine = asked.setdefault(person, [])
        begin = 0 if (person, _session) == min(key for key in visits if key[0] == person) else 1
        for place in range(begin, min(len(items), FIRST + 1)):
            mine.append((items[:place], items[place]))
    return {person: questions for person, questions in asked.items() if questions}


@pytest.fixture
def tables(shop: Storage, write_run: WriteRun) -> RunTables:
    write_run()
    return read_run(shop, RUN)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("recipe", [AlsoBought(), Popularity()], ids=["also_bought", "popularity"])
def test_the_same_as_the_slow_version(tables: RunTables, seed: int, recipe: Any) -> None:
    rows = some_steps(seed=seed)
    slow = slow_questions(rows, tables)
    questions = questions_of(tables, as_steps(rows, tables), seed=1)
    assert questions.persons.tolist() == sorted(slow)
    assert len(questions.wanted) == sum(map(len, slow.values()))
    model = recipe.fit(tables.train, tables.items)
    found = answered(model, questions, tables)
    nobody = model.recommend(np.array(["nobody"]), 10).item_ids(0)
    for row, person in enumerate(questions.persons):
        gains, hits = [], []
        for so_far, wanted in slow[str(person)]:
            sessions = [np.array(so_far)]
            shown = recommend_sessions(model, sessions, 10).item_ids(0) if so_far else nobody
            gains.append(1 / math.log2(shown.index(wanted) + 2) if wanted in shown else 0.0)
            hits.append(float(wanted in shown))
        assert found["next_item_ndcg_at_10"][row] == pytest.approx(np.mean(gains))
        assert found["next_item_hit_rate_at_10"][row] == pytest.approx(np.mean(hits))


def test_a_champion_answers_with_what_may_be_shown_today(tables: RunTables) -> None:
    """It was fitted when everything could be shown; half of that is sold out by now."""
    model = AlsoBought().fit(tables.train, tables.items)
    stock = np.arange(len(tables.items.items)) % 2 == 0
    today = replace(tables, items=replace(tables.items, in_stock=stock))
    session = [np.array(["item002", "item004"])]
    questions = Questions(np.array(["new"]), np.array([0]), session, np.array([7]))
    assert answered(model, questions, tables)["next_item_hit_rate_at_10"] == 1.0
    assert answered(model, questions, today)["next_item_hit_rate_at_10"] == 0.0


def test_where_many_are_new_a_sample_is_asked(
    tables: RunTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = as_steps(some_steps(persons=40), tables)
    whole = questions_of(tables, steps, seed=1)
    monkeypatch.setattr(newcomers, "PERSONS", 10)
    first, again, other = (questions_of(tables, steps, seed) for seed in (1, 1, 2))
    assert len(whole.persons) > 30 and len(first.persons) == 10
    assert first.persons.tolist() == again.persons.tolist() != other.persons.tolist()
    assert set(first.persons) < set(whole.persons)


def test_nobody_is_new(tables: RunTables) -> None:
    rows = [row for row in some_steps() if row["person_key"].startswith("user")]
    questions = questions_of(tables, as_steps(rows, tables), seed=1)
    model = AlsoBought().fit(tables.train, tables.items)
    assert all(len(values) == 0 for values in answered(model, questions, tables).values())


def test_they_are_a_slice_with_metrics_of_its_own(shop: Storage, write_run: WriteRun) -> None:
    pairs, items = tastes()
    write_run(pairs, items, steps=some_steps(persons=80))
    train_all(shop, RUN)
    scores = evaluate(shop, RUN).scores
    assert len(scores) > 1
    for score in scores:
        (part,) = (part for part in score.slices if part.name == "new customers")
        assert part.users == 77 and not part.too_small
        assert part.metrics == {name: score.metrics[name] for name in part.metrics}
        assert set(part.metrics) == {"next_item_ndcg_at_10", "next_item_hit_rate_at_10"}


def test_few_new_customers_are_named_and_not_judged(shop: Storage, write_run: WriteRun) -> None:
    pairs, items = tastes()
    write_run(pairs, items, steps=some_steps())
    train_all(shop, RUN)
    (part,) = (part for part in evaluate(shop, RUN).scores[0].slices if "customers" in part.name)
    assert part.too_small and part.users == 9 and part.metrics == {}


@pytest.mark.parametrize("kind", ["impression", "return"])
def test_what_was_shown_or_came_back_is_no_next_item(tables: RunTables, kind: str) -> None:
    chosen = [step("new", f"item{place:03d}", place, part="holdout") for place in range(3)]
    beside = [
        {**step("new", f"item{20 + place:03d}", 3 + place, part="holdout"), "event_type": kind}
        for place in range(3)
    ]
    alone = questions_of(tables, as_steps(chosen, tables), seed=1)
    both = questions_of(tables, as_steps([*beside, *chosen], tables), seed=1)
    assert both.wanted.tolist() == alone.wanted.tolist() != []
