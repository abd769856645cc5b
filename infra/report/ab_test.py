"""The page of one A/B test: its verdict, the difference by day, its health, who was in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, get_args

from infra.errors import InputError
from infra.ledger.ab_tests import TestState, read_ab_tests
from infra.ledger.ab_verdicts import KeptVerdict, ab_verdicts, offer_of
from infra.records.ab_tests import METRIC_NAMES, AbTest, ArmName, Metric
from infra.records.ab_verdicts import AbVerdict, MetricVerdict
from infra.report.airflow_links import DECIDE_AB_TEST
from infra.report.csv_text import csv_text
from infra.report.curves import Chart, chart
from infra.report.differences import percent, range_of
from infra.report.known_tests import KnownTest
from infra.report.templates import Frame, fill
from infra.report.units import PLAIN, SHARE, Unit, exactly, written
from infra.report.wording import NOTHING, sentence_case
from infra.storage import Storage

MOST_DAYS = 130  # verdicts of a test that are read: 90 days, 28 to mature, and some to think
SHARES: tuple[Metric, ...] = ("conversion", "ctr")
ARMS: tuple[ArmName, ...] = get_args(ArmName)
FINDINGS = {
    "too early": ("Too early", "calm"),
    "better": ("Better", "good"),
    "worse": ("Worse", "bad"),
    "harm": ("Harm", "bad"),
    "kept": ("Holds", "good"),
    "cannot tell": ("Cannot tell", "warn"),
}
ROLES = {"primary": "decides", "guardrail": "guardrail", "shown": "decides nothing"}
COLUMNS = (
    *("test", "phase", "day", "as_of", "horizon", "outcome", "metric", "role", "margin"),
    *("control", "treatment", "relative", "low", "high", "harm_high", "finding"),
    *("units_control", "units_treatment", "mature_control", "mature_treatment"),
)


@dataclass(frozen=True)
class Curve:
    """The relative difference of a metric by day, with its interval, as a drawing."""

    metric: Metric
    drawn: Chart
    first: date
    last: date


@dataclass(frozen=True)
class ArmRow:
    """Who was exposed to an arm: `share` is what was seen, `expected` what was configured."""

    name: ArmName
    version: str
    candidate: str
    units: int | None
    mature: int | None
    share: str
    expected: str


@dataclass(frozen=True)
class AbTestPage:
    """The content of the page.

    Attributes
    ----------
    verdicts : tuple of AbVerdict
        Those on the present phase, the oldest first.
    offer : str
        How the form that decides offers the test.
    """

    known: KnownTest
    verdicts: tuple[AbVerdict, ...]
    offer: str

    @property
    def test(self) -> AbTest:
        """How it was planned."""
        return self.known.state.test


def find_ab_test(storage: Storage, name: str, now: datetime) -> AbTestPage | None:
    """Return what the page of a test shows; None where nobody started one of this name.

    Raises
    ------
    StorageError
        A record cannot be read: half an answer would mislead.
    """
    try:
        state = read_ab_tests(storage).named(name)
    except InputError:
        return None
    kept = _of_phase(state, islice(ab_verdicts(storage, name), MOST_DAYS))
    newest = kept[0].verdict if kept else None
    verdicts = tuple(each.verdict for each in reversed(kept))
    return AbTestPage(KnownTest(state, newest), verdicts, offer_of(storage, state))


def render_ab_test(page: AbTestPage, frame: Frame) -> str:
    """Turn the page into HTML."""
    verdict = page.known.verdict
    metrics = verdict.metrics if verdict else ()
    return fill(
        "ab_test.html",
        frame,
        page=page,
        test=page.test,
        state_of_test=page.known.state,
        verdict=verdict,
        arms=list(_arms(page.known)),
        curves_by_metric=list(_curves(page.verdicts)),
        rows=[(metric, _texts(metric)) for metric in metrics],
        by_day=[(each, _texts(each.primary)) for each in reversed(page.verdicts)],
        metric_names=METRIC_NAMES,
        findings=FINDINGS,
        roles=ROLES,
        decide=DECIDE_AB_TEST,
        percent=percent,
        range_of=range_of,
        exactly=exactly,
        SHARE=SHARE,
    )


def ab_test_csv(page: AbTestPage) -> str:
    """Return every number of every verdict on the present phase, a line per day and metric."""
    return csv_text(COLUMNS, _lines(page.verdicts))


def _of_phase(state: TestState, kept: Iterator[KeptVerdict]) -> list[KeptVerdict]:
    return [each for each in kept if each.verdict.phase == state.phase_number]


def _lines(verdicts: Sequence[AbVerdict]) -> Iterator[dict[str, Any]]:
    for verdict in verdicts:
        by_arm = {f"units_{arm}": verdict.units.get(arm) for arm in ARMS}
        by_arm |= {f"mature_{arm}": verdict.mature.get(arm) for arm in ARMS}
        facts = verdict.model_dump(include={"phase", "day", "as_of", "horizon", "outcome"})
        for metric in verdict.metrics:
            yield {"test": verdict.name, **facts, **metric.model_dump(), **by_arm}


def _arms(known: KnownTest) -> Iterator[ArmRow]:
    test, verdict = known.state.test, known.verdict
    total = sum(verdict.units.values()) if verdict else 0
    pairs = zip(ARMS, (test.control, test.treatment), known.state.phase.shares, strict=True)
    for name, arm, expected in pairs:
        units = verdict.units.get(name, 0) if verdict else None
        yield ArmRow(
            name=name,
            version=arm.version,
            candidate=arm.candidate,
            units=units,
            mature=verdict.mature.get(name, 0) if verdict else None,
            share=written(units / total, SHARE) if units is not None and total else NOTHING,
            expected=written(expected, SHARE, 1),
        )


def _curves(verdicts: Sequence[AbVerdict]) -> Iterator[Curve]:
    """Draw what decides: the primary metric and the guardrails."""
    if not verdicts:
        return
    first, last = verdicts[0].day, verdicts[-1].day
    days = [first + timedelta(days=day) for day in range((last - first).days + 1)]
    for decides in verdicts[-1].metrics:
        if decides.role == "shown":
            continue
        by_day = {each.day: _ends(each, decides.metric) for each in verdicts}
        known = [by_day.get(day, (None, None, None)) for day in days]
        floor = -(decides.margin or 0.0)
        drawn = chart(
            [
                ("Lower end", "low", [low for low, _, _ in known]),
                ("Upper end", "high", [high for _, _, high in known]),
                ("Difference", "judged", [middle for _, middle, _ in known]),
                ("No difference", "limit", [0.0] * len(days)),
                *([("Allowed", "limit", [floor] * len(days))] if floor else []),
            ],
            (),
        )
        if drawn and any(middle is not None for _, middle, _ in known):
            yield Curve(decides.metric, drawn, first, last)


def _ends(verdict: AbVerdict, metric: Metric) -> tuple[float | None, ...]:
    """Return low end, difference and high end; unknown where an end is."""
    found = next((each for each in verdict.metrics if each.metric == metric), None)
    ends = (found.low, found.relative, found.high) if found else (None,)
    return (None, None, None) if None in ends else ends


def _texts(metric: MetricVerdict) -> dict[str, str]:
    unit: Unit = SHARE if metric.metric in SHARES else PLAIN
    return {
        "name": sentence_case(METRIC_NAMES[metric.metric]),
        "control": written(metric.control, unit),
        "treatment": written(metric.treatment, unit),
        "relative": percent(metric.relative),
        "interval": range_of(metric.low, metric.high),
        "margin": exactly(metric.margin, SHARE) if metric.margin else "",
    }
