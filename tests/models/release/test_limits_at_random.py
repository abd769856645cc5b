"""No random metrics, slices, noise or limits let a model go live that misses a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.records.evaluation import Comparison, Slice
from models.metrics.ranking import METRICS, RANKING
from models.release.judging import judge
from models.release.thresholds import Doubt, ReleaseRules, Threshold
from tests.models.release.test_limits import NOT_JUDGED, NOTHING_LIVE, evaluation, moves, score

TWO = METRICS[:2]  # more would hide each other's misses
plain = st.floats(-0.5, 0.5, width=16)
number = st.one_of(*[plain] * 8, st.none(), st.floats())  # most are such that a limit decides
numbers = st.fixed_dictionaries(dict.fromkeys(TWO, number))
missed = st.sampled_from(["reject", "review"])
bounds = {"min": st.sampled_from([-0.5, -0.1, 0.1]), "max": st.sampled_from([0.1, 0.3, 0.5])}
slice_limits = st.fixed_dictionaries({}, optional={**bounds, "if_missed": missed}).filter(
    lambda limit: bool({"min", "max"} & set(limit))
)
limits = st.fixed_dictionaries(
    {"if_missed": missed},
    optional={
        **bounds,
        "beats": st.sampled_from(["popularity", "popularity", "absent"]),
        "max_drop_vs_champion": st.sampled_from(["0%", "10%", "50%"]),
        "slices": st.dictionaries(
            st.sampled_from(["light users", "new users"]), slice_limits, min_size=1
        ),
    },
).filter(lambda limit: len(limit) > 1)
comparisons = st.dictionaries(
    st.tuples(st.sampled_from(TWO), st.sampled_from(["popularity", "champion"])),
    st.builds(
        lambda middle, wide: (middle - wide, middle, middle + wide),
        plain,
        st.one_of(*[st.floats(0, 0.125, width=16)] * 4, st.sampled_from([math.nan, math.inf])),
    ),
)
noises = st.sampled_from([None, 0.0, 0.1, 0.2])
parts = st.dictionaries(  # a slice that is absent, too small, or has numbers
    st.sampled_from(["light users (up to 3 items)", "new users"]),
    st.none() | numbers | numbers,
)


def known(found: Any) -> dict[str, float]:
    return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Space:
    """One random candidate, its rivals and the rules it is held to."""

    asked: Any
    mine: Any
    rival: Any
    champion: Any
    found: Any
    parts: Any
    noise: float | None
    rival_noise: float | None
    champion_noise: float | None
    cannot_tell: str
    suspicious: Any

    @property
    def live(self) -> Any:
        """The numbers of what is live, as far as anybody judged it."""
        return self.champion if isinstance(self.champion, dict) else {}

    def of(self, against: str) -> Any:
        """Return the numbers of a rival."""
        return self.live if against == "champion" else self.rival

    def noise_of(self, against: str) -> float | None:
        """Return the noise of a rival."""
        return self.champion_noise if against == "champion" else self.rival_noise

    def judged(self) -> str:
        """Ask the code."""
        made = tuple(
            Comparison(metric=m, against=a, low=low, difference=d, high=high, finding="cannot tell")
            for (m, a), (low, d, high) in self.found.items()
        )
        slices = tuple(
            Slice(name=name, users=7, too_small=part is None, metrics=known(part or {}))
            for name, part in self.parts.items()
        )
        more = {"comparisons": made, "slices": slices, **moves(self.noise)}
        mine = score(None, metrics=known(self.mine), **more)
        rival = {"metrics": known(self.rival), **moves(self.rival_noise)}
        scores = [mine, score(None, "popularity", **rival)]
        if isinstance(self.champion, dict):
            live = {"metrics": known(self.live), **moves(self.champion_noise)}
            scores.append(score(None, "champion", **live))
        version = None if self.champion == NOTHING_LIVE else "version1"
        thresholds = {
            name: Threshold.model_validate({"why": "w", **limit})
            for name, limit in self.asked.items()
        }
        doubt = Doubt.model_validate(
            {"cannot_tell": self.cannot_tell, "suspicious_improvement": self.suspicious}
        )
        record = evaluation(*scores, champion=version)
        return judge(record, None, ReleaseRules(thresholds, doubt)).outcome


def outside(limit: Any, value: Any) -> bool:
    if value is None or not math.isfinite(value):
        return True
    return ("min" in limit and value < limit["min"]) or ("max" in limit and value > limit["max"])


def surely_below(space: Space, metric: str, against: str, allowed: float) -> bool:
    """Say whether a difference is below by more than is allowed and than chance can do."""
    mine, other = space.mine[metric], space.of(against)[metric]
    if not math.isfinite(space.found.get((metric, against), (math.nan,))[0]):
        return bool(mine - other < -allowed if against == "champion" else mine <= other)
    lowest, difference, highest = space.found[metric, against]
    noise = 0.0
    if metric == "ndcg_at_10" and None not in (space.noise, space.noise_of(against)):
        noise = math.hypot(space.noise or 0.0, space.noise_of(against) or 0.0)
    error = math.hypot((highest - lowest) / 3.92, noise)
    return bool(difference + allowed + 2.2 * error < 0)


def outcomes_of_misses(space: Space) -> set[str]:
    """Return what follows from every limit that is surely missed, by the how-to page's words."""
    found = set()
    for metric, limit in space.asked.items():
        if limit_missed(space, metric, limit):
            found.add(limit["if_missed"])
        for name, of_slice in limit.get("slices", {}).items():
            if slice_missed(space, metric, name, of_slice):
                found.add(of_slice.get("if_missed", limit["if_missed"]))
    return found


