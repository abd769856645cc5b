"""The form of `start_ab_test`, which asks for percentages where a record has shares."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from infra.airflow.choices import live_placements, offered, other_candidates
from infra.airflow.defaults import ASKS_FOR_A_USER, among

METRICS = ["conversion", "revenue", "orders", "units", "ctr"]
_OR_EMPTY: dict[str, Any] = {"type": ["null", "number"], "exclusiveMinimum": 0}


def ab_test_fields() -> dict[str, Param]:
    """Return the fields by their names; new ones each time, as Airflow fills them in."""
    return {**_about(), **_plan()}


def _about() -> dict[str, Param]:
    return {
        "name": Param(
            type="string",
            pattern="^[a-z0-9][a-z0-9-]{2,39}$",
            title="Name",
            description=f"Such as content-first: small letters, digits, dashes. {ASKS_FOR_A_USER}",
        ),
        "hypothesis": Param(
            type="string",
            minLength=10,
            maxLength=1000,
            title="Hypothesis",
            description="What you expect, and why. The page of the test shows it.",
        ),
        "candidate": Param(
            type="string",
            minLength=1,
            title="Treatment",
            description="Another candidate of the retraining that made what is live.",
            **among(offered(other_candidates)),
        ),
        "placements": Param(
            ["home"],
            type="array",
            items={"type": "string"},
            title="Placements",
            description="Where it counts, one a line.",
            **among(offered(live_placements)),
        ),
        "unit": Param(
            "user",
            enum=["user", "visitor"],
            title="Counted by",
            description="user: only people who are logged in. visitor: each device.",
        ),
        "traffic": _percent(100, "Traffic", "Percent of them that are in the test."),
        "treatment_share": _percent(50, "Share of treatment", "Percent of the test."),
    }


def _plan() -> dict[str, Param]:
    return {
        "primary": Param("conversion", enum=METRICS, title="Primary metric"),
        "guardrails": Param(
            {"revenue": 5},
            type="object",
            title="Guardrails",
            description='Metrics that may not fall by more than so many percent: {"revenue": 5}.',
        ),
        "days": Param(14, type="integer", minimum=1, maximum=90, title="Days"),
        "mature_days": Param(
            7,
            type="integer",
            minimum=1,
            maximum=28,
            title="Days each is watched",
            description="From the first list a customer gets in the test on.",
        ),
        "least_effect": _percent(5, "Smallest effect", "Percent of the metric worth knowing."),
        "units_a_day": Param(
            None,
            **_OR_EMPTY,
            title="Customers a day",
            description="New ones a day in these placements. Empty: as measured.",
        ),
        "mean": Param(
            None,
            **_OR_EMPTY,
            title="Metric today",
            description="Percent who buy (of ctr: who click). Empty: as measured.",
        ),
        "only_plan": Param(True, type="boolean", title="Only plan", description="Start nothing."),
        "reason": Param(
            None,
            type=["null", "string"],
            maxLength=1000,
            title="Reason",
            description="Only where the days do not suffice: why it shall start all the same.",
        ),
    }


def _percent(default: float, title: str, description: str) -> Param:
    number: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0, "maximum": 100}
    return Param(default, **number, title=title, description=description)
