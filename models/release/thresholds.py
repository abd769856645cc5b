"""Reads `release.yaml`: the limits of each metric, and what to do when nobody can tell."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from infra.errors import SettingsError
from infra.records.release import Outcome
from infra.report.units import SHARE, unit_of
from infra.rules import Strict, did_you_mean, parse_rules, parse_yaml
from models.evaluation.slices import SHOWN
from models.metrics.ranking import HIGHER_IS_BETTER, METRICS, NEXT_ITEM

DOUBT = "when_in_doubt"
_PERCENT = re.compile(r"\d+(\.\d+)? ?%")
Missed: TypeAlias = Literal["reject", "review"]


class Percentage(Strict):
    """A share of a rival's value, written as a percentage: `10%`."""

    percent: float = Field(ge=0, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str) and value.strip().endswith("%"):
            return {"percent": value.strip().removesuffix("%")}
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError(
                f"{value:g} may be a part or a number on the metric's scale; "
                f"for that part of what is live write {100 * value:g}%"
            )
        raise ValueError("write a percentage like 10%")

    @property
    def share(self) -> float:
        """The same as a part of 1."""
        return self.percent / 100

    def __str__(self) -> str:
        """Write it as its owner did."""
        return f"{self.percent:g}%"


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
    max_drop_vs_champion: Percentage | None = None
    beats: str | None = Field(None, min_length=1)
    slices: dict[str, SliceLimits] = Field(default_factory=dict)
    if_missed: Missed = "reject"
    why: str = Field(min_length=1)

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
        if self.max_drop_vs_champion is not None and self.max_drop_vs_champion.percent >= 100:
            raise ValueError("a drop of 100% or more allows everything")
        return self


class Doubt(Strict):
    """What follows where numbers alone do not decide.

    `cannot_tell`: a difference within chance. `release` means: if all minimums hold, else review.
    `suspicious_improvement`: a jump above the champion beyond this goes to a person.
    `least_users`: with fewer judged customers a person decides, whatever the numbers say.
    `anchor_days`: the drop is also held against the recipe that was live so many days ago.
    """

    cannot_tell: Outcome = "review"
    suspicious_improvement: Percentage = Percentage.model_validate("50%")
    least_users: int = Field(100, ge=2)
    anchor_days: int = Field(30, ge=1, le=3650)


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
    for metric in entries:
        _require_metric(str(metric), origin)
    thresholds = {
        str(metric): _parse(str(metric), limits, f"{origin}, '{metric}'")
        for metric, limits in entries.items()
    }
    for metric, threshold in thresholds.items():
        _require_sense(metric, threshold, origin)
    return ReleaseRules(thresholds, doubt)


def _parse(metric: str, limits: object, origin: str) -> Threshold:
    if isinstance(limits, dict):
        _read_percentages(metric, limits, origin)
    threshold = parse_rules(limits, Threshold, origin)
    for key, end in (("min", threshold.min), ("max", threshold.max)):
        if unit_of(metric) is SHARE and end is not None and not 0 <= end <= 1:
            raise SettingsError(
                f"{origin}: '{key}' is {end:g}, and a share lies between 0 and 1.",
                f"For {end:g} of a hundred write {end:g}%.",
            )
    return threshold


def _read_percentages(metric: str, limits: dict[Any, Any], origin: str) -> None:
    """Take `99.99%` as 0.9999 where the metric is a share; elsewhere nobody knows of what."""
    for key in ("min", "max"):
        text = str(limits.get(key, "")).strip()
        if not _PERCENT.fullmatch(text):
            continue
        if unit_of(metric) is not SHARE:
            raise SettingsError(
                f"{origin}: '{key}' is {text}, and {metric} is no share.",
                "Write a plain number on the scale of the metric.",
            )
        limits[key] = float(Decimal(text.removesuffix("%").rstrip()) / 100)


def _require_metric(metric: str, origin: str) -> None:
    if metric not in METRICS:
        names = ", ".join(METRICS)
        meant = did_you_mean(metric, (*METRICS, DOUBT)) or "."
        raise SettingsError(
            f"{origin}: there is no metric '{metric}'{meant}", f"Known are {names}."
        )


def _require_sense(metric: str, threshold: Threshold, origin: str) -> None:
    if threshold.compares and metric not in HIGHER_IS_BETTER:
        raise SettingsError(
            f"{origin}: less of '{metric}' is better, so it cannot drop or beat.", "Use max."
        )
    by_slice = (*SHOWN, *NEXT_ITEM)
    if threshold.slices and metric not in by_slice:
        raise SettingsError(
            f"{origin}: '{metric}' is not measured by slice.", f"Slices have {', '.join(by_slice)}."
        )


def _require_order(least: float | None, most: float | None) -> None:
    if least is not None and most is not None and least > most:
        raise ValueError("min is above max, so nothing could ever be released")
