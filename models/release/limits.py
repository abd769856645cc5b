"""Holds one candidate to every limit of `release.yaml`: pure functions, one judgement per limit.

Everything fails closed: a missing or undefined number misses its threshold. A difference within
chance, or within what training again does, is neither met nor missed: nobody can tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from infra.records.evaluation import Score, Slice
from infra.records.release import Judgement, Outcome
from infra.report.units import apart, range_text, unit_of
from models.evaluation.compare import entry_of
from models.evaluation.slices import NEWCOMERS
from models.metrics.ranking import NEXT_ITEM, RANKING
from models.release.contest import Contest
from models.release.judgements import (
    FEW_NEWCOMERS,
    ITSELF,
    NEITHER,
    NO_ANCHOR,
    NO_CHAMPION,
    NO_JUMP,
    NO_RIVAL,
    NOTHING_LIVE,
    TOO_SMALL,
    Against,
    Subject,
)
from models.release.thresholds import (
    Doubt,
    Percentage,
    ReleaseRules,
    SliceLimits,
    Threshold,
)

MOST_ABOVE_BASELINE = 10  # times; Online Retail 2.7, the simulated shop 5.8, with no leak
LEAKS = "numbers that jump like this usually come from a hold-out that was learnt by heart"
POOR_LIVE = "{name} alone reaches {value}, the live model {live}; next to that much jumps"
WORSE = "what is surely worse than the live model replaces it only by a person's word"
OF_LIVE = ("list_overlap_vs_live",)  # metrics that exist only beside a live model


def hold_to_limits(score: Score, contest: Contest, rules: ReleaseRules) -> tuple[Judgement, ...]:
    """Hold one candidate to every limit, in the order of the file, and then to what is live.

    Returns
    -------
    tuple of Judgement
        Never empty; the worst outcome among them is that of the candidate.
    """
    limits = tuple(
        judgement
        for metric, threshold in rules.thresholds.items()
        for judgement in _limits(metric, threshold, score, contest, rules.doubt.least_users)
    )
    unclear = _when_unclear(rules.doubt, _minimums_hold(score, rules))
    settled = (
        limit if limit.result != "cannot tell" else limit.model_copy(update={"outcome": unclear})
        for limit in limits
    )
    return (*settled, *_worse(score, contest), *jumps(score, contest, rules))


def _limits(
    metric: str, threshold: Threshold, score: Score, contest: Contest, least_users: int
) -> Iterator[Judgement]:
    value = _number(score, metric)
    subject = Subject(metric, value, threshold.why, threshold.if_missed)
    newcomers = find_slice(score, NEWCOMERS)
    few = newcomers is not None and (newcomers.too_small or newcomers.users < least_users)
    if metric in NEXT_ITEM and newcomers is not None and few:
        limit = "judged by enough new customers"
        yield subject.say(FEW_NEWCOMERS, limit, users=newcomers.users, least=least_users)
        return
    if metric in OF_LIVE and value is None and contest.evaluation.champion is None:
        yield subject.say(NOTHING_LIVE, "beside what is live")
        return
    yield from _range(subject, threshold)
    for name, limits in threshold.slices.items():
        yield from _slice(metric, name, limits, threshold, score)
    if threshold.beats is not None:
        yield _beats(subject, threshold.beats, score, contest)
    if threshold.max_drop_vs_champion is not None:
        yield from _drops(subject, threshold.max_drop_vs_champion, score, contest)


def _range(subject: Subject, limits: Threshold | SliceLimits) -> Iterator[Judgement]:
    value, least, most = subject.value, limits.min, limits.max
    if least is not None:
        met = value is not None and value >= least
        yield subject.hold(range_text(least, None, unit_of(subject.metric)), least, met)
    if most is not None:
        met = value is not None and value <= most
        yield subject.hold(range_text(None, most, unit_of(subject.metric)), most, met)


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


def _beats(subject: Subject, name: str, score: Score, contest: Contest) -> Judgement:
    rival = contest.rival(name)
    bound = _number(rival, subject.metric) if rival else None
    if rival is None or bound is None:
        return subject.say(NO_RIVAL, f"above {name}", rival=name)
    limit = f"above {name} ({subject.rival(bound)})"
    if subject.value is None:
        return subject.hold(limit, bound, False)
    margin = contest.margin(score, rival, subject.metric, 1.0)
    return subject.compare(limit, Against(bound, 1.0), margin, subject.value > bound)


def _drops(
    subject: Subject, allowed: Percentage, score: Score, contest: Contest
) -> Iterator[Judgement]:
    """Hold a candidate to the champion, and under the same limit to the anchor."""
    limit = f"at most {allowed} below the champion"
    champion, unknown = contest.champion, subject.value is None
    if contest.evaluation.champion is None and champion is None:
        yield subject.hold(limit, None, False) if unknown else subject.say(NOTHING_LIVE, limit)
        return
    if champion is None or _number(champion, subject.metric) is None:
        rejected = unknown and subject.if_missed == "reject"
        yield subject.say(NEITHER if rejected else NO_CHAMPION, limit)
    else:
        yield _drop(subject, limit, allowed, score, champion, contest)
    yield from _anchor(subject, allowed, score, contest)


def _anchor(
    subject: Subject, allowed: Percentage, score: Score, contest: Contest
) -> Iterator[Judgement]:
    if contest.evaluation.anchor is None:
        return
    limit, anchor = f"at most {allowed} below the anchor", contest.anchor
    if anchor is None or _number(anchor, subject.metric) is None:
        yield subject.say(NO_ANCHOR, limit)
    elif entry_of(anchor) == entry_of(score):
        yield subject.say(ITSELF, limit)
    else:
        yield _drop(subject, limit, allowed, score, anchor, contest)


def _drop(
    subject: Subject,
    limit: str,
    allowed: Percentage,
    score: Score,
    rival: Score,
    contest: Contest,
) -> Judgement:
    against = Against(rival.metrics[subject.metric], 1 - allowed.share)
    limit = f"{limit} ({subject.rival(against.value)})"
    if subject.value is None:
        return subject.hold(limit, against.bound, False)
    margin = contest.margin(score, rival, subject.metric, against.kept)
    return subject.compare(limit, against, margin, subject.value >= against.bound)


def jumps(score: Score, contest: Contest, rules: ReleaseRules) -> tuple[Judgement, ...]:
    """Judge every ranking metric that has limits, and the one that chooses, for a leak."""
    champion = contest.champion
    if champion is None:
        return tuple(_first_jump(score, contest))
    ranking = [metric for metric in rules.thresholds if metric in RANKING]
    allowed = rules.doubt.suspicious_improvement
    metrics = dict.fromkeys((*ranking, contest.evaluation.judged_by))
    return tuple(_jump(metric, allowed, score, champion, contest) for metric in metrics)


def _first_jump(score: Score, contest: Contest) -> Iterator[Judgement]:
    """Doubt a first release that is better than bestsellers by more than models are."""
    baseline, metric = contest.best_baseline, contest.evaluation.judged_by
    value, least = _number(score, metric), _number(baseline, metric) if baseline else None
    if contest.evaluation.champion is None and baseline is not None and value and least:
        bound = MOST_ABOVE_BASELINE * least
        if value > bound:
            subject = Subject(metric, value, LEAKS, "review")
            limit = f"at most {MOST_ABOVE_BASELINE} times {baseline.name} ({subject.rival(least)})"
            yield subject.hold(limit, bound, False)


def _worse(score: Score, contest: Contest) -> Iterator[Judgement]:
    """Refuse to release unasked what is surely worse than the champion, whatever its limits say."""
    champion, metric = contest.champion, contest.evaluation.judged_by
    value, live = _number(score, metric), _number(champion, metric) if champion else None
    if champion is None or value is None or live is None:
        return
    margin = contest.margin(score, champion, metric, 1.0)
    if margin is not None and margin.finding == "worse":
        subject = Subject(metric, value, WORSE, "review")
        limit = f"not surely below the champion ({subject.rival(live)})"
        yield subject.compare(limit, Against(live, 1.0), margin, False)


def _jump(
    metric: str, allowed: Percentage, score: Score, champion: Score, contest: Contest
) -> Judgement:
    """Judge whether an improvement is too good to be believed."""
    value, live = _number(score, metric), _number(champion, metric)
    limit = f"at most {allowed} above the champion"
    why = poor_live(contest, metric) or LEAKS
    subject = Subject(metric, value, why, "review")
    if value is None or live is None:
        return subject.say(NO_JUMP, limit)
    margin = contest.margin(score, champion, metric, 1.0)
    within_chance = margin is not None and math.isfinite(margin.low) and margin.low <= 0
    bound = live + allowed.share * abs(live)
    return subject.hold(f"{limit} ({subject.rival(live)})", bound, within_chance or value <= bound)


def poor_live(contest: Contest, metric: str) -> str:
    """Say that the live model itself is worse than bestsellers; empty where it is not."""
    champion, baseline = contest.champion, contest.best_baseline
    if champion is None or baseline is None:
        return ""
    live, value = _number(champion, metric), _number(baseline, metric)
    if live is None or value is None or value <= live:
        return ""
    margin = contest.margin(champion, baseline, metric, 1.0)
    if margin is not None and margin.finding != "worse":
        return ""
    texts = apart(live, value, unit_of(metric))
    return POOR_LIVE.format(name=baseline.name, live=texts[0], value=texts[1])


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
