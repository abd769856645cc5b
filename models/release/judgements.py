"""Words and numbers of the limits of one metric, as people read them in a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra.records.evaluation import Finding
from infra.records.release import Judgement, Outcome
from models.release.thresholds import Amount, Missed

Unsure = Literal["chance", "no noise", "no interval"]
WHY_UNSURE: dict[Unsure, str] = {
    "chance": "chance alone may decide that",
    "no noise": "nobody measured what training again does to it",
    "no interval": "its interval holds no number",
}
Result = Literal["met", "missed", "cannot tell", "not judged"]


@dataclass(frozen=True)
class Margin:
    """How far a number is above a rival's, and whether a limit is met by that: `better` if so.

    Attributes
    ----------
    difference, low, high : float
        With its 95% interval; all three the same where none was measured.
    unsure : str
        Why nobody can tell, where nobody can: by chance, or by what was not measured.
    """

    difference: float
    low: float
    high: float
    finding: Finding
    unsure: Unsure = "chance"


class Words:
    """Judgements of one metric; `value` is None for a number nobody has.

    Parameters
    ----------
    if_missed : str
        What a miss means: reject or review.
    part : str
        The slice that is judged; empty for all.
    """

    def __init__(
        self, metric: str, value: float | None, why: str, if_missed: Missed, part: str = ""
    ) -> None:
        self.metric, self.value, self.why = metric, value, why
        self._if_missed, self._part = if_missed, part

    def at_least(self, bound: float) -> Judgement:
        """Judge a minimum."""
        met = self.value is not None and self.value >= bound
        return self._plain(f"at least {bound:g}", bound, met)

    def at_most(self, bound: float) -> Judgement:
        """Judge a maximum."""
        met = self.value is not None and self.value <= bound
        return self._plain(f"at most {bound:g}", bound, met)

    def too_small(self, users: int) -> Judgement:
        """Leave out a slice that nobody should judge by."""
        reason = f"{users} users are too few to judge by"
        return self._say("not judged", "none, as it is too small", None, reason, "release")

    def above(self, rival: str, bound: float, found: Margin) -> Judgement:
        """Judge whether another candidate is beaten."""
        return self._compared(f"above {rival} ({bound:.4g})", bound, found)

    def not_above(self, rival: str, bound: float | None) -> Judgement:
        """Miss a comparison for want of a number."""
        if bound is not None:
            return self._plain(f"above {rival} ({bound:.4g})", bound, False)
        reason = f"{rival} has no such number to compare with"
        return self._say("missed", f"above {rival}", None, reason, self._if_missed)

    def nothing_live(self, allowed: Amount) -> Judgement:
        """Judge a drop before anything is live: only that there is a number."""
        if self.value is None:
            return self._plain(self._drop(allowed), None, False)
        reason = "nothing is live yet to compare with"
        return self._say("not judged", self._drop(allowed), None, reason, "release")

    def champion_unknown(self, allowed: Amount) -> Judgement:
        """Leave a drop to a person, as what is live has no such number."""
        reason = "the live champion could not be judged on this hold-out"
        missing = self.value is None and self._if_missed == "reject"
        outcome: Outcome = "reject" if missing else "review"
        result: Result = "missed" if missing else "not judged"
        return self._say(result, self._drop(allowed), None, reason, outcome)

    def dropped(self, allowed: Amount, live: float, found: Margin | None) -> Judgement:
        """Judge a drop below what is live."""
        limit = f"{self._drop(allowed)} ({live:.4g})"
        bound = live - allowed.of(live)
        if found is None:
            return self._plain(limit, bound, False)
        return self._compared(limit, bound, found)

    def not_judged(self, version: str) -> Judgement:
        """Leave it to a person that the live model was not judged at all."""
        reason = f"version {version} is live and could not be judged on this hold-out"
        return self._say("not judged", "judged beside the candidate", None, reason, "review")

    def jumped(self, bound: Amount, live: float, suspicious: bool) -> Judgement:
        """Judge whether an improvement is too good to be believed."""
        limit = f"{self._jump(bound)} ({live:.4g})"
        return self._plain(limit, live + bound.of(live), not suspicious)

    def no_jump_known(self, bound: Amount) -> Judgement:
        """Leave it to a person that nobody can tell whether there was a jump."""
        reason = "without both numbers nobody sees a jump"
        return self._say("not judged", self._jump(bound), None, reason, "review")

    def _plain(self, limit: str, bound: float | None, met: bool) -> Judgement:
        reason = f"which is {limit}" if met else f"it must be {limit}"
        outcome: Outcome = "release" if met else self._if_missed
        return self._say("met" if met else "missed", limit, bound, reason, outcome)

    def _compared(self, limit: str, bound: float, found: Margin) -> Judgement:
        if found.finding != "cannot tell":
            return self._plain(limit, bound, found.finding == "better")
        spread = f"{found.difference:+.2g}, 95% interval {found.low:+.2g} to {found.high:+.2g}"
        reason = f"it must be {limit}, and {WHY_UNSURE[found.unsure]} ({spread})"
        result: Result = "not judged" if found.unsure == "no interval" else "cannot tell"
        return self._say(result, limit, bound, reason, "review")

    def _drop(self, allowed: Amount) -> str:
        return f"at most {allowed} below the champion"

    def _jump(self, bound: Amount) -> str:
        return f"at most {bound} above the champion"

    def _say(
        self, result: Result, limit: str, bound: float | None, reason: str, outcome: Outcome
    ) -> Judgement:
        number = "was not measured" if self.value is None else f"is {self.value:.4g}"
        subject = f"{self.metric} of {self._part}" if self._part else self.metric
        joint = ", " if result == "met" else "; "
        return Judgement(
            metric=self.metric,
            slice=self._part,
            value=self.value,
            limit=limit,
            bound=bound,
            result=result,
            outcome=outcome,
            reason=f"{subject} {number}{joint}{reason}.",
            why=self.why,
        )
