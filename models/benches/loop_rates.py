"""How often A/B tests are judged rightly: thousands of simulated ones whose truth is known.

    python -m models.benches.loop_rates [--repetitions 2000]

Each repetition is a test of 14 days and 7 to mature in one world, with the same people and luck
three times: without an effect, with the one it was planned for, and with harm. Assignment,
statistics and verdict are those of `judge_ab_tests`. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.ledger.ab_tests import TestState
from infra.ledger.assignment import bucket_of
from infra.records.ab_tests import AbTest, ArmName, Phase
from infra.records.ab_verdicts import AbVerdict, TestHealth
from models.ab_tests.health import check_health
from models.ab_tests.plan import plan, today_by_word
from models.ab_tests.statistics import Measure, Moments, compare
from models.ab_tests.unit_totals import ARMS, COLUMNS, UnitTotals, totals_of
from models.ab_tests.verdict import judge_ab_test

DAYS, MATURE, A_DAY = 14, 7, 200  # units an arm and day
UNITS = 2 * DAYS * A_DAY
CONVERSION, HARM = 0.05, -0.4
SRM_UNITS, SRM_SALTS = 20_000, 20
SEEN, CLICKED = 10, 0.03  # items a unit sees, and how many of them it clicks
START = datetime(2026, 1, 5, tzinfo=UTC)
END = START + timedelta(days=DAYS + MATURE)
HEALTHY = TestHealth(answers={"control": 1, "treatment": 1}, other_versions={}, missing={})
METRICS = ("conversion", "revenue", "ctr")
NEVER = DAYS + MATURE - 1  # a day whose morning nobody looks at: the verdict follows
Floats = NDArray[np.float64]
Days = NDArray[np.int_]


@dataclass(frozen=True)
class World:
    """The units of a test, and the luck each has whatever it is shown.

    Attributes
    ----------
    treated : array of bool
    came, waits : array
        Days from the start to the first exposure, and from there to a purchase.
    taste : array
        How much each buys and clicks, 1 on average; also in the days before.
    luck : array of (4, units)
        Uniform: buys, has bought before, spends, has spent before.
    clicks : array of (SEEN, units)
        Uniform: clicks this item.
    """

    treated: NDArray[np.bool_]
    came: Floats
    waits: Floats
    taste: Floats
    luck: Floats
    clicks: Floats


@cache
def planned_effect() -> float:
    """Return the effect that this many units are planned for."""
    today = today_by_word("conversion", 2 * A_DAY, CONVERSION)
    effect = 0.3
    for _ in range(20):  # the variance of treatment depends on the effect
        effect = plan(today, "conversion", effect, DAYS, 1.0, (0.5, 0.5), "a bench").detects
    return effect


def world_of(rng: np.random.Generator) -> tuple[TestState, World]:
    """Return a test with a salt of its own, and its units, assigned as servers do it."""
    state = _state(rng.bytes(16).hex())
    unit = int.from_bytes(rng.bytes(15))
    keys = (f"{unit + place:032x}" for place in range(UNITS))
    buckets = np.fromiter((bucket_of(state.phase.salt, key) for key in keys), int, UNITS)
    world = World(
        treated=buckets >= state.phase.treatment[0],
        came=rng.random(UNITS) * DAYS,
        waits=rng.random(UNITS) * MATURE,
        taste=rng.gamma(2, 0.5, UNITS),
        luck=rng.random((4, UNITS)),
        clicks=rng.random((SEEN, UNITS)),
    )
    return state, world


def _state(salt: str) -> TestState:
    phase = Phase(salt=salt, layer=(0, 10_000), control=(0, 5_000), treatment=(5_000, 10_000))
    return TestState(
        AbTest(
            number=1,
            at=START,
            by="bench",
            name="bench-loop",
            hypothesis="It sells more.",
            placements=("home",),
            unit="user",
            control={"version": "v1", "candidate": "control"},
            treatment={"version": "v2", "candidate": "treatment"},
            learnt_from="run=bench",
            primary="conversion",
            days=DAYS,
            mature_days=MATURE,
            least_effect=planned_effect(),
            planned_units=UNITS,
            phase=phase,
        )
    )


def columns_of(world: World, lift: float) -> dict[str, NDArray[Any]]:
    """Return what the units did: treatment makes each buy and click more, by the lift."""
    more = 1 + lift * world.treated
    buys = world.luck[0] < CONVERSION * world.taste * more
    bought = world.luck[1] < 2 * CONVERSION * world.taste
    spends, spent = -40 * np.log(world.luck[2]), -40 * np.log(world.luck[3])
    clicks = (world.clicks < CLICKED * world.taste * more).sum(axis=0)
    return {
        "arm": np.where(world.treated, "treatment", "control"),
        "arms": np.ones(UNITS, int),
        "is_mature": np.ones(UNITS, bool),
        "orders": buys,
        "units": buys,
        "clicks": clicks,
        "impressions": np.full(UNITS, SEEN),
        "orders_before": bought,
        "units_before": bought,
        "conversion": buys,
        "conversion_before": bought,
        "revenue": buys * spends,
        "revenue_before": bought * spent,
    }


def harm_day(world: World, columns: dict[str, NDArray[Any]]) -> int | None:
    """Return the day on whose morning harm stops the test before its end; None if none does."""
    measure = Measure("conversion", before="before")
    buys = columns["conversion"]
    sold = np.where(buys, np.floor(world.came + world.waits), NEVER).astype(int)
    before = columns["conversion_before"]
    arms = [
        list(_by_morning(world.came[own], sold[own], before[own]))
        for own in (~world.treated, world.treated)
    ]
    for day, (control, treatment) in enumerate(zip(*arms, strict=True), 1):
        if compare(control, treatment, measure).always_valid(UNITS)[1] < 0:
            return day
    return None


def _by_morning(
    came: Floats, sold: NDArray[np.int_], before: NDArray[np.bool_]
) -> Iterator[Moments]:
    """Give the moments of an arm as they are each morning, from sums: all columns are 0 or 1."""

    def until(days: Days) -> Days:
        return np.cumsum(np.bincount(days, minlength=DAYS + MATURE))[:-1]

    arrived = np.floor(came).astype(int)
    sums = until(arrived), until(sold), until(arrived[before]), until(sold[before])
    for n, first, second, both in zip(
        *(column[: DAYS + MATURE - 1] for column in sums), strict=True
    ):
        mean = np.array([first, second]) / max(n, 1)
        products = np.array([[first, both], [both, second]])
        cov = (products - n * np.outer(mean, mean)) / max(n - 1, 1)
        yield Moments(("conversion", "before"), int(n), mean, cov)


def _once(columns: dict[str, NDArray[Any]]) -> Iterator[dict[str, NDArray[Any]]]:
    yield columns


@dataclass
class Counts:
    """What the repetitions found; lists hold an entry for each."""

    winners: list[bool] = field(default_factory=list)
    false_harm: list[bool] = field(default_factory=list)
    void: list[bool] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    covered: dict[str, list[bool]] = field(default_factory=lambda: {name: [] for name in METRICS})
    days: list[int | None] = field(default_factory=list)

    def add(self, state: TestState, world: World, effect: float) -> None:
        """Judge a world without an effect and with the planned one; look for harm day by day."""
        did = {lift: columns_of(world, lift) for lift in (0.0, effect)}
        verdicts = {
            lift: judge_ab_test(state, totals_of(partial(_once, did[lift])), HEALTHY, END)
            for lift in did
        }
        for lift, verdict in verdicts.items():
            self._cover(verdict, lift)
        self.winners.append(verdicts[0.0].primary.finding != "cannot tell")
        self.void.append(verdicts[0.0].outcome == "void")
        self.found.append(verdicts[effect].primary.finding == "better")
        self.false_harm.append(harm_day(world, did[0.0]) is not None)
        self.days.append(harm_day(world, columns_of(world, HARM)))

    def _cover(self, verdict: AbVerdict, lift: float) -> None:
        for metric in verdict.metrics:
            if metric.metric in METRICS:
                low, high = metric.low, metric.high
                holds = low is not None and high is not None and low <= lift <= high
                self.covered[metric.metric].append(holds)


def srm_caught(rng: np.random.Generator, repetitions: int) -> list[bool]:
    """Tell how often 48:52 is seen at 20,000 units: some of control are lost on the way."""
    state = _state(rng.bytes(16).hex())
    seen = list[bool]()
    for _ in range(SRM_SALTS):
        salt = rng.bytes(16).hex()
        control = sum(bucket_of(salt, f"{unit:032x}") < 5_000 for unit in range(SRM_UNITS))
        for _ in range(max(1, repetitions // SRM_SALTS)):
            kept = int(rng.binomial(control, 48 / 52))
            lost = control - kept  # others come in their place, by the same broken shares
            again = int(rng.binomial(lost, 0.52))
            n: dict[ArmName, int] = {
                "control": kept + lost - again,
                "treatment": SRM_UNITS - control + again,
            }
            seen.append(not check_health(state, _of_size(n), HEALTHY)[0].passed)
    return seen


def _of_size(n: dict[ArmName, int]) -> UnitTotals:
    width = len(COLUMNS)
    zeros = np.zeros(width), np.zeros((width, width))
    arms = {arm: Moments(COLUMNS, n[arm], *zeros) for arm in ARMS}
    return UnitTotals(arms, arms, 0)


def rates(repetitions: int, seed: int = 1) -> dict[str, Any]:
    """Return the shares, each with its standard error where it is held to a number."""
    rng, counts, effect = np.random.default_rng(seed), Counts(), planned_effect()
    began = time.monotonic()
    for _ in range(repetitions):
        counts.add(*world_of(rng), effect)
    stopped = [day for day in counts.days if day is not None]
    every = [holds for metric in counts.covered.values() for holds in metric]
    return {
        "repetitions": repetitions,
        "effect_at_mde": round(effect, 4),
        "aa_false_positive": _share(counts.winners),
        "aa_false_positive_error": round(float(np.std(counts.winners) / repetitions**0.5), 4),
        "aa_harm_stopped": _share(counts.false_harm),
        "aa_void": _share(counts.void),
        "coverage": _share(every),
        "coverage_by_metric": {name: _share(seen) for name, seen in counts.covered.items()},
        "power_at_mde": _share(counts.found),
        "harm_stopped_share": round(len(stopped) / repetitions, 4),
        "harm_stopped_day": float(np.median(stopped)) if stopped else None,
        "srm_caught": _share(srm_caught(rng, repetitions)),
        "seconds": round(time.monotonic() - began, 1),
    }


def _share(seen: list[bool]) -> float:
    return round(float(np.mean(seen)), 4)


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2_000)
    found = rates(parser.parse_args().repetitions)
    for name, value in found.items():
        print(f"{name:26} {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
