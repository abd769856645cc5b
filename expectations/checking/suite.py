"""Checks rows of measures against a gate's limits, with a suite of Great Expectations.

Great Expectations can fail open: an unknown expectation is dropped with a log line, an empty suite
succeeds, and nulls pass a range. So a row that lacks a measure breaks its rule, each rule must have
an answer, and each answer must have counted all rows and all that lack the measure.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from expectations.checking.measure import Measure
from expectations.checking.tables import Values
from infra.errors import GateError, SettingsError
from infra.records.gates import Check, Severity
from infra.rules import Strict, load_mapping

_SAMPLE = ("least_events", "last_batches", "last_days")


class Limit(Strict):
    """The range a measure must stay in, how bad it is if not, and why anybody cares.

    A rule that compares with the past also says with how much of it: `last_batches` or
    `last_days`, and `least_events`, below which chance alone would break it.
    """

    min: float | None = None
    max: float | None = None
    severity: Severity
    why: str = Field(min_length=1)
    least_events: int | None = Field(None, ge=1)
    last_batches: int | None = Field(None, ge=1)
    last_days: int | None = Field(None, ge=1, le=56)

    @model_validator(mode="after")
    def _bounded(self) -> Limit:
        if self.min is None and self.max is None:
            raise ValueError("needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        if not all(math.isfinite(bound) for bound in (self.min, self.max) if bound is not None):
            raise ValueError("min and max must be finite numbers")
        return self

    @property
    def says(self) -> tuple[str, ...]:
        """Names of what it says about the past."""
        return tuple(name for name in _SAMPLE if getattr(self, name) is not None)


@dataclass(frozen=True)
class Profile:
    """One row of measures of one partition; `not_judged` says why a rule does not apply."""

    values: Values
    partition: str = ""
    not_judged: Mapping[str, str] = field(default_factory=dict)


def load_limits(file: Path, measures: Mapping[str, Measure]) -> dict[str, Limit]:
    """Return a gate's limits; every measure has one and no other is named.

    Raises
    ------
    SettingsError
        The file is wrong, or its rules and the gate's measures are not the same.
    """
    limits = load_mapping(file, Limit)
    for name in sorted(set(limits) ^ set(measures)):
        needed = ", ".join(measures)
        raise SettingsError(f"{file}: '{name}' is unknown or missing.", f"It needs: {needed}.")
    for name, limit in limits.items():
        if set(limit.says) != set(measures[name].needs):
            needs = ", ".join(measures[name].needs) or "none of those"
            raise SettingsError(
                f"{file}, '{name}': it says {', '.join(limit.says) or 'nothing'} of the past.",
                f"Of {', '.join(_SAMPLE)} it needs {needs}.",
            )
    return limits


def check_limits(
    profiles: Sequence[Profile], measures: Mapping[str, Measure], limits: Mapping[str, Limit]
) -> list[Check]:
    """Check rows of measures against their limits; a check per row and limit, in the file's order.

    Raises
    ------
    GateError
        Great Expectations did not answer every rule for every row.
    """
    broken = _validate(profiles, limits)
    return [
        Check(
            name=name,
            says=measures[name].says,
            why=limit.why,
            severity=limit.severity,
            value=profile.values[name],
            min=limit.min,
            max=limit.max,
            passed=name not in profile.not_judged and row not in broken[name],
            partition=profile.partition,
            not_judged=profile.not_judged.get(name, ""),
        )
        for row, profile in enumerate(profiles)
        for name, limit in limits.items()
    ]


def _validate(profiles: Sequence[Profile], limits: Mapping[str, Limit]) -> dict[str, set[int]]:
    """Run the suite; return per measure the rows where it is missing or outside its range."""
    # its import logs two hundred lines on what it does not register, and people read this log
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx
    import great_expectations.expectations as gxe
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    expectations = [
        gxe.ExpectColumnValuesToBeBetween(
            column=name,
            min_value=limit.min,
            max_value=limit.max,
            severity=limit.severity,  # type: ignore[arg-type] # a text is taken
            notes=limit.why,
        )
        for name, limit in limits.items()
    ]
    # all at once: adding a single one to a suite in a context saves the whole suite
    suite = context.suites.add(gx.ExpectationSuite("gate", expectations=expectations))
    rows = pd.DataFrame([dict(profile.values) for profile in profiles], dtype="float64")
    asset = context.data_sources.add_pandas("profile").add_dataframe_asset("profile")
    batch = asset.add_batch_definition_whole_dataframe("rows").get_batch({"dataframe": rows})
    answer = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    missing = {name: set(rows.index[rows[name].isna()]) for name in limits}
    return _by_measure(answer.results, missing, len(rows))


def _by_measure(
    results: Sequence[Any], missing: Mapping[str, set[int]], rows: int
) -> dict[str, set[int]]:
    """Return the rows of each measure that are outside or missing, which its range passes over."""
    broken: dict[str, set[int]] = {}
    for result in results:
        name, details = result.expectation_config.kwargs["column"], result.result
        counts = (details.get("element_count"), details.get("missing_count"))
        at = details.get("unexpected_index_list")
        is_whole = counts == (rows, len(missing[name])) and at is not None
        if is_whole and bool(result.success) == (not at):
            broken[name] = {*at, *missing[name]}
    short = [name for name in missing if name not in broken]
    if short or not broken or not rows:
        raise GateError(
            f"Great Expectations left {', '.join(short) or 'an empty suite'} unanswered.",
            "Nothing passes unanswered; look at its log lines above.",
        )
    return broken
