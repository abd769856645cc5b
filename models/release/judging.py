"""Judges a run by its candidates: a pure function of the evaluation, its values and the rules.

The run is judged by the candidate that was shipped after an A/B test, else by the best by quality.
A rejected one leaves its place to the next best; one that needs a person makes the whole run need a
person, who may choose another one that meets every limit. What is doubtful about the run as a whole
needs a person whoever is best.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from infra.errors import ReleaseError
from infra.records.evaluation import EvaluationRecord, Score
from infra.records.release import CandidateVerdict, Judgement, Outcome
from infra.report.results import results
from infra.report.units import unit_of, written
from models.evaluation.compare import CHAMPION
from models.evaluation.values import UserValues
from models.metrics.confidence import least_drop
from models.release.ab_tested import NOTHING_BINDS, Binding
from models.release.contest import Contest
from models.release.judgements import CUT_SHORT, NOT_SCORED, Subject
from models.release.limits import hold_to_limits, jumps, poor_live
from models.release.thresholds import ReleaseRules
from models.release.verdict import outcome_of

USERS = "holdout_users"
UNSEEN = "nothing replaces a model that it was not compared with"
FEW = "a few customers cannot say what all will like"
SHORT = "the hold-out may not begin before what the live model has learnt"
SHORT_OF = "{users:,} customers are judged, CATWALK_HOLDOUT_USERS wants {wanted:,}: {because}."
EARLIER = {  # why the cut is not earlier; where the champion is the reason, a person is asked
    "most_holdout_days": "a longer hold-out would pass CATWALK_MOST_HOLDOUT_DAYS",
    "quarter": "a longer hold-out would be more than a quarter of the days with data",
}
EVERY_LIMIT = "meets every limit"


@dataclass(frozen=True)
class Ruling:
    """What judging a run ends in.

    Attributes
    ----------
    outcome : str
        The worst of `judgements`.
    candidate, model_sha256 : str
        The model that goes on.
    judgements : tuple of Judgement
        Of that model, and the doubts.
    doubts : tuple of Judgement
        About the run as a whole.
    candidates : tuple of CandidateVerdict
        All that could be released, the highest quality first.
    best : str
        The candidate that the run was judged by.
    notes : tuple of str
        What a reader must know beside the limits, in sentences.
    """

    outcome: Outcome
    candidate: str
    model_sha256: str
    judgements: tuple[Judgement, ...]
    doubts: tuple[Judgement, ...]
    candidates: tuple[CandidateVerdict, ...]
    best: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Leak:
    """A jump of a candidate that looks like a leak.

    Attributes
    ----------
    approved : float or None
        What the candidate had when a person last approved a release beside it, if it is about as
        much now. Nobody is asked about it again unless the candidate itself goes on.
    """

    name: str
    jump: Judgement
    approved: float | None

    @property
    def named(self) -> Judgement:
        """The judgement, with the name of the candidate."""
        return self.jump.model_copy(update={"reason": f"{self.name}: {self.jump.reason}"})

    @property
    def seen(self) -> str:
        """Say why nobody is asked."""
        before = written(self.approved, unit_of(self.jump.metric))
        return (
            f"{self.named.reason} Nobody is asked: it was {before} in the run whose "
            "release a person approved last."
        )


def judge(
    evaluation: EvaluationRecord,
    values: UserValues | None,
    rules: ReleaseRules,
    held: tuple[Judgement, ...] = (),
    baselines: frozenset[str] = frozenset(),
    tested: Binding = NOTHING_BINDS,
) -> Ruling:
    """Judge every candidate that is no baseline, and decide which one goes on, and how.

    Parameters
    ----------
    values : UserValues or None
        None for a run of an earlier Catwalk, whose record has intervals alone.
    held : tuple of Judgement
        Further doubts about the run as a whole: about the columns of its tables.
    baselines : frozenset of str
        Names of baselines, where the record is too old to say which they are.
    tested : Binding
        What was decided on A/B tests.

    Raises
    ------
    ReleaseError
        There is no candidate that could be released.
    """
    contest = Contest(evaluation, values, baselines)
    if not contest.releasable:
        raise ReleaseError(f"{evaluation.run} scored no releasable candidate.", "Evaluate again.")
    ranked = sorted(contest.releasable, key=contest.quality, reverse=True)
    candidates = tuple(tested.hold(_judged(score, contest, rules)) for score in ranked)
    best = tested.best_of(candidates)
    doubts = (*_doubts(contest, rules), *held)
    leaks = [leak for score in ranked for leak in _leaks(score, contest, rules)]
    sure = all(leak.approved for leak in leaks) and all(doubt.passed for doubt in doubts)
    goes_on = (_meanwhile(best, candidates, contest) if sure else None) or best
    others = [leak for leak in leaks if leak.name != goes_on.name]
    doubts = (*(leak.named for leak in others if not leak.approved), *doubts)
    judgements = (*goes_on.judgements, *doubts)
    return Ruling(
        outcome=outcome_of(judgements),
        candidate=goes_on.name,
        model_sha256=goes_on.model_sha256,
        judgements=judgements,
        doubts=doubts,
        candidates=candidates,
        best=best.name,
        notes=(
            *tested.notes(best, candidates, evaluation.judged_by),
            *_notes(goes_on, best, contest, tested),
            *(leak.seen for leak in others if leak.approved),
        ),
    )


def _judged(score: Score, contest: Contest, rules: ReleaseRules) -> CandidateVerdict:
    judgements = hold_to_limits(score, contest, rules)
    if contest.evaluation.users < rules.doubt.least_users:
        judgements = tuple(map(_undecided, judgements))
    outcome, quality = outcome_of(judgements), contest.quality(score)
    worst = (judgement for judgement in judgements if judgement.outcome == outcome)
    reason = _how_met(judgements) if outcome == "release" else next(worst).reason
    return CandidateVerdict(
        name=score.name,
        outcome=outcome,
        reason=reason,
        judgements=judgements,
        model_sha256=score.model_sha256,
        quality=quality if math.isfinite(quality) else None,
    )


def _how_met(judgements: Sequence[Judgement]) -> str:
    """Say that every limit is met, or which ones nobody could judge: those are not met."""
    every = all(judgement.result == "met" for judgement in judgements)
    return EVERY_LIMIT if every else results(judgements)


def _undecided(judgement: Judgement) -> Judgement:
    """Let no number of so few customers reject; a number that is missing still does."""
    if judgement.outcome != "reject" or judgement.value is None:
        return judgement
    return judgement.model_copy(update={"outcome": "review"})


def _doubts(contest: Contest, rules: ReleaseRules) -> Iterator[Judgement]:
    """Judge what is true of all candidates: how many customers judge them, and what is live."""
    yield _users(contest.evaluation, rules.doubt.least_users)
    live = contest.evaluation.champion
    if live is not None and contest.champion is None:
        subject = Subject(CHAMPION, None, UNSEEN, "review")
        yield subject.say(NOT_SCORED, "scored beside the candidate", version=live)


def _users(evaluation: EvaluationRecord, least: int) -> Judgement:
    users, facts = evaluation.users, evaluation.holdout
    subject = Subject(USERS, float(users), FEW, "review")
    short = facts is not None and facts.limited_by == "champion" and users < facts.wanted_users
    if users >= least and facts is not None and short:
        subject = replace(subject, why=SHORT)
        return subject.say(CUT_SHORT, f"at least {facts.wanted_users}", facts.wanted_users)
    return subject.hold(f"at least {least}", least, users >= least)


def _leaks(score: Score, contest: Contest, rules: ReleaseRules) -> Iterator[Leak]:
    """Give the jumps of a candidate that look like a leak, and say which a person has seen."""
    more = 1 + rules.doubt.suspicious_improvement.share
    for jump in jumps(score, contest, rules):
        if not jump.passed:
            seen = score.approved.get(jump.metric)
            approved = seen is not None and jump.value is not None and jump.value <= more * seen
            yield Leak(score.name, jump, seen if approved else None)


def _meanwhile(
    best: CandidateVerdict, candidates: Sequence[CandidateVerdict], contest: Contest
) -> CandidateVerdict | None:
    """Return the champion's own recipe if it passes and of the best alone nobody can tell."""
    live = contest.champion
    open_ = [judgement.result for judgement in best.judgements if not judgement.passed]
    if live is None or best.outcome != "review" or set(open_) != {"cannot tell"}:
        return None
    recipes = {score.name: score.recipe for score in contest.releasable}
    own = (candidate for candidate in candidates if candidate.name == live.name)
    return next(
        (
            candidate
            for candidate in own
            if candidate.outcome == "release" and recipes[candidate.name] == live.recipe
        ),
        None,
    )


