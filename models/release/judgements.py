"""What a verdict says of each limit: a table of sentences, and the judgement made of one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from infra.records.release import Judgement, Outcome
from infra.report.units import SHARE, apart, beside, digits_beside, unit_of, written
from models.metrics.confidence import Margin
from models.release.thresholds import Missed

Result = Literal["met", "missed", "cannot tell", "not judged"]


class Sentence(NamedTuple):
    """How a judgement ends, and why; the outcome None means that of `if_missed`."""

    result: Result
    outcome: Outcome | None
    reason: str


MET = Sentence("met", "release", "which is {limit}")
MISSED = Sentence("missed", None, "it must be {limit}")
SURE = Sentence("met", "release", "which is {limit} ({spread})")
SURELY_NOT = Sentence("missed", None, "it must be {limit} ({spread})")
TOO_SMALL = Sentence("not judged", "release", "{users} users are too few to judge by")
FEW_NEWCOMERS = Sentence(
    "not judged", "review", "{users} new customers are too few to judge by, {least} are needed"
)
NOTHING_LIVE = Sentence("not judged", "release", "nothing is live yet to compare with")
ITSELF = Sentence("met", "release", "which is the recipe of the anchor itself")
NO_RIVAL = Sentence("missed", None, "{rival} has no such number to compare with")
NO_CHAMPION = Sentence(
    "not judged", "review", "the live champion could not be scored on this hold-out"
)
NO_ANCHOR = Sentence("not judged", "review", "the anchor could not be scored on this hold-out")
NEITHER = Sentence("missed", "reject", NO_CHAMPION.reason)  # nor has the candidate a number
NOT_SCORED = Sentence(
    "not judged", "review", "version {version} is live and could not be scored on this hold-out"
)
CUT_SHORT = Sentence(
    "cannot tell", "review", "it must be {limit}, and the cut of the live model allows no more"
)
NO_JUMP = Sentence("not judged", "review", "without both numbers nobody sees a jump")
CHANCE = Sentence(
    "cannot tell", "review", "it must be {limit}, and chance alone may decide that ({spread})"
)
NO_NOISE = Sentence(
    "cannot tell",
    "review",
    "it must be {limit}, and nobody measured what training again does to it ({spread})",
)
NO_INTERVAL = Sentence(
    "not judged", "review", "it must be {limit}, and its interval holds no number ({spread})"
)


@dataclass(frozen=True)
class Against:
    """A rival's value, and the part of it that a limit asks for."""

    value: float
    kept: float

    @property
    def bound(self) -> float:
        """The least that meets the limit."""
        return self.value - (1 - self.kept) * abs(self.value)

    def spread(self, margin: Margin) -> str:
        """Say how far a model is above a rival, with the interval, in percent of the rival."""
        ends = (margin.middle, margin.low, margin.high)
        if self.value <= 0:
            middle, low, high = (f"{end:+.2g}" for end in ends)
        else:
            middle, low, high = self._percent([end / self.value - 1 + self.kept for end in ends])
        return f"{middle}, 95% interval {low} to {high}"

    def _percent(self, ends: Sequence[float]) -> Iterator[str]:
        """Write ends so that each is seen on its side of the limit, down to a thousandth of 1%."""
        if not all(map(math.isfinite, ends)):
            return (f"{100 * end:+.1f}%" for end in ends)
        digits = max(1, min(digits_beside(ends, [0.0, self.kept - 1], SHARE), 3))
        return (f"{'+' if end > 0 else ''}{written(end, SHARE, digits)}" for end in ends)


@dataclass(frozen=True)
class Subject:
    """What is judged: a number of a candidate, on all users or on one slice.

    Attributes
    ----------
    value : float or None
        None for a number nobody has.
    why : str
        Why there is a limit, as its owner wrote.
    if_missed : str
        What a miss means: reject or review.
    part : str
        The slice that is judged; empty for all.
    """

    metric: str
    value: float | None
    why: str
    if_missed: Missed
    part: str = ""

    def rival(self, value: float) -> str:
        """Write the value of a rival so that it does not look like this one, unless it is."""
        unit = unit_of(self.metric)
        return written(value, unit) if self.value is None else apart(self.value, value, unit)[1]

    def hold(self, limit: str, bound: float | None, met: bool) -> Judgement:
        """Judge by a limit that is met or missed."""
        return self.say(MET if met else MISSED, limit, bound)

    def compare(self, limit: str, against: Against, margin: Margin | None, met: bool) -> Judgement:
        """Judge by a comparison, which may leave it open.

        Parameters
        ----------
        margin : Margin or None
            None where nobody measured chance: then `met`, by the bare numbers, decides.
        """
        if margin is None:
            return self.hold(limit, against.bound, met)
        spread = against.spread(margin)
        return self.say(_sentence(margin, met), limit, against.bound, spread=spread)

    def say(
        self, sentence: Sentence, limit: str, bound: float | None = None, **facts: object
    ) -> Judgement:
        """Return the judgement of a sentence; the limit and `facts` fill its gaps."""
        bounds = () if bound is None else (bound,)
        value = beside(self.value, bounds, unit_of(self.metric))
        number = "was not measured" if self.value is None else f"is {value}"
        subject = f"{self.metric} of {self.part}" if self.part else self.metric
        reason = sentence.reason.format(limit=limit, **facts).replace("must be not", "must not be")
        joint = ", " if sentence.result == "met" else "; "
        return Judgement(
            metric=self.metric,
            slice=self.part,
            value=self.value,
            limit=limit,
            bound=bound,
            result=sentence.result,
            outcome=sentence.outcome or self.if_missed,
            reason=f"{subject} {number}{joint}{reason}.",
            why=self.why,
        )


def _sentence(margin: Margin, met: bool) -> Sentence:
    if not all(map(math.isfinite, (margin.middle, margin.low, margin.high))):
        return NO_INTERVAL if met else MISSED
    if margin.finding != "cannot tell":
        return SURE if margin.finding == "better" else SURELY_NOT
    return CHANCE if margin.known or margin.low <= 0 else NO_NOISE
