"""The page Quality over time: what each run measured of the champion and of the candidates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.report.curves import SHORT, TALL, Chart, Mark, across, chart
from infra.report.runs import all_runs, read_summaries, run_order, run_title
from infra.report.standing import Standing
from infra.report.summary import ModelQuality, RunSummary, load_summary, summary_now
from infra.report.templates import Frame, fill
from infra.report.units import MOST_DIGITS, digits_beside, exactly, unit_of, written
from infra.stores.object_store import ObjectStore

SHOWN, AT_A_GLANCE = 50, 12  # runs
LIVE, JUDGED, LIMIT = "Live then", "Judged candidate", "Limit"


@dataclass(frozen=True)
class Row:
    """One run as the table has it; `others` are the candidates that were not judged."""

    summary: RunSummary
    judged: str
    live: str
    limit: str
    others: str
    happened: tuple[str, ...]


@dataclass(frozen=True)
class QualityPage:
    """The metric that is shown, its curves, and the same as a table, the latest run first.

    `first` are the metrics that the last verdict held to a limit, `others` the rest.
    """

    metric: str
    first: tuple[str, ...]
    others: tuple[str, ...]
    drawn: Chart | None
    rows: tuple[Row, ...]


def recent_runs(store: ObjectStore, over: Collection[str], amount: int) -> list[RunSummary]:
    """Return the summaries of the last runs, the oldest first."""
    return list(reversed(read_summaries(_summary, store, all_runs(store)[:amount], over)))


def quality_page(runs: Sequence[RunSummary], now: Standing, metric: str = "") -> QualityPage:
    """Return what the page shows of runs, the oldest first; by default what the last was judged by.

    A metric that no run has measured is as if none was asked for.
    """
    metrics, limited, judged_by = _metrics(runs), _limited(runs), last_judged_by(runs)
    shown = metric if metric in metrics else judged_by
    return QualityPage(
        metric=shown,
        first=tuple(name for name in metrics if name in limited or name == judged_by),
        others=tuple(name for name in metrics if name not in limited and name != judged_by),
        drawn=draw(runs, now, shown),
        rows=tuple(reversed(list(_rows(runs, now, shown)))),
    )


def last_judged_by(runs: Sequence[RunSummary]) -> str:
    """Return the metric that the last run was judged by; "" where none was judged."""
    return next((run.judged_by for run in reversed(runs) if run.judged_by), "")


def draw(
    runs: Sequence[RunSummary], now: Standing, metric: str, height: float = TALL
) -> Chart | None:
    """Draw one metric over runs, the oldest first; None where no run has measured it."""
    names = sorted({score.name for run in runs for score in _others(run)})
    series = [
        *((name, "other", [_of(run, _named(name), metric) for run in runs]) for name in names),
        (LIVE, "live", [_of(run, _is_live, metric) for run in runs]),
        (JUDGED, "judged", [_of(run, _named(run.candidate), metric) for run in runs]),
        (LIMIT, "limit", [run.limits.get(metric) if run.judged_by else None for run in runs]),
    ]
    return chart(series, list(_marks(runs, now)), height)


def glance(runs: Sequence[RunSummary], now: Standing) -> Chart | None:
    """Draw the last runs small, as they stand on top of the list."""
    return draw(runs, now, last_judged_by(runs), SHORT)


def render_quality(page: QualityPage, frame: Frame) -> str:
    """Turn the page into HTML."""
    return fill("quality.html", frame, page=page, shown=SHOWN, run_title=run_title)


def _summary(store: ObjectStore, run: str, *, over: bool = False) -> RunSummary:
    """Read the records themselves where an earlier Catwalk wrote a summary without scores."""
    found = load_summary(store, run, over=over)
    return found if found.scores is not None else summary_now(store, run, over=over)


def _metrics(runs: Sequence[RunSummary]) -> tuple[str, ...]:
    """Return all metrics of these runs, first what the last was judged by, then by name."""
    every = {metric for run in runs for score in run.scores or () for metric in score.metrics}
    return tuple(dict.fromkeys(filter(None, [last_judged_by(runs), *sorted(every)])))


def _limited(runs: Sequence[RunSummary]) -> set[str]:
    """Return the metrics that the last verdict held to a limit, over all customers."""
    for run in reversed(runs):
        parts = [key.split("/") for key in run.traces if key.startswith("release/")]
        if parts:
            return {metric for _, metric, part, *_ in parts if not part}
    return set()


def _rows(runs: Sequence[RunSummary], now: Standing, metric: str) -> Iterator[Row]:
    unit = unit_of(metric)
    scores = [score for run in runs for score in run.scores or ()]
    found = [score.metrics[metric] for score in scores if metric in score.metrics]
    limits = [run.limits[metric] for run in runs if metric in run.limits]
    digits = min(digits_beside(found, limits, unit), MOST_DIGITS) if found else None

    def text(value: float | None) -> str:
        return written(value, unit, digits)

    for place, run in enumerate(runs):
        others = [f"{score.name} {text(score.metrics.get(metric))}" for score in _others(run)]
        yield Row(
            summary=run,
            judged=text(_of(run, _named(run.candidate), metric)),
            live=text(_of(run, _is_live, metric)),
            limit=exactly(run.limits.get(metric), unit),
            others=", ".join(others),
            happened=tuple(
                mark.text
                for mark in _marks(runs, now)
                if mark.kind != "stopped" and _at(mark, place, len(runs))
            ),
        )


def _at(mark: Mark, place: int, amount: int) -> bool:
    """Tell whether something happened at a run, or after it and before the next."""
    return across(place, amount) <= mark.x < across(place + 1, amount)


def _others(run: RunSummary) -> list[ModelQuality]:
    scores = run.scores or ()
    return [score for score in scores if score.role == "candidate" and score.name != run.candidate]


def _of(run: RunSummary, wanted: Callable[[ModelQuality], bool], metric: str) -> float | None:
    found = (score.metrics.get(metric) for score in run.scores or () if wanted(score))
    return next(found, None)


def _is_live(score: ModelQuality) -> bool:
    return score.role == "champion"


def _named(name: str) -> Callable[[ModelQuality], bool]:
    return lambda score: score.role == "candidate" and score.name == name


def _marks(runs: Sequence[RunSummary], now: Standing) -> Iterator[Mark]:
    """Give what happened, in the order of the runs."""
    places = {run.run: place for place, run in enumerate(runs)}
    for place, run in enumerate(runs):
        if run.ending == "stopped":
            yield Mark("stopped", across(place, len(runs)), f"{run_title(run.run)}: {run.word}")
    for pointer in now.pointers:
        if pointer.is_release and pointer.run in places:
            x = across(places[pointer.run], len(runs))
            yield Mark("released", x, f"{pointer.version} went live")
    for left in (left for each in now.left.values() for left in each):
        before = [place for place, run in enumerate(runs) if run_order(run.run) <= _order(left.at)]
        if before:
            text = f"Rolled back from {left.version} to {left.to} by {left.by}: {left.why}"
            yield Mark("rolled back", across(before[-1] + 0.5, len(runs)), text)


def _order(at: datetime) -> tuple[str, str]:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H-%M-%S}", "~"
