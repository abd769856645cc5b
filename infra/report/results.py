"""Says in words how many thresholds were met, missed, or left open."""

from __future__ import annotations

from collections.abc import Sequence

from infra.records.release import Judgement
from infra.report.wording import counted, plain_name


def results(judgements: Sequence[Judgement]) -> str:
    """Say which thresholds were missed, and of which nobody can tell: neither is met."""
    missed = [judgement for judgement in judgements if _is_missed(judgement)]
    unsure = [judgement for judgement in judgements if _is_open(judgement)]
    every = counted(len(judgements), "threshold")
    if not missed and not unsure:
        return f"met {_all(len(judgements))}"
    met = len(judgements) - len(missed) - len(unsure)
    first = f"missed {len(missed)} of {every} ({_names(missed)})"
    if not missed:
        first = f"met {met} of {every}"
    return f"{first}, and nobody can tell of {_names(unsure)}" if unsure else first


def _is_open(judgement: Judgement) -> bool:
    undecided = judgement.result == "not judged" and judgement.outcome == "review"
    return judgement.result == "cannot tell" or undecided


def _is_missed(judgement: Judgement) -> bool:
    return not judgement.passed and not _is_open(judgement)


def _names(judgements: list[Judgement]) -> str:
    return listed(list(dict.fromkeys(plain_name(judgement.metric) for judgement in judgements)))


def _all(amount: int) -> str:
    return "the one threshold" if amount == 1 else f"all {amount} thresholds"


def listed(names: list[str]) -> str:
    """Join names as one says them: `a, b and c`."""
    return " and ".join(", ".join(names).rsplit(", ", 1))
