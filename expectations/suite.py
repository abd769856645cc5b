"""A gate's suite of Great Expectations: built from its limits, run on one row of measures.

Great Expectations can fail open: an unknown expectation is dropped with a log line, an empty suite
succeeds, and nulls pass a range. So every measure is also expected to be there, and the number of
results is held against the number of rules.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from expectations.measures import Measure
from infra.errors import GateError, SettingsError
from infra.records import Check, Severity
from infra.rules import Rules, load_mapping

if TYPE_CHECKING:
    import pandas as pd


class Limit(Rules):
    """The range a measure must stay in, how bad it is if not, and why anybody cares."""

    min: float | None = None
    max: float | None = None
    severity: Severity
    why: str = Field(min_length=1)

    @model_validator(mode="after")
    def _bounded(self) -> Limit:
        if self.min is None and self.max is None:
            raise ValueError("needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        if not all(math.isfinite(bound) for bound in (self.min, self.max) if bound is not None):
            raise ValueError("min and max must be finite numbers")
        return self


def load_limits(file: Path, measures: dict[str, Measure]) -> dict[str, Limit]:
    """Return a gate's limits; every measure has one and no other is named.

    Raises
    ------
    SettingsError
        The file is wrong, or its rules and the gate's measures are not the same.
    """
    limits = load_mapping(file, Limit)
    for name in sorted(set(limits) ^ set(measures)):
        known = ", ".join(measures)
        raise SettingsError(f"{file}: '{name}' is unknown or missing.", f"It needs: {known}.")
    return limits


def check(
    profile: pd.DataFrame, measures: dict[str, Measure], limits: dict[str, Limit]
) -> tuple[Check, ...]:
    """Hold one row of measures to its limits; one check per limit, in the file's order.

    Raises
    ------
    GateError
        Great Expectations did not answer every rule.
    """
    found = _validate(profile, limits)
    return tuple(
        Check(
            name=name,
            says=measures[name].says,
            why=limit.why,
            severity=limit.severity,
            value=_number(profile[name].iloc[0]),
            min=limit.min,
            max=limit.max,
            passed=found[name],
        )
        for name, limit in limits.items()
    )


def _validate(profile: pd.DataFrame, limits: dict[str, Limit]) -> dict[str, bool]:
    """Run the suite; a measure passes when it is there and inside its range."""
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    suite = context.suites.add(gx.ExpectationSuite("gate"))
    for name, limit in limits.items():
        note: dict[str, Any] = {"severity": limit.severity, "notes": limit.why}
        suite.add_expectation(gxe.ExpectColumnValuesToNotBeNull(column=name, **note))
        suite.add_expectation(
            gxe.ExpectColumnValuesToBeBetween(
                column=name, min_value=limit.min, max_value=limit.max, **note
            )
        )
    asset = context.data_sources.add_pandas("profile").add_dataframe_asset("profile")
    batch = asset.add_batch_definition_whole_dataframe("row")
    answer = batch.get_batch({"dataframe": profile}).validate(suite)
    return _by_measure(answer.results, limits)


def _by_measure(results: list[Any], limits: dict[str, Limit]) -> dict[str, bool]:
    answered: dict[str, list[bool]] = {name: [] for name in limits}
    for result in results:
        answered[result.expectation_config.kwargs["column"]].append(bool(result.success))
    short = [name for name, answers in answered.items() if len(answers) != 2]
    if short or not answered:
        raise GateError(
            f"Great Expectations left {', '.join(short) or 'an empty suite'} unanswered.",
            "Nothing passes unanswered; look at its log lines above.",
        )
    return {name: all(answers) for name, answers in answered.items()}


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