def limit_missed(space: Space, metric: str, limit: Any) -> bool:
    own = {"min", "max", "beats", "max_drop_vs_champion"} & set(limit)
    mine = space.mine.get(metric)
    if not own:
        return False
    if outside(limit, mine):
        return True
    if "beats" in limit:
        rival = space.rival.get(metric)
        if limit["beats"] == "absent" or rival is None or not math.isfinite(rival):
            return True
        if surely_below(space, metric, "popularity", 0.0):
            return True
    live = space.live.get(metric)
    if "max_drop_vs_champion" in limit and live is not None and math.isfinite(live):
        drop = limit["max_drop_vs_champion"]
        return surely_below(space, metric, "champion", abs(live) * float(drop[:-1]) / 100)
    return False


def slice_missed(space: Space, metric: str, name: str, limit: Any) -> bool:
    found = {key.split(" (")[0]: part for key, part in space.parts.items()}
    if name not in found:
        return True
    return found[name] is not None and outside(limit, found[name].get(metric))


def jumps(space: Space) -> bool:
    """Say whether a judged metric is above what is live by more than the bound, not by chance."""
    for metric in {*space.asked, "ndcg_at_10"} & set(RANKING):
        mine, live = space.mine.get(metric), space.live.get(metric)
        if mine is None or live is None or not math.isfinite(mine) or not math.isfinite(live):
            return True  # nobody can see one
        bound = abs(live) * float(space.suspicious[:-1]) / 100
        low, difference, _ = space.found.get((metric, "champion"), (mine - live,) * 3)
        if not math.isfinite(low):
            low = difference = mine - live  # such an interval hides nothing
        noise = 0.0
        if metric == "ndcg_at_10" and None not in (space.noise, space.champion_noise):
            noise = math.hypot(space.noise or 0.0, space.champion_noise or 0.0)
        error = math.hypot((difference - low) / 1.96, noise)
        if mine - live > bound and difference > 2.2 * error:
            return True
    return False


@pytest.mark.faults  # two thousand of them take half a minute
@settings(max_examples=2_000, deadline=None)
@given(
    st.builds(
        Space,
        asked=st.dictionaries(st.sampled_from(TWO), limits, min_size=1),
        mine=numbers,
        rival=numbers,
        champion=st.sampled_from([NOTHING_LIVE, NOT_JUDGED]) | numbers | numbers,
        found=comparisons,
        parts=parts,
        noise=noises,
        rival_noise=noises,
        champion_noise=noises,
        cannot_tell=st.sampled_from(["release", "review", "reject"]),
        suspicious=st.sampled_from(["50%", "0%", "10%"]),
    )
)
def test_nothing_that_misses_a_limit_is_released(space: Space) -> None:
    missed, outcome = outcomes_of_misses(space), space.judged()
    if "reject" in missed:
        assert outcome == "reject"
    if missed or space.champion == NOT_JUDGED:
        assert outcome != "release"
    if isinstance(space.champion, dict) and jumps(space):
        assert outcome != "release"
