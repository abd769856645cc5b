"""Takes a simulated shop from an empty home to a version that is live, by the real steps.

The jobs and the gates are called by the names that the command line gives; no scheduler runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from infra.lake import run_key
from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.loading import load_named
from infra.records.release import PublishRecord
from infra.storage import Storage
from models.bundle.build_bundle import build_bundle
from models.bundle.check_serving import check_serving
from models.bundle.refit_winner import refit_winner
from models.evaluation.evaluate import evaluate
from models.publishing.publish import publish
from models.release.choose_candidate import choose_candidate
from models.release.judge_release import judge_release
from models.release.keep_rules import keep_rules
from models.training.train import train

LOADER = "models.bundle.bundle:load_todays"
RUN = run_key("loop")


@dataclass(frozen=True)
class Programs:
    """The parts of the shop that the bench uses, as `package.module:function`."""

    simulate: str
    world: str
    ingest: str
    ingest_served: str
    gate_events: str
    build: str
    gate_items: str
    gate_interactions: str
    gate_steps: str
    recommend: str
    gate_recommendations: str
    build_marts: str
    gate_marts: str


@dataclass(frozen=True)
class Size:
    """How much of a shop is simulated before it is served."""

    events: int
    days: int


def release(storage: Storage, programs: Programs, size: Size, ends: datetime) -> PublishRecord:
    """Simulate, ingest, gate, train, judge and publish, unless that was done; return what is live.

    Parameters
    ----------
    ends : datetime
        The midnight after the last day, UTC.
    """
    found = live(storage)
    if found is not None:
        return found
    first = (ends - timedelta(days=size.days)).date()
    wanted = ["--events", str(size.events), "--days", str(size.days), "--first-day", str(first)]
    load_named(programs.simulate)([str(Path(storage.landing)), *wanted])
    names = keep_rules(storage, RUN)
    load_named(programs.ingest)(["--run", RUN])
    load_named(programs.gate_events)(storage, RUN, ends)
    load_named(programs.build)(["--run", RUN, "--as-of", ends.isoformat()])
    for gate in (programs.gate_items, programs.gate_interactions, programs.gate_steps):
        load_named(gate)(storage, RUN)
    for name in names:
        train(storage, RUN, name)
    evaluate(storage, RUN)
    verdict = judge_release(storage, RUN)
    if verdict.outcome == "review":
        best = verdict.choices[0].name
        choose_candidate(storage, RUN, best, storage.settings.approvers[0], "the bench goes on")
    build_lists(storage, programs, RUN)
    return publish(storage, RUN)


def build_lists(storage: Storage, programs: Programs, run: str) -> None:
    """Build the bundle of what the verdict on a run lets go on, and see it answer."""
    made = refit_winner(storage, run)
    model = ["--model", made.candidate, "--folder", made.folder, "--loader", LOADER]
    load_named(programs.recommend)(["--run", run, *model])
    load_named(programs.gate_recommendations)(storage, run)
    build_bundle(storage, run)
    check_serving(storage, run)


def quality(storage: Storage) -> dict[str, float]:
    """Return NDCG@10 of every candidate of the run, by name."""
    evaluation = RunRecords(storage, RUN).load_evaluation()
    scores = evaluation.scores if evaluation else ()
    return {
        score.name: score.metrics["ndcg_at_10"] for score in scores if score.role == "candidate"
    }
