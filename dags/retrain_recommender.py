"""Retrain the shop's recommender, and publish it if its data and its numbers passed.

Reads what the shop delivered, holds it to the quality gates, trains every candidate of
`models/candidates.yaml`, judges them by `models/release.yaml`, and publishes the winner; if the
verdict is `review`, `approve_release` first waits for a product person in the UI.

| task is red | what it means | what to do |
|---|---|---|
| `ingest_events` | nothing landed, or a file cannot be read | look at the landing folder |
| `gate_...` | data broke a critical rule; **nothing after it runs** | read the run's report |
| `train` | a candidate failed | its log names the parameter or the data |
| `judge_release` | no candidate meets the thresholds | the report says which and why |
| `refit_winner` | fitted on all data, the winner recommends other things | look at the last days |
| `approve_release` | a person rejected, or nobody answered in time | nothing; the report says why |
| `publish` | another publisher won, storage or MLflow failed | clear the task; it is idempotent |

Whatever fails before `publish`, the model that is live stays live; a red `publish` may have moved
the pointer: the page Decisions says what is live. **Every task is safe to rerun** at any time.
`as_of` replays the shop as of a moment; left empty, it is the time of the run.
Owners: data-engineering (ingestion, gates), data-science (training), product (release).
"""

from collections.abc import Callable
from typing import Any

from airflow.sdk import Param, chain, dag
from airflow.timetables.trigger import CronTriggerTimetable

from expectations.events import gate_events as judge_events
from expectations.interactions import gate_interactions
from expectations.items import gate_items
from expectations.recommendations import gate_recommendations
from infra.airflow.defaults import Counts, Owner, Run, Tag, step, task_defaults
from infra.airflow.human_approval import HumanApproval
from infra.airflow.notify import ReportNotifier
from infra.leftovers import remove_leftovers
from infra.records.gates import GateRecord
from infra.settings import load_settings
from infra.spark.submit import submit
from infra.storage import Storage
from models.candidates import load_candidates
from models.tracking import follow_pointer
from models.tracking import track_candidates as write_candidates

SETTINGS = load_settings()
ENGINEERING, SCIENCE, PRODUCT = Owner.DATA_ENGINEERING, Owner.DATA_SCIENCE, Owner.PRODUCT
TOLD = [ReportNotifier()]


@dag(
    schedule=CronTriggerTimetable(SETTINGS.schedule, timezone="UTC", run_immediately=False),
    catchup=False,
    max_active_runs=1,
    default_args={**task_defaults(SETTINGS), "on_failure_callback": TOLD},
    tags=[Tag.INGESTION.value, Tag.TRAINING.value, Tag.RELEASE.value],
    doc_md=__doc__,
    params={"as_of": Param(None, type=["null", "string"], format="date-time", title="As of")},
)
def retrain_recommender() -> None:
    """Wire one retraining: ingest, gate, train, judge, publish."""

    @step(ENGINEERING)
    def ingest_events(run: Run) -> Counts:
        from jobs import ingest_events
        from jobs.batches import books

        remove_leftovers(run.storage)
        submit(ingest_events, ["--run", run.key])
        return books.counts(run.storage, run.key)

    @step(ENGINEERING)
    def gate_events(run: Run) -> Counts:
        return judge_events(run.storage, run.key, run.as_of).counts()

    @step(ENGINEERING)
    def build_interactions(run: Run) -> Counts:
        from jobs import build_interactions

        submit(build_interactions, ["--run", run.key, "--as-of", run.as_of.isoformat()])
        return run.storage.lake.counts("interactions", run.key)

    @step(SCIENCE, map_index_template="{{ candidate }}")
    def train(run: Run, candidate: str) -> Counts:
        from models.training.train import train

        return train(run.storage, run.key, candidate)

    @step(SCIENCE)
    def evaluate(run: Run) -> Counts:
        from models.evaluation.evaluate import evaluate

        return evaluate(run.storage, run.key).counts()

    @step(PRODUCT)
    def judge_release(run: Run) -> Counts:
        from models.release.judge_release import judge_release

        return judge_release(run.storage, run.key).counts()

    @step(SCIENCE, trigger_rule="all_done")
    def track_candidates(run: Run) -> Counts:
        follow_pointer(run.storage)  # an earlier run may have died before it could
        return write_candidates(run.storage, run.key)

    @step(SCIENCE)
    def refit_winner(run: Run) -> Counts:
        from models.bundle.refit_winner import refit_winner

        return refit_winner(run.storage, run.key).counts()

    @step(ENGINEERING)
    def recommend_users(run: Run, winner: Counts) -> Counts:
        from jobs import recommend_users

        loader = "models.bundle.bundle:load_recommender"
        model = ["--model", winner["candidate"], "--folder", winner["folder"], "--loader", loader]
        submit(recommend_users, ["--run", run.key, *model])
        return run.storage.lake.counts("recommendations", run.key)

    @step(SCIENCE)
    def build_bundle(run: Run) -> Counts:
        from models.bundle.build_bundle import build_bundle

        return build_bundle(run.storage, run.key)

    @step(SCIENCE)
    def check_serving(run: Run) -> Counts:
        from models.bundle.check_serving import check_serving

        return check_serving(run.storage, run.key)

    @step(PRODUCT, trigger_rule="none_failed")
    def publish(run: Run) -> Counts:
        from models.publishing.publish import publish
        from models.publishing.retire import retire

        record = publish(run.storage, run.key)
        follow_pointer(run.storage)
        retired = retire(run.storage)
        return {**record.counts(), "retired": len(retired)}

    def gate(judge: Callable[[Storage, str], GateRecord]) -> Any:
        """Make the task of a gate over the tables of a run; it is called as its function is."""

        @step(ENGINEERING, task_id=judge.__name__)
        def judged(run: Run) -> Counts:
            return judge(run.storage, run.key).counts()

        return judged

    fitted = train.expand(candidate=[candidate.name for candidate in load_candidates()])
    approval = HumanApproval(
        **{"task_id": "approve_release", "owner": PRODUCT.value},
        about="models.release.approve_release",
        approvers=SETTINGS.approvers,
        hours=SETTINGS.approval_hours,
        notifiers=[ReportNotifier("waits for a person", over=False)],
    )
    verdict, tracked = judge_release(), track_candidates()
    winner = refit_winner()
    lists = recommend_users(winner)
    published = publish()
    tables = [gate(gate_items)(), gate(gate_interactions)()]
    chain(ingest_events(), gate_events(), build_interactions(), tables, fitted)
    chain(fitted, evaluate(), verdict)
    chain(verdict, tracked, published)
    chain(verdict, winner)
    chain(lists, gate(gate_recommendations)(), build_bundle(), check_serving(), approval, published)


retrain_recommender()
