"""Shows a check over the last runs: since when it fails, and a small drawing of its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from infra.records.gates import Check
from infra.records.release import Judgement
from infra.report.checks import check_unit, judgement_series, limits_of, series
from infra.report.results import bounds_of, judgement_unit
from infra.report.runs import run_title
from infra.report.summary import RunSummary, Trace, trace_of
from infra.report.units import Unit, written
from infra.report.wording import counted

LENGTH = 12  # runs before this one; more do not fit beside a value
WIDTH, HEIGHT, MARGIN = 112.0, 26.0, 4.0


@dataclass(frozen=True)
class Dot:
    """One run; `y` is None where nothing was measured."""

    x: float
    y: float | None
    passed: bool | None


@dataclass(frozen=True)
class Trend:
    """A rule over the last runs, oldest first; the last dot is the run of the page.

    `lines` are the pieces of the curve as SVG points, `limits` where the limits lie.
    """

    dots: tuple[Dot, ...]
    lines: tuple[str, ...]
    limits: tuple[float, ...]
    summary: str
    since: str


class Trends:
    """The trends of all rules of one run.

    Parameters
    ----------
    earlier : sequence of RunSummary
        The runs before it, oldest first.
    """

    def __init__(self, earlier: Sequence[RunSummary] = ()) -> None:
        self._earlier = earlier

    def of_check(self, gate: str, check: Check) -> Trend | None:
        """Return the trend of a check; None where no earlier run knew it, or it was not judged."""
        if check.not_judged:
            return None
        now = Trace(value=check.value, passed=not check.failed)
        return self._trend(series(gate, check), now, limits_of(check), check_unit(check))

    def of_judgement(self, judged: Judgement) -> Trend | None:
        """Return the trend of a release threshold; None where no run knew it."""
        if judged.result == "not judged":
            return None
        key, unit = judgement_series(judged), judgement_unit(judged)
        return self._trend(key, trace_of(judged), bounds_of(judged), unit)

    def _trend(self, key: str, now: Trace, limits: list[float], unit: Unit) -> Trend | None:
        earlier = [
            (summary.run, summary.traces[key]) for summary in self._earlier if key in summary.traces
        ]
        if not earlier:
            return None
        traces = [trace for _, trace in earlier] + [now]
        dots, limit_lines = _drawn(traces, limits)
        return Trend(
            dots=dots,
            lines=tuple(_lines(dots)),
            limits=limit_lines,
            summary=_summary(traces, unit),
            since=_since(earlier) if now.passed is False else "",
        )


def _since(earlier: Sequence[tuple[str, Trace]]) -> str:
    failures = takewhile(lambda run: run[1].passed is False, reversed(earlier))
    failed = [name for name, _ in failures]
    if not failed:
        before = "it passed" if earlier[-1][1].passed else "nobody could tell"
        return f"New: {before} in the run before."
    longer = "at least " if len(failed) == len(earlier) else ""
    return f"Fails since {longer}{run_title(failed[-1])}: {len(failed) + 1} runs in a row."


def _summary(traces: Sequence[Trace], unit: Unit) -> str:
    values = ", ".join(written(trace.value, unit) for trace in traces)
    failed = sum(trace.passed is False for trace in traces)
    return f"Last {counted(len(traces), 'run')}, oldest first: {values}. Failed in {failed}."


def _drawn(
    traces: Sequence[Trace], limits: Sequence[float]
) -> tuple[tuple[Dot, ...], tuple[float, ...]]:
    values = [trace.value for trace in traces if trace.value is not None]
    low, high = min([*values, *limits], default=0.0), max([*values, *limits], default=0.0)
    step = (WIDTH - 2 * MARGIN) / max(len(traces) - 1, 1)

    def height(value: float) -> float:
        part = (value - low) / (high - low) if high > low else 0.5
        return round(HEIGHT - MARGIN - part * (HEIGHT - 2 * MARGIN), 1)

    dots = tuple(
        Dot(
            x=round(MARGIN + place * step, 1),
            y=None if trace.value is None else height(trace.value),
            passed=trace.passed,
        )
        for place, trace in enumerate(traces)
    )
    return dots, tuple(height(limit) for limit in limits)


def _lines(dots: Sequence[Dot]) -> list[str]:
    """Join neighbours; a run without a value leaves a gap."""
    pieces: list[list[str]] = [[]]
    for dot in dots:
        if dot.y is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{dot.x},{dot.y}")
    return [" ".join(piece) for piece in pieces if len(piece) > 1]
