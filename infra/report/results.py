"""Says how thresholds were met: in a word, in a count, and with the value beside its limit."""

from __future__ import annotations

import re
from collections.abc import Sequence

from infra.records.release import Judgement, VerdictRecord
from infra.report.units import Unit, beside, range_text, unit_of
from infra.report.wording import counted, in_words, plain_name

RESULT_WORDS = {
    "met": "Pass",
    "missed": "Fail",
    "cannot tell": "Cannot tell",
    "not judged": "Not judged",
}
_BARE = re.compile(r"(at least|at most) [-+.,\de]+")  # as records of an earlier Catwalk have it


def results(judgements: Sequence[Judgement]) -> str:
    """Say how many thresholds were met, and which were not: what nobody can tell is not met."""
    missed, unsure, unjudged = (
        [judgement for judgement in judgements if judgement.result == result]
        for result in ("missed", "cannot tell", "not judged")
    )
    met, every = len(judgements) - len(missed) - len(unsure) - len(unjudged), len(judgements)
    if met == every:
        return "was held to no threshold" if not every else f"met {_all(every)}"
    parts = [f"met {met} of {counted(every, 'threshold')}"]
    if missed:
        parts = [f"missed {len(missed)} of {counted(every, 'threshold')} ({_names(missed)})"]
    if unsure:
        parts.append(f"nobody can tell of {_names(unsure)}")
    if unjudged:
        were = "was" if len(unjudged) == 1 else "were"
        parts.append(f"{len(unjudged)} {were} not judged ({_names(unjudged)})")
    *first, last = parts
    return f"{', '.join(first)}, and {last}" if first else last


def judgement_texts(judgement: Judgement) -> tuple[str, str]:
    """Return the value and the limit of a threshold in one unit, precise enough to tell apart."""
    bounds, unit = bounds_of(judgement), judgement_unit(judgement)
    value = beside(judgement.value, bounds, unit)
    bare = _BARE.fullmatch(judgement.limit)
    if bare is None or not bounds:
        return value, judgement.limit
    low, high = (bounds[0], None) if bare[1] == "at least" else (None, bounds[0])
    return value, range_text(low, high, unit)


def plainly(text: str, verdict: VerdictRecord) -> str:
    """Name the metrics of a verdict in words, wherever a sentence of it has their names in code."""
    judged = (*verdict.judgements, *(of for each in verdict.candidates for of in each.judgements))
    for metric in dict.fromkeys(judgement.metric for judgement in judged):
        text = in_words(text, metric)
    return text


def judgement_unit(judgement: Judgement) -> Unit:
    """Return the unit of what was judged."""
    return unit_of(judgement.metric)


def bounds_of(judgement: Judgement) -> list[float]:
    """Return the number that a value is held to; nothing where a limit is known in words alone."""
    return [] if judgement.bound is None else [judgement.bound]


def listed(names: list[str]) -> str:
    """Join names as one says them: `a, b and c`."""
    return " and ".join(", ".join(names).rsplit(", ", 1))


def _names(judgements: list[Judgement]) -> str:
    return listed(list(dict.fromkeys(plain_name(judgement.metric) for judgement in judgements)))


def _all(amount: int) -> str:
    return "the one threshold" if amount == 1 else f"all {amount} thresholds"
