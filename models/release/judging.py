"""Judges one candidate by the rules of `release.yaml`: pure functions, one judgement per limit.

Everything fails closed: a missing or undefined number misses its threshold. A difference within
chance, or within what training again does, is neither met nor missed: nobody can tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from infra.records.evaluation import EvaluationRecord, Score, Slice
from infra.records.release import Judgement, Outcome
from models.evaluation.compare import CHAMPION
from models.metrics.confidence import finding, larger_noise
from models.metrics.ranking import RANKING, K
from models.release.judgements import (
    CHANCE,
    NEITHER,
    NO_CHAMPION,
    NO_INTERVAL,
    NO_JUMP,
    NO_NOISE,
    NO_RIVAL,
    NOT_SCORED,
    NOTHING_LIVE,
    TOO_SMALL,
    Margin,
    Subject,
)
from models.release.thresholds import Amount, Doubt, ReleaseRules, SliceLimits, Threshold

CHOSEN_BY = f"ndcg_at_{K}"
LEAKS = "numbers that jump like this usually come from a hold-out that was learnt by heart"
UNSEEN = "nothing replaces a model that it was not compared with"


@dataclass(frozen=True)
class Rivals:
    """Whom a candidate is held against.

    Attributes
    ----------
    others : dict of str to Score
        The other candidates of the run, by name.
    champion : Score or None
        The live model, scored on the same hold-out.
    live : str or None
        The live version, scored or not; None before the first release.
    """

    others: dict[str, Score]
    champion: Score | None
    live: str | None


def rivals_of(score: Score, evaluation: EvaluationRecord) -> Rivals:
    """Find in the record of a run whom one of its candidates is held against."""
    others = {
        other.name: other
        for other in evaluation.scores
        if other.role != CHAMPION and other.name != score.name
    }
    champions = [other for other in evaluation.scores if other.role == CHAMPION]
    return Rivals(others, champions[0] if champions else None, evaluation.champion)


def judge(score: Score, rivals: Rivals, rules: ReleaseRules) -> tuple[Judgement, ...]:
    """Hold one candidate to every limit, in the order of the file, and then to what is live.

    Returns
    -------
    tuple of Judgement
        Never empty; the worst outcome among them is that of the candidate.
    """
    limits = tuple(
        judgement
        for metric, threshold in rules.thresholds.items()
        for judgement in _limits(metric, threshold, score, rivals)
    )
    unclear = _when_unclear(rules.doubt, _minimums_hold(score, rules))
    settled = (
        limit if limit.result != "cannot tell" else limit.model_copy(update={"outcome": unclear})
        for limit in limits
    )
    return (*settled, *_held_against_live(score, rivals, rules))


def _limits(metric: str, threshold: Threshold, score: Score, rivals: Rivals) -> Iterator[Judgement]:
    value = _number(score, metric)
    subject = Subject(metric, value, threshold.why, threshold.if_missed)
    yield from _range(subject, threshold)
    for name, limits in threshold.slices.items():
        yield from _slice(metric, name, limits, threshold, score)
    if threshold.beats is not None:
        yield _beats(subject, threshold.beats, score, rivals)
    if threshold.max_drop_vs_champion is not None:
        yield _drop(subject, threshold.max_drop_vs_champion, score, rivals)


def _range(subject: Subject, limits: Threshold | SliceLimits) -> Iterator[Judgement]:
    value, least, most = subject.value, limits.min, limits.max
    if least is not None:
        yield subject.hold(f"at least {least:g}", least, value is not None and value >= least)
    if most is not None:
        yield subject.hold(f"at most {most:g}", most, value is not None and value <= most)


def _slice(
    metric: str, name: str, limits: SliceLimits, threshold: Threshold, score: Score
) -> Iterator[Judgement]:
    part = find_slice(score, name)
    value = _finite(part.metrics.get(metric)) if part else None
    if_missed = limits.if_missed or threshold.if_missed
    subject = Subject(metric, value, threshold.why, if_missed, name)
    if part is not None and part.too_small:
        yield subject.say(TOO_SMALL, "none, as it is too small", users=part.users)
    else:
        yield from _range(subject, limits)


def find_slice(score: Score, name: str) -> Slice | None:
    """Find a slice by its name, with or without the words in brackets after it."""
    named = (part for part in score.slices if name in (part.name, part.name.split(" (")[0]))
    return next(named, None)


def _beats(subject: Subject, name: str, score: Score, rivals: Rivals) -> Judgement:
    rival = rivals.others.get(name)
    bound = _number(rival, subject.metric) if rival else None
    if rival is None or bound is None:
        return subject.say(NO_RIVAL, f"above {name}", rival=name)
    limit = f"above {name} ({bound:.4g})"
    if subject.value is None:
        return subject.hold(limit, bound, False)
    return subject.compare(limit, bound, _margin(score, rival, name, subject.metric, 0.0))


def _drop(subject: Subject, allowed: Amount, score: Score, rivals: Rivals) -> Judgement:
    limit = f"at most {allowed} below the champion"
    champion, unknown = rivals.champion, subject.value is None
    if rivals.live is None and champion is None:
        return subject.hold(limit, None, False) if unknown else subject.say(NOTHING_LIVE, limit)
    live = _number(champion, subject.metric) if champion else None
    if champion is None or live is None:
        rejected = unknown and subject.if_missed == "reject"
        return subject.say(NEITHER if rejected else NO_CHAMPION, limit)
    limit, bound = f"{limit} ({live:.4g})", live - allowed.of(live)
    if unknown:
        return subject.hold(limit, bound, False)
    margin = _margin(score, champion, CHAMPION, subject.metric, allowed.of(live))
    return subject.compare(limit, bound, margin)


def _margin(score: Score, rival: Score, name: str, metric: str, allowed: float) -> Margin:
    """Compare user by user where that was measured; else the difference counts as it is.

    The finding is about the difference plus what it may be less: `better` says the limit is met,
    `worse` that it is missed. Where the noise of training again is unknown, an interval alone can
    miss a limit, never meet it. Where an interval holds no number, the difference alone can.
    """
    difference = score.metrics[metric] - rival.metrics[metric]
    wanted = (metric, name)
    comparisons = (made for made in score.comparisons if (made.metric, made.against) == wanted)
    comparison = next(comparisons, None)
    met = difference >= -allowed if allowed or name == CHAMPION else difference > 0
    if comparison is None:
        return Margin(difference, difference, difference, "better" if met else "worse")
    ends = comparison.difference, comparison.low, comparison.high
    if not all(map(math.isfinite, ends)):
        return Margin(*ends, "cannot tell" if met else "worse", NO_INTERVAL)
    noise = larger_noise(_finite(score.noise), _finite(rival.noise))
    middle, low, high = (end + allowed for end in ends)
    result = finding(middle, low, high, noise or 0.0)
    if noise is None and result == "better":
        return Margin(*ends, "cannot tell", NO_NOISE)
    return Margin(*ends, result)


def _held_against_live(score: Score, rivals: Rivals, rules: ReleaseRules) -> Iterator[Judgement]:
    """Look for what no limit of a metric shows: a champion without a score, a jump too good."""
    if rivals.champion is None:
        if rivals.live is not None:
            subject = Subject(CHAMPION, None, UNSEEN, "review")
            yield subject.say(NOT_SCORED, "scored beside the candidate", version=rivals.live)
        return
    ranking = [metric for metric in rules.thresholds if metric in RANKING]
    for metric in dict.fromkeys((*ranking, CHOSEN_BY)):
        yield _jump(metric, rules.doubt.suspicious_improvement, score, rivals.champion)


def _jump(metric: str, allowed: Amount, score: Score, champion: Score) -> Judgement:
    """Judge whether an improvement is too good to be believed."""
    value, live = _number(score, metric), _number(champion, metric)
    subject, limit = (
        Subject(metric, value, LEAKS, "review"),
        f"at most {allowed} above the champion",
    )
    if value is None or live is None:
        return subject.say(NO_JUMP, limit)
    margin = _margin(score, champion, CHAMPION, metric, 0.0)
    above = margin.finding == "better" or margin.unsure is not CHANCE
    bound = live + allowed.of(live)
    met = not (above and value - live > allowed.of(live))
    return subject.hold(f"{limit} ({live:.4g})", bound, met)


def _when_unclear(doubt: Doubt, minimums_hold: bool) -> Outcome:
    if doubt.cannot_tell == "release" and not minimums_hold:
        return "review"
    return doubt.cannot_tell


def _minimums_hold(score: Score, rules: ReleaseRules) -> bool:
    """Tell whether there is a minimum, and all are met; a slice too small has no say."""
    minimums = [
        (_number(score, metric), threshold.min) for metric, threshold in rules.thresholds.items()
    ]
    for metric, threshold in rules.thresholds.items():
        for name, limits in threshold.slices.items():
            part = find_slice(score, name)
            if part is None or not part.too_small:
                minimums.append((_finite(part.metrics.get(metric)) if part else None, limits.min))
    asked = [(value, least) for value, least in minimums if least is not None]
    return bool(asked) and all(value is not None and value >= least for value, least in asked)


def _number(score: Score, metric: str) -> float | None:
    return _finite(score.metrics.get(metric))


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
