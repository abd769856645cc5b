"""What a verdict says of each limit: a table of sentences, and the judgement made of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from infra.records.evaluation import Finding
from infra.records.release import Judgement, Outcome
from models.release.thresholds import Missed

Result = Literal["met", "missed", "cannot tell", "not judged"]


class Sentence(NamedTuple):
    """How a judgement ends, and why; the outcome None means that of `if_missed`."""

    result: Result
    outcome: Outcome | None
    reason: str


MET = Sentence("met", "release", "which is {limit}")
MISSED = Sentence("missed", None, "it must be {limit}")
TOO_SMALL = Sentence("not judged", "release", "{users} users are too few to judge by")
NOTHING_LIVE = Sentence("not judged", "release", "nothing is live yet to compare with")
NO_RIVAL = Sentence("missed", None, "{rival} has no such number to compare with")
NO_CHAMPION = Sentence(
    "not judged", "review", "the live champion could not be scored on this hold-out"
)
NEITHER = Sentence("missed", "reject", NO_CHAMPION.reason)  # nor has the candidate a number
NOT_SCORED = Sentence(
    "not judged", "review", "version {version} is live and could not be scored on this hold-out"
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
class Margin:
    """How far a number is above a rival's, and whether a limit is met by that: `better` if so.

    Attributes
    ----------
    difference, low, high : float
        With its 95% interval; all three the same where none was measured.
    unsure : Sentence
        What is said if the finding is `cannot tell`: it may be chance, or a measure is missing.
    """

    difference: float
    low: float
    high: float
    finding: Finding
    unsure: Sentence = CHANCE


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

    def hold(self, limit: str, bound: float | None, met: bool) -> Judgement:
        """Judge by a limit that is met or missed."""
        return self.say(MET if met else MISSED, limit, bound)

    def compare(self, limit: str, bound: float, margin: Margin) -> Judgement:
        """Judge by a comparison, which may leave it open."""
        if margin.finding != "cannot tell":
            return self.hold(limit, bound, margin.finding == "better")
        spread = f"{margin.difference:+.2g}, 95% interval {margin.low:+.2g} to {margin.high:+.2g}"
        return self.say(margin.unsure, limit, bound, spread=spread)

    def say(
        self, sentence: Sentence, limit: str, bound: float | None = None, **facts: object
    ) -> Judgement:
        """Return the judgement of a sentence; the limit and `facts` fill its gaps."""
        number = "was not measured" if self.value is None else f"is {self.value:.4g}"
        subject = f"{self.metric} of {self.part}" if self.part else self.metric
        reason = sentence.reason.format(limit=limit, **facts)
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
