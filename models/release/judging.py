"""Holding one candidate to the rules of `release.yaml`: pure, one judgement per limit.

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
from models.release.judgements import Margin, Words
from models.release.thresholds import Amount, Doubt, ReleaseRules, SliceLimits, Threshold

CHOSEN_BY = f"ndcg_at_{K}"
LEAKS = "numbers that jump like this usually come from a hold-out that was learnt by heart"
UNSEEN = "nothing replaces a model that it was not held against"


@dataclass(frozen=True)
class Rivals:
    """Whom a candidate is held against.

    Attributes
    ----------
    others : dict of str to Score
        The other candidates of the run, by name.
    champion : Score or None
        What is live, judged on the same hold-out.
    live : str or None
        The version that is live, judged or not; None before the first release.
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
    say = Words(metric, value, threshold.why, threshold.if_missed)
    yield from _range(say, threshold)
    for name, limits in threshold.slices.items():
        yield from _slice(metric, name, limits, threshold, score)
    if threshold.beats is not None:
        yield _beats(say, threshold.beats, score, rivals)
    if threshold.max_drop_vs_champion is not None:
        yield _drop(say, threshold.max_drop_vs_champion, score, rivals)


def _range(say: Words, limits: Threshold | SliceLimits) -> Iterator[Judgement]:
    if limits.min is not None:
        yield say.at_least(limits.min)
    if limits.max is not None:
        yield say.at_most(limits.max)


def _slice(
    metric: str, name: str, limits: SliceLimits, threshold: Threshold, score: Score
) -> Iterator[Judgement]:
    found = find_slice(score, name)
    value = _finite(found.metrics.get(metric)) if found else None
    say = Words(metric, value, threshold.why, limits.if_missed or threshold.if_missed, name)
    if found is not None and found.too_small:
        yield say.too_small(found.users)
    else:
        yield from _range(say, limits)


def find_slice(score: Score, name: str) -> Slice | None:
    """Find a slice by its name, with or without the words in brackets after it."""
    named = (part for part in score.slices if name in (part.name, part.name.split(" (")[0]))
    return next(named, None)


def _beats(say: Words, name: str, score: Score, rivals: Rivals) -> Judgement:
    rival = rivals.others.get(name)
    bound = _number(rival, say.metric) if rival else None
    if rival is None or bound is None or say.value is None:
        return say.not_above(name, bound)
    found = _margin(score, rival, name, say.metric, 0.0)
    return say.above(name, bound, found)


def _drop(say: Words, allowed: Amount, score: Score, rivals: Rivals) -> Judgement:
    if rivals.live is None and rivals.champion is None:
        return say.nothing_live(allowed)
    live = _number(rivals.champion, say.metric) if rivals.champion else None
    if rivals.champion is None or live is None:
        return say.champion_unknown(allowed)
    if say.value is None:
        return say.dropped(allowed, live, None)
    found = _margin(score, rivals.champion, CHAMPION, say.metric, allowed.of(live))
    return say.dropped(allowed, live, found)


def _margin(score: Score, rival: Score, name: str, metric: str, allowed: float) -> Margin:
    """Compare by what was measured user by user; without that, the difference counts as it is.

    The finding is about the difference plus what it may be less: `better` says the limit is met,
    `worse` that it is missed. Where the noise of training again is unknown, an interval alone can
    miss a limit, never meet it. Where an interval holds no number, the difference alone can.
    """
    difference = score.metrics[metric] - rival.metrics[metric]
    wanted = (metric, name)
    found = next(
        (each for each in score.comparisons if (each.metric, each.against) == wanted), None
    )
    met = difference >= -allowed if allowed or name == CHAMPION else difference > 0
    if found is None:
        return Margin(difference, difference, difference, "better" if met else "worse")
    ends = found.difference, found.low, found.high
    if not all(map(math.isfinite, ends)):
        return Margin(*ends, "cannot tell" if met else "worse", "no interval")
    noise = larger_noise(_finite(score.noise), _finite(rival.noise))
    middle, low, high = (end + allowed for end in ends)
    said = finding(middle, low, high, noise or 0.0)
    if noise is None and said == "better":
        return Margin(*ends, "cannot tell", "no noise")
    return Margin(*ends, said)


def _held_against_live(score: Score, rivals: Rivals, rules: ReleaseRules) -> Iterator[Judgement]:
    """Look for what no limit of a metric shows: a champion nobody judged, a jump too good."""
    if rivals.champion is None:
        if rivals.live is not None:
            yield Words(CHAMPION, None, UNSEEN, "review").not_judged(rivals.live)
        return
    bound = rules.doubt.suspicious_improvement
    ranking = [metric for metric in rules.thresholds if metric in RANKING]
    for metric in dict.fromkeys((*ranking, CHOSEN_BY)):
        value, live = _number(score, metric), _number(rivals.champion, metric)
        say = Words(metric, value, LEAKS, "review")
        if value is None or live is None:
            yield say.no_jump_known(bound)
            continue
        found = _margin(score, rivals.champion, CHAMPION, metric, 0.0)
        above = found.finding == "better" or found.unsure != "chance"
        yield say.jumped(bound, live, above and value - live > bound.of(live))


def _when_unclear(doubt: Doubt, minimums_hold: bool) -> Outcome:
    if doubt.cannot_tell == "release" and not minimums_hold:
        return "review"
    return doubt.cannot_tell


def _minimums_hold(score: Score, rules: ReleaseRules) -> bool:
    """Tell whether there is a minimum, and all are met; a slice too small has no say."""
    found = [
        (_number(score, metric), threshold.min) for metric, threshold in rules.thresholds.items()
    ]
    for metric, threshold in rules.thresholds.items():
        for name, limits in threshold.slices.items():
            part = find_slice(score, name)
            if part is None or not part.too_small:
                found.append((_finite(part.metrics.get(metric)) if part else None, limits.min))
    asked = [(value, least) for value, least in found if least is not None]
    return bool(asked) and all(value is not None and value >= least for value, least in asked)


def _number(score: Score, metric: str) -> float | None:
    return _finite(score.metrics.get(metric))


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
