"""A replay of real models, at a size that a test can afford."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infra.storage import Storage
from models.benches.release_replay import (
    AGAIN,
    LEAKED,
    MONTH_OLD,
    ONE_USER,
    SEED,
    SHARES,
    Trainer,
    swapped,
)
from models.benches.release_shop import ShopReplay, replayable
from models.benches.release_windows import Pair, Window
from models.release.thresholds import parse_thresholds
from tests.models.conftest import AS_OF, WriteRun, tastes

HALF_A_DAY = timedelta(hours=12)
CROWDS = 3


@pytest.fixture
def pairs(write_run: WriteRun) -> tuple[Pair, ...]:
    """Two pairs of a chain: what is judged in the first is live in the second."""
    windows = [Window.at(AS_OF - (2 - step) * HALF_A_DAY) for step in range(3)]
    old = Window.at(AS_OF - timedelta(days=28))
    for seed, window in enumerate((old, *windows)):
        interactions, items = tastes(users=160, seed=seed)
        write_run(interactions, items, run=window.run, as_of=window.as_of)
    return tuple(Pair(windows[step], windows[step + 1], old) for step in range(2))


def test_every_kind_of_release_is_judged_by_every_crowd(
    shop: Storage, pairs: tuple[Pair, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    replay = ShopReplay("small", shop, CROWDS)
    assert list(replay.run(pairs)) == [1, 2]
    kinds = {AGAIN, SEED, *map(swapped, SHARES), MONTH_OLD, LEAKED, ONE_USER}
    assert replay.rows.keys() == kinds
    assert {row.outcomes.total() for row in replay.rows.values()} == {len(pairs) * CROWDS}
    assert len(replay.stopped) == len(pairs) * CROWDS
    assert replay.rows[AGAIN].users == [160, 160]
    said = capsys.readouterr().out.splitlines()
    assert "small: pair 2 of 2, " in said[-1] and said[-1].endswith(" s")


def test_faults_are_not_released_unasked(shop: Storage, pairs: tuple[Pair, ...]) -> None:
    replay = ShopReplay("small", shop, CROWDS)
    assert sum(1 for _ in replay.run(pairs)) == len(pairs)
    assert replay.rows[AGAIN].outcomes["reject"] == 0
    assert replay.rows[swapped(0.7)].outcomes["release"] == 0
    assert set(replay.rows[ONE_USER].outcomes) == {"review"}
    assert set(replay.rows[ONE_USER].users) == {1}


def test_what_is_live_is_the_best_of_the_run_before(shop: Storage, pairs: tuple[Pair, ...]) -> None:
    """Its release was approved, with what all candidates reached in it."""
    replay = ShopReplay("small", shop, 1)._prepared(1, pairs[0])
    scene = replay.again()
    best = max(replay.live.approved.items(), key=lambda entry: entry[1]["ndcg_at_10"])[0]
    champion = next(entrant for entrant in scene.entrants if entrant.score.role == "champion")
    assert champion.score.name == replay.live.name == best == scene.anchor
    twin = Trainer(shop).model(pairs[0].before.run, replay.trainer.named(best))
    users = replay.users
    assert (champion.model.recommend(users, 5).items == twin.recommend(users, 5).items).all()
    mine = next(entrant for entrant in scene.entrants if entrant.score.name == best)
    assert mine.score.approved["ndcg_at_10"] == replay.live.approved[best]["ndcg_at_10"]
    assert "user_coverage" not in mine.score.approved


def test_limits_on_what_a_replay_does_not_measure_are_left_out() -> None:
    content = b"""
ndcg_at_10: {min: 0.1, slices: {new users: {min: 0.01}}, why: order}
model_mb: {max: 100, why: memory}
next_item_ndcg_at_10: {min: 0.1, why: strangers}
"""
    kept = replayable(parse_thresholds(content, "here")).thresholds
    assert {name: (limit.min, limit.slices) for name, limit in kept.items()} == {
        "ndcg_at_10": (0.1, {})
    }
