"""Reads `release.yaml`: the limits of each metric, and what to do when nobody can tell."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from infra.errors import SettingsError
from infra.records.release import Outcome
from infra.rules import Strict, parse_rules, parse_yaml
from models.evaluation.slices import SHOWN
from models.metrics.ranking import HIGHER_IS_BETTER, METRICS, NEXT_ITEM

DOUBT = "when_in_doubt"
HARDLY = 0.2  # NDCG@10 of shops is between 0.002 and 0.2, so no difference is as large
Missed: TypeAlias = Literal["reject", "review"]


class Amount(Strict):
    """A number on the metric's own scale, or a percentage of what is live: `0.02` or `5%`."""

    number: float = Field(ge=0, allow_inf_nan=False)
    percent: bool = False

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str) and value.strip().endswith("%"):
            return {"number": value.strip().removesuffix("%"), "percent": True}
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"number": value}
        raise ValueError("write a number like 0.02 or a percentage like 5%")

    def of(self, live: float) -> float:
        """Return the amount on the scale of a value that is live."""
        if not self.percent:
            return self.number
        amount = abs(live) * self.number / 100
        # without a bound everything would be within it
        return amount if math.isfinite(amount) else abs(live) / 100 * self.number

    def __str__(self) -> str:
        """Write it as its owner did."""
        return f"{self.number:g}{'%' if self.percent else ''}"


class SliceLimits(Strict):
    """The limits of one slice; without `if_missed`, that of the metric counts."""

    min: float | None = Field(None, allow_inf_nan=False)
    max: float | None = Field(None, allow_inf_nan=False)
    if_missed: Missed | None = None

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("it needs one of min, max")
        _require_order(self.min, self.max)
        return self


class Threshold(Strict):
    """The limits of one metric; at least one of them, and the reason a person gave."""

    min: float | None = Field(None, allow_inf_nan=False)
    max: float | None = Field(None, allow_inf_nan=False)
    max_drop_vs_champion: Amount | None = None
    beats: str | None = Field(None, min_length=1)
    slices: dict[str, SliceLimits] = Field(default_factory=dict)
    if_missed: Missed = "reject"
    why: str = Field(min_length=1)

    @field_validator("max_drop_vs_champion")
    @classmethod
    def _can_happen(cls, drop: Amount | None) -> Amount | None:
        return drop and _possible(drop)

    @property
    def compares(self) -> bool:
        """Tell whether it sets the model against another one."""
        return self.beats is not None or self.max_drop_vs_champion is not None

    @model_validator(mode="after")
    def _limits(self) -> Self:
        alone = self.min is not None or self.max is not None or bool(self.slices)
        if not alone and not self.compares:
            raise ValueError("it needs one of min, max, max_drop_vs_champion, beats, slices")
        _require_order(self.min, self.max)
        return self


class Doubt(Strict):
    """What follows where numbers alone do not decide.

    `cannot_tell`: a difference within chance. `release` means: if all minimums hold, else review.
    `suspicious_improvement`: a jump above the champion beyond this goes to a person.
    """

    cannot_tell: Outcome = "release"
    suspicious_improvement: Amount = Amount.model_validate("50%")

    @field_validator("suspicious_improvement")
    @classmethod
    def _can_happen(cls, jump: Amount) -> Amount:
        return _possible(jump)


@dataclass(frozen=True)
class ReleaseRules:
    """The whole file: thresholds by metric, never empty, and what to do in doubt."""

    thresholds: dict[str, Threshold]
    doubt: Doubt = field(default_factory=Doubt)


def parse_thresholds(content: bytes, origin: str) -> ReleaseRules:
    """Parse the bytes of a file; `origin` names it in errors.

    Raises
    ------
    SettingsError
        The file is empty, a key or a metric is unknown, or a limit makes no sense for the metric.
    """
    entries = parse_yaml(content, origin)
    doubt = parse_rules(entries.pop(DOUBT, {}), Doubt, f"{origin}, '{DOUBT}'")
    if not entries:
        raise SettingsError(f"{origin} holds no thresholds.", "Restore it; nothing is released.")
    thresholds = {
        str(metric): parse_rules(limits, Threshold, f"{origin}, '{metric}'")
        for metric, limits in entries.items()
    }
    for metric, threshold in thresholds.items():
        _require_sense(metric, threshold, origin)
    return ReleaseRules(thresholds, doubt)


def _require_sense(metric: str, threshold: Threshold, origin: str) -> None:
    if metric not in METRICS:
        names = ", ".join(METRICS)
        raise SettingsError(f"{origin}: there is no metric '{metric}'.", f"Known are {names}.")
    if threshold.compares and metric not in HIGHER_IS_BETTER:
        raise SettingsError(
            f"{origin}: less of '{metric}' is better, so it cannot drop or beat.", "Use max."
        )
    by_slice = (*SHOWN, *NEXT_ITEM)
    if threshold.slices and metric not in by_slice:
        raise SettingsError(
            f"{origin}: '{metric}' is not measured by slice.", f"Slices have {', '.join(by_slice)}."
        )


def _possible(amount: Amount) -> Amount:
    """Return an amount; refuse `0.5` where nothing changes that much and 50% was meant."""
    if not amount.percent and amount.number >= HARDLY:
        raise ValueError(
            f"{amount} is on the scale of the metric, where no change is as large; "
            f"for a part of what is live write {amount.number * 100:g}%"
        )
    return amount


def _require_order(least: float | None, most: float | None) -> None:
    if least is not None and most is not None and least > most:
        raise ValueError("min is above max, so nothing could ever be released")
