"""The customers of a simulated world: the same luck for every kind of list, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.simulation.world import KINDS, NEEDY, NOBODY, World, world_of

DAYS = range(5)
EVENTS = 30_000


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(EVENTS, 14, "shoppers", 1)


def lived(world: World, best: bool) -> dict[str, float]:
    """Let days pass, with the best lists or with random ones."""
    again, random = world.changed(1), np.random.default_rng(2)
    on_sale = np.flatnonzero(again.on_sale)
    totals = dict.fromkeys(("seen", "clicked", "bought", "unaided", "cents", "visits"), 0.0)
    for day in DAYS:
        users = again.visitors(day)
        lists = again.best(users, 8) if best else random.choice(on_sale, (len(users), 8))
        done = again.react(day, users, lists)
        for name in ("seen", "clicked", "bought"):
            totals[name] += getattr(done, name).sum()
        totals["unaided"] += (done.unaided != NOBODY).sum()
        totals["cents"] += again.revenue(done).sum()
        totals["visits"] += len(users)
        assert not (done.clicked & ~done.seen).any()
        assert not (done.bought & ~done.clicked).any()
        assert not (done.returned & ~done.bought).any()
    return totals


def test_the_same_world_lives_the_same_days(world: World) -> None:
    assert lived(world, best=True) == lived(world, best=True)
    once = world.changed(1).visitors(0).tolist()
    assert once != world.changed(2).visitors(0).tolist()
    assert once == world.changed(1).visitors(0).tolist()


def test_better_lists_are_clicked_and_bought_more_and_bring_people_back(world: World) -> None:
    best, random = lived(world, best=True), lived(world, best=False)
    assert best["clicked"] > 5 * random["clicked"]
    assert best["cents"] > 2 * random["cents"]
    assert best["visits"] > random["visits"], "contentment decides when they come again"


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_look_at_the_upper_places_more(kind: str) -> None:
    world = world_of(EVENTS, 14, kind, 1)
    users = world.visitors(0)
    seen = world.react(0, users, world.best(users, 8)).seen.mean(axis=0)
    assert seen[0] == 1.0
    assert seen[0] > seen[3] > seen[7]


def test_who_comes_for_one_thing_buys_no_more_by_better_lists() -> None:
    world = world_of(EVENTS, 14, NEEDY, 1)
    best, random = lived(world, best=True), lived(world, best=False)
    assert best["bought"] > random["bought"]
    orders = [each["bought"] + each["unaided"] for each in (best, random)]
    assert orders[0] == orders[1]


def test_empty_places_are_not_looked_at(world: World) -> None:
    users = world.visitors(0)
    done = world.react(0, users, np.full((len(users), 4), NOBODY))
    assert not done.seen.any()
