"""Says the verdict on an A/B test in one or two sentences that need no statistics to be read."""

from __future__ import annotations

from infra.records.ab_tests import METRIC_NAMES, AbTest
from infra.records.ab_verdicts import AbVerdict, MetricVerdict


def headline(verdict: AbVerdict, test: AbTest) -> str:
    """Return the headline of a verdict on a test."""
    control, treatment = test.control.candidate, test.treatment.candidate
    primary = difference_of(verdict.primary)
    if verdict.outcome == "void":
        return f"Void, so its numbers say nothing. {_faults(verdict)}"
    if verdict.outcome == "too early":
        return (
            f"Too early to tell: {sum(verdict.mature.values()):,} of {verdict.planned_units:,} "
            f"planned units are counted to their end; {_when(verdict)}."
        )
    if verdict.outcome == "harm":
        return f"Stop: {treatment} does harm that chance does not explain. {_lost(verdict, 'harm')}"
    if verdict.outcome == "ship":
        rails = " Every guardrail holds." if test.guardrails else ""
        return f"Ship {treatment}: {primary}.{rails}"
    if verdict.outcome == "keep":
        return f"Keep {control}: {_lost(verdict, 'worse')}"
    return f"Nobody can tell: {primary}.{_open(verdict)}"


def _when(verdict: AbVerdict) -> str:
    if verdict.as_of < verdict.horizon:
        return f"the verdict follows after {verdict.horizon:%Y-%m-%d %H:%M} UTC"
    return "the verdict follows once the last days are complete"


def difference_of(metric: MetricVerdict) -> str:
    """Say how a metric differs, with its interval.

    Examples
    --------
    >>> difference_of(MetricVerdict(
    ...     metric="conversion", role="primary", control=0.05, treatment=0.052, relative=0.04,
    ...     low=0.011, high=0.07, harm_high=None, finding="better"))
    'the share of customers who buy is 4.0% higher (between 1.1% higher and 7.0% higher)'
    """
    name = METRIC_NAMES[metric.metric]
    if metric.relative is None or metric.low is None or metric.high is None:
        return f"{name} cannot be compared: too few have bought or clicked"
    between = f"between {_share(metric.low)} and {_share(metric.high)}"
    return f"{name} is {_share(metric.relative)} ({between})"


def _share(relative: float) -> str:
    return f"{abs(relative):.1%} {'higher' if relative >= 0 else 'lower'}"


def _lost(verdict: AbVerdict, finding: str) -> str:
    """Name the metrics that fell."""
    fell = [difference_of(metric) for metric in verdict.metrics if metric.finding == finding]
    text = "; ".join(fell)
    return f"{text[:1].upper()}{text[1:]}."


def _open(verdict: AbVerdict) -> str:
    """Name the guardrails of which nobody can say that they hold."""
    unsure = [
        f" Perhaps {METRIC_NAMES[metric.metric]} fell by more than the {metric.margin:.1%} allowed."
        for metric in verdict.metrics
        if metric.role == "guardrail" and metric.finding == "cannot tell"
    ]
    return "".join(unsure)


def _faults(verdict: AbVerdict) -> str:
    return " ".join(check.sentence for check in verdict.health if not check.passed)
