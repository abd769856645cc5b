"""The list of runs: newest first, a page at a time, all or only those that ended in one way."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

from infra.ledger.who_was_live import decided_by
from infra.records.release import ApprovalRecord
from infra.report.curves import Chart
from infra.report.headline import Ending
from infra.report.standing import Standing, left_text
from infra.report.summary import RunSummary, load_summary, summary_now
from infra.report.templates import Frame, fill
from infra.report.wording import moment
from infra.stores.object_store import ObjectStore

SHOWN = 25  # runs on one page
LOOKED_AT = 500  # summaries read at most for one page; the next page goes on from there
READERS = 8  # summaries read at once: a bucket answers each in some 20 ms
NAMES: dict[Ending, str] = {
    "released": "Released",
    "waiting": "Waiting for approval",
    "replaced": "Question replaced",
    "rejected": "Rejected",
    "stopped": "Stopped",
    "broken": "Records broken",
    "failed": "Broke off",
    "running": "Not finished",
}
_RUN = re.compile(r"run=(?!\.)[0-9A-Za-z_.-]{1,250}")
_ID = re.compile(r"run=(?P<kind>[A-Za-z]+)__(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)")


@dataclass(frozen=True)
class RunsPage:
    """Some runs, newest first; `older` is where the next page starts, None at the end."""

    rows: tuple[RunSummary, ...]
    older: str | None


@dataclass(frozen=True)
class Top:
    """What stands on top of the list: what is live, the last runs as curves, what waits.

    Attributes
    ----------
    waits : ApprovalRecord or None
        The question that waits for a person.
    stopped : tuple of str
        The batches that wait for a decision.
    """

    now: Standing = field(default_factory=Standing)
    drawn: Chart | None = None
    metric: str = ""
    waits: ApprovalRecord | None = None
    stopped: tuple[str, ...] = ()


def is_run(name: str) -> bool:
    """Tell whether a name can be the folder of a run, and nothing else."""
    return _RUN.fullmatch(name) is not None


def run_title(run: str) -> str:
    """Say when a run was for, and who started it.

    >>> run_title("run=manual__2026-11-24T04-12-58.898852-00-00")
    '24 Nov 2026, 04:12 UTC, manual'
    """
    match = _ID.match(run)
    if match is None:
        return run.removeprefix("run=")
    try:
        at = datetime.strptime(match["time"], "%Y-%m-%dT%H-%M-%S").replace(tzinfo=UTC)
    except ValueError:  # such as 2026-99-99: whoever triggers a run may choose its id
        return run.removeprefix("run=")
    return f"{moment(at)}, {match['kind']}"


def all_runs(store: ObjectStore, died: Collection[str] = ()) -> list[str]:
    """Return the folders of all runs, newest first; those whose id holds no time come last.

    `died` are runs that failed: they are among them even if no step left a record.
    """
    names = {*died, *(key.split("/", 1)[0] for key in store.list("") if "/" in key)}
    return sorted(filter(is_run, names), key=run_order, reverse=True)


def runs_before(store: ObjectStore, run: str, amount: int) -> list[RunSummary]:
    """Return the summaries of the last runs before one, oldest first."""
    earlier = [name for name in all_runs(store) if run_order(name) < run_order(run)]
    return list(reversed(read_summaries(load_summary, store, earlier[:amount])))


def find_runs(
    store: ObjectStore,
    ending: Ending | None = None,
    after: str = "",
    over: Collection[str] = (),
    died: Collection[str] = (),
) -> RunsPage:
    """Return a page of runs, each as its records are now.

    Parameters
    ----------
    store : ObjectStore
        The reports.
    ending : Ending, optional
        Only runs that ended so.
    after : str
        The last run of the page before; empty for the first page.
    over : collection of str
        Runs of which no step will follow.
    died : collection of str
        Those among them that failed, and are listed even if no step left a record.
    """
    runs = [run for run in all_runs(store, died) if not after or run_order(run) < run_order(after)]
    rows: list[RunSummary] = []
    for start in range(0, min(len(runs), LOOKED_AT), SHOWN):
        part = runs[start : min(start + SHOWN, LOOKED_AT)]
        for now in read_summaries(summary_now, store, _candidates(store, part, ending, over), over):
            if ending in (None, now.ending):
                rows.append(now)
            if len(rows) == SHOWN:
                return RunsPage(tuple(rows), now.run if now.run != runs[-1] else None)
    return RunsPage(tuple(rows), runs[LOOKED_AT - 1] if len(runs) > LOOKED_AT else None)


def render_runs(
    page: RunsPage,
    frame: Frame,
    ending: Ending | None,
    after: str,
    top: Top | None = None,
) -> str:
    """Turn a page of runs into HTML."""
    older = {"verdict": ending, "after": page.older}
    query = urlencode({name: value for name, value in older.items() if value})
    return fill(
        "runs.html",
        frame,
        page=page,
        names=NAMES,
        chosen=ending,
        first=not after,
        top=top or Top(),
        by=decided_by,
        left_text=left_text,
        older=query if page.older else "",
        run_title=run_title,
    )


def run_order(run: str) -> tuple[str, str]:
    """Return by what runs are sorted: their time to the second, then their name."""
    match = _ID.match(run)
    return (match["time"] if match else "", run)


def _candidates(
    store: ObjectStore, runs: Sequence[str], ending: Ending | None, over: Collection[str]
) -> list[str]:
    """Return the runs that a list may show: their summaries spare reading the records of others.

    A record that broke since is in no summary, so for those all are read.
    """
    if ending in (None, "broken"):
        return list(runs)
    return [
        summary.run
        for summary in read_summaries(load_summary, store, runs, over)
        if summary.ending == ending
    ]


def read_summaries(
    how: Callable[..., RunSummary],
    store: ObjectStore,
    runs: Sequence[str],
    over: Collection[str] = (),
) -> list[RunSummary]:
    """Return what a way of reading gives for each run, several at once."""
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(lambda run: how(store, run, over=run in over), runs))