def _notes(
    goes_on: CandidateVerdict, best: CandidateVerdict, contest: Contest, tested: Binding
) -> Iterator[str]:
    """Say what the hold-out could have seen, which candidate waits, and what is wrong with live."""
    yield could_see(goes_on.name, contest)
    yield from _short_of(contest.evaluation)
    metric = contest.evaluation.judged_by
    if goes_on.name != best.name:
        yield (
            f"{best.name} {tested.place_of(best, metric)} and waits, as nobody can tell: "
            f"{best.reason} "
            f"{goes_on.name}, the recipe that is live, {goes_on.reason}. It goes on meanwhile."
        )
    poor = poor_live(contest, metric)
    if poor:
        yield f"The live model itself is worse than bestsellers: {poor}."


def _short_of(evaluation: EvaluationRecord) -> Iterator[str]:
    """Say why fewer customers are judged than the shop wants, where its own limits are the reason.

    They cost no question: a hold-out of fewer customers has wider intervals.
    """
    facts, users = evaluation.holdout, evaluation.users
    because = EARLIER.get(facts.limited_by) if facts else None
    if facts and because and users < facts.wanted_users:
        yield SHORT_OF.format(users=users, wanted=facts.wanted_users, because=because)


def could_see(candidate: str, contest: Contest) -> str:
    """Say which drop below the champion this hold-out would have shown, in four cases of five."""
    metric, champion = contest.evaluation.judged_by, contest.champion
    users = f"{contest.evaluation.users:,} customers"
    score, live = contest.rival(candidate), champion.metrics.get(metric) if champion else None
    if score is None or champion is None or live is None:
        return f"{users}: nothing to compare with, so no drop would have shown."
    margin = contest.margin(score, champion, metric, 1.0)
    drop = least_drop(margin, live) if margin else math.inf
    if not drop < 1:
        return f"{users}: not even the loss of everything would have shown."
    return f"{users}: a drop of {max(1, math.ceil(100 * drop))}% or more would have shown."
