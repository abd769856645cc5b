"""Holding one candidate to the limits of `release.yaml`: pure, one judgement per limit.

Everything fails closed: a missing or undefined number misses its threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from infra.errors import SettingsError
from infra.records import Judgement
from infra.rules import Rules, load_mapping
from models.metrics import HIGHER_IS_BETTER, METRICS

RELEASE = Path(__file__).with_name("release.yaml")


class Threshold(Rules):
    """The limits of one metric; at least one of them, and the reason a person gave."""

    min: float | None = Field(None, allow_inf_nan=False)
    max: float | None = Field(None, allow_inf_nan=False)
    max_drop_vs_champion: float | None = Field(None, ge=0, allow_inf_nan=False)
    beats: str | None = Field(None, min_length=1)
    why: str = Field(min_length=1)

    @model_validator(mode="after")
    def _limits(self) -> Self:
        limits = (self.min, self.max, self.max_drop_vs_champion, self.beats)
        if all(limit is None for limit in limits):
            raise ValueError("it needs one of min, max, max_drop_vs_champion, beats")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max, so nothing could ever be released")
        return self


Metrics = Mapping[str, float]
Thresholds = dict[str, Threshold]


def load_thresholds(file: Path = RELEASE) -> Thresholds:
    """Return the thresholds by metric.

    Raises
    ------
    SettingsError
        The file is missing or empty, a key or a metric is unknown, or a comparison makes no
        sense for the metric.
    """
    thresholds = load_mapping(file, Threshold)
    if not thresholds:
        raise SettingsError(f"{file} holds no thresholds.", "Restore it; nothing is released.")
    for metric, threshold in thresholds.items():
        if metric not in METRICS:
            known = ", ".join(METRICS)
            raise SettingsError(f"{file}: there is no metric '{metric}'.", f"Known are {known}.")
        compares = threshold.beats or threshold.max_drop_vs_champion is not None
        if compares and metric not in HIGHER_IS_BETTER:
            raise SettingsError(
                f"{file}: less of '{metric}' is better, so it cannot drop or beat.", "Use max."
            )
    return thresholds


def judge(
    metrics: Metrics,
    others: Mapping[str, Metrics],
    champion: Metrics | None,
    thresholds: Thresholds,
) -> tuple[Judgement, ...]:
    """Hold one candidate to every limit.

    Parameters
    ----------
    metrics : mapping of str to float
        Of the candidate.
    others : mapping of str to mapping
        Metrics of the other candidates, by name.
    champion : mapping of str to float, or None
        None if nothing is live yet: then nothing can drop. Empty if something is live that could
        not be judged: then the comparison fails.
    thresholds : dict of str to Threshold

    Returns
    -------
    tuple of Judgement
        One per limit, in the order of the file.
    """
    return tuple(
        judgement
        for metric, threshold in thresholds.items()
        for judgement in _judge(metric, threshold, metrics, others, champion)
    )


def passed(judgements: tuple[Judgement, ...]) -> bool:
    """Tell whether there was a limit, and all were met."""
    return bool(judgements) and all(judgement.passed for judgement in judgements)


def _judge(
    metric: str,
    threshold: Threshold,
    metrics: Metrics,
    others: Mapping[str, Metrics],
    champion: Metrics | None,
) -> Iterator[Judgement]:
    value = _number(metrics, metric)
    say = _Words(metric, value, threshold.why)
    if threshold.min is not None:
        yield say.at_least(threshold.min)
    if threshold.max is not None:
        yield say.at_most(threshold.max)
    if threshold.beats is not None:
        yield say.above(threshold.beats, _number(others.get(threshold.beats, {}), metric))
    if threshold.max_drop_vs_champion is not None:
        drop = threshold.max_drop_vs_champion
        if champion is None:
            yield say.without_champion(drop)
        else:
            yield say.no_drop(drop, _number(champion, metric))


def _number(metrics: Metrics, metric: str) -> float | None:
    value = metrics.get(metric)
    return None if value is None or not math.isfinite(value) else float(value)


class _Words:
    """Words and numbers of the limits of one metric; None is a number nobody has."""

    def __init__(self, metric: str, value: float | None, why: str) -> None:
        self.metric, self.value, self.why = metric, value, why

    def at_least(self, bound: float) -> Judgement:
        return self._say(f"at least {bound:g}", bound, self._up_to(bound))

    def at_most(self, bound: float) -> Judgement:
        return self._say(
            f"at most {bound:g}", bound, self.value is not None and self.value <= bound
        )

    def above(self, rival: str, bound: float | None) -> Judgement:
        limit = f"above {rival}"
        if bound is None:
            return self._say(limit, None, False, f"{rival} has no such number to compare with")
        beaten = self.value is not None and self.value > bound
        return self._say(f"{limit} ({bound:.4g})", bound, beaten)

    def without_champion(self, drop: float) -> Judgement:
        limit, known = self._drop(drop), self.value is not None
        return self._say(limit, None, known, "nothing is live yet to compare with" if known else "")

    def no_drop(self, drop: float, live: float | None) -> Judgement:
        if live is None:
            reason = "the live champion could not be judged on this hold-out"
            return self._say(self._drop(drop), None, False, reason)
        limit = f"{self._drop(drop)} ({live:.4g})"
        return self._say(limit, live - drop, self._up_to(live - drop))

    def _up_to(self, bound: float) -> bool:
        return self.value is not None and self.value >= bound

    def _drop(self, drop: float) -> str:
        return f"at most {drop:g} below the champion"

    def _say(self, limit: str, bound: float | None, passed: bool, reason: str = "") -> Judgement:
        number = "was not measured" if self.value is None else f"is {self.value:.4g}"
        verdict = f", which is {limit}" if passed else f"; it must be {limit}"
        return Judgement(
            metric=self.metric,
            value=self.value,
            limit=limit,
            bound=bound,
            result="met" if passed else "missed",
            outcome="release" if passed else "reject",
            reason=f"{self.metric} {number}{f'; {reason}' if reason else verdict}.",
            why=self.why,
        )
