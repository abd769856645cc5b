"""Shows lists to worlds of customers without a server, and counts what each kind of list brings.

The same customers meet every kind of list with the same draws, so what differs is the lists' doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from infra.ledger.ab_tests import TestState
from infra.ledger.assignment import arm_of
from infra.ledger.run_rules import placements_of
from infra.person_keys import PersonKeys
from infra.records.ab_tests import AbTest, Arm, Phase
from infra.records.ab_verdicts import AbVerdict, TestHealth
from infra.storage import Storage
from models.ab_tests.unit_totals import totals_of
from models.ab_tests.verdict import judge_ab_test
from models.data.left_out import left_out
from models.data.run_tables import read_run
from models.recommender import NONE
from models.recommenders.todays_model import TodaysModel
from models.training.trained_model import load_trained

K = 10
Ints = NDArray[np.int64]
Lists = Callable[[Ints], Ints]  # from customers to what each is shown, both as a world counts them
_MEASURED = ("orders", "units", "conversion", "revenue")
World = Any  # of jobs/simulation/world.py, which is loaded by its name


@dataclass(frozen=True)
class Lived:
    """What some days brought, by customer.

    Attributes
    ----------
    impressions, clicks, orders, cents : array of int64, shape (users,)
    """

    impressions: Ints
    clicks: Ints
    orders: Ints
    cents: Ints

    @property
    def ctr(self) -> float:
        """Clicks per impression."""
        return float(self.clicks.sum() / max(self.impressions.sum(), 1))

    @property
    def revenue(self) -> float:
        """Euro per customer."""
        return float(self.cents.mean() / 100)


def live_through(world: World, lists: Lists, days: Sequence[int]) -> Lived:
    """Let days pass, with lists of one kind for everybody."""
    counts = np.zeros((4, world.users), dtype=np.int64)
    for day in days:
        users = world.visitors(day)
        done = world.react(day, users, lists(users))
        counts[0, users] += done.seen.sum(axis=1)
        counts[1, users] += done.clicked.sum(axis=1)
        counts[2, users] += done.bought.sum(axis=1) + (done.unaided >= 0)
        counts[3, users] += world.revenue(done)
    return Lived(*counts)


def surely_more(better: NDArray[Any], worse: NDArray[Any]) -> bool:
    """Tell whether customers gain on average, by two standard errors of the paired difference."""
    gain = np.asarray(better, dtype=np.float64) - worse
    return bool(gain.mean() > 2 * gain.std() / np.sqrt(len(gain)))


def lists_of(storage: Storage, run: str, candidate: str, world: World) -> Lists:
    """Return the lists of a trained candidate, for the customers of a world."""
    trained, tables = load_trained(storage, run, candidate).model, read_run(storage, run)
    keys = PersonKeys(storage.settings.user_key_secret.get_secret_value())
    names = np.array([keys.of_user(f"u{user:07d}") for user in range(world.users)])
    train = tables.train.users
    rows = np.searchsorted(train, names).clip(max=len(train) - 1)
    known = (train[rows] == names)[:, None]
    hidden = left_out(tables, placements_of(storage, run).home.rule, rows).multiply(known)
    todays = TodaysModel(trained, tables.items.items, tables.items.recommendable)
    given = todays.recommend(names, 4 * K, exclude_seen=False, seen=csr_matrix(hidden))
    numbers = np.array([int(item[1:]) for item in tables.items.items])
    chosen = np.full((world.users, K), -1, dtype=np.int64)
    for row, items in enumerate(given.items):
        open_ = [numbers[item] for item in items if item != NONE and world.on_sale[numbers[item]]]
        chosen[row, : len(open_[:K])] = open_[:K]
    return lambda users: np.asarray(chosen[users])


def ladder(world: World, model: Lists, bestsellers: Lists, days: Sequence[int]) -> dict[str, Any]:
    """Return CTR and revenue of random lists, bestsellers, a model, and of who knows everything."""
    random = np.random.default_rng(1)
    on_sale = np.flatnonzero(world.on_sale)
    kinds: dict[str, Lists] = {
        "random": lambda users: random.choice(on_sale, (len(users), K)),
        "bestsellers": bestsellers,
        "model": model,
        "oracle": lambda users: np.asarray(world.best(users, K)),
    }
    lived = {name: live_through(world.changed(1), lists, days) for name, lists in kinds.items()}
    steps = list(zip(list(lived.values()), list(lived.values())[1:], strict=False))
    apart = all(
        surely_more(above.cents, below.cents) and above.ctr > below.ctr for below, above in steps
    )
    shown = {
        name: {"ctr": round(each.ctr, 4), "revenue": round(each.revenue, 2)}
        for name, each in lived.items()
    }
    return {**shown, "all_apart": apart}


def agreement(
    worlds: Mapping[str, World],
    lists: Mapping[str, Lists],
    quality: Mapping[str, float],
    days: Sequence[int],
) -> Iterator[tuple[str, str, str, bool]]:
    """Give for every kind of customers and pair of models whether the better one earned more.

    Yields
    ------
    tuple
        The customers, the better and the other model by NDCG, and whether revenue agrees.
    """
    for kind, world in worlds.items():
        lived = {name: live_through(world.changed(2), of, days) for name, of in lists.items()}
        for pair in combinations(lists, 2):
            better, other = sorted(pair, key=lambda name: -quality[name])
            yield kind, better, other, lived[better].revenue > lived[other].revenue


def judged(world: World, control: Lists, treatment: Lists, days: Sequence[int]) -> AbVerdict:
    """Judge a test of two kinds of lists on the customers of a world, after its days.

    Each customer is in one arm, by the hash that servers use; what everybody did in the arm's lists
    is what the units of the test are.
    """
    start = datetime(2026, 1, 5, tzinfo=UTC)
    state = _test(start, len(days), world.users)
    keys = [f"{user:032x}" for user in range(world.users)]
    arms = np.array([arm_of(state.phase, key) for key in keys])
    lived = {
        arm: live_through(world.changed(3), lists, days)
        for arm, lists in (("control", control), ("treatment", treatment))
    }

    def columns() -> Iterator[dict[str, NDArray[Any]]]:
        for arm, done in lived.items():
            mine = arms == arm
            zeros = np.zeros(int(mine.sum()))
            yield {f"{name}_before": zeros for name in _MEASURED} | {
                "arm": arms[mine],
                "arms": zeros + 1,
                "is_mature": zeros == 0,
                "orders": done.orders[mine],
                "units": done.orders[mine],
                "clicks": done.clicks[mine],
                "impressions": done.impressions[mine],
                "conversion": done.orders[mine] > 0,
                "revenue": done.cents[mine] / 100,
            }

    healthy = TestHealth(answers={"control": 1, "treatment": 1}, other_versions={}, missing={})
    over = start + timedelta(days=len(days) + 7)
    return judge_ab_test(state, totals_of(columns), healthy, over)


def _test(start: datetime, days: int, units: int) -> TestState:
    phase = Phase(salt="a" * 32, layer=(0, 10_000), control=(0, 5_000), treatment=(5_000, 10_000))
    return TestState(
        AbTest(
            number=1,
            at=start,
            by="bench",
            name="nothing-is-gained",
            hypothesis="The better list sells more.",
            placements=("home",),
            unit="user",
            control=Arm(version="v1", candidate="control"),
            treatment=Arm(version="v2", candidate="treatment"),
            learnt_from="run=loop",
            primary="revenue",
            days=days,
            mature_days=7,
            least_effect=0.1,
            planned_units=units,
            phase=phase,
        )
    )
