"""Retrain the shop's recommender, and publish it if its data and its numbers passed.

Reads what the shop delivered, holds it to the quality gates, trains every candidate of
`models/candidates.yaml`, judges them by `models/release.yaml`, and publishes the winner. If a
person has to decide, `ask_person` starts `release_candidate`, which asks and publishes, and this
run ends: no question keeps the next retraining from running.

| task is red | what it means | what to do |
|---|---|---|
| `keep_rules` | a file that people edit cannot be used | the log names the file and the key |
| `ingest_events` | nothing landed, or a file cannot be read | look at the landing folder |
| `gate_...` | data broke a critical rule; **nothing after it runs** | read the run's report |
| `train` | Spark or the memory ended, or nothing can be learnt | its log says which |
| `judge_release` | no candidate meets the thresholds, or judging broke | read the report |
| `refit_winner` | fitted on all data, the winner recommends other things | look at the last days |
| `ask_person` | Airflow could not start `release_candidate` | mend that, clear the task |
| `publish` | the log says what is against it, or another publisher won | mend that, clear it |
| `follow_pointer` | MLflow failed; the new version **is live** | clear the task |
| `retire` | storage failed; the new version **is live**, old ones wait | clear the task |
| `replace_question` | Airflow or storage failed; an older question still waits | clear the task |

Whatever fails before `publish`, the model that is live stays live; if `publish` itself is red, the
page Decisions says what is live. **Every task is safe to rerun** at any time.
Editing `models/*.yaml` changes the runs that start afterwards, never this one.
`as_of` replays the shop as of a moment; left empty, it is the time of the run.
Owners: data-engineering (ingestion, gates), data-science (training), product (release).
"""

from airflow.sdk import Param, chain, dag
from airflow.sdk.exceptions import AirflowSkipException
from airflow.timetables.trigger import CronTriggerTimetable

from dags._release_steps import bundle_of_winner, end_question, make_live
from infra.airflow.assets import EVENTS_ACCEPTED
from infra.airflow.defaults import Counts, Owner, Run, Tag, step, step_of, task_defaults
from infra.airflow.notify import ReportNotifier
from infra.airflow.other_runs import trigger
from infra.airflow.report_links import RELEASE_DAG, report_address
from infra.airflow.spark_pool import SPARK_POOL
from infra.settings import load_settings

SETTINGS = load_settings()
ENGINEERING, SCIENCE, PRODUCT = Owner.DATA_ENGINEERING, Owner.DATA_SCIENCE, Owner.PRODUCT
TOLD = [ReportNotifier()]
ONE_IS_TRAINED = "all_done_min_one_success"  # the anchor may fail, no candidate


@step(ENGINEERING, pool=SPARK_POOL)
def ingest_events(run: Run) -> Counts:
    """Read what landed."""
    from infra.leftovers import remove_leftovers
    from infra.spark.submit import submit
    from jobs import ingest_events
    from jobs.batches import books

    remove_leftovers(run.storage)
    submit(ingest_events, ["--run", run.key])
    return books.counts(run.storage, run.key)


@step(ENGINEERING, outlets=[EVENTS_ACCEPTED])
def gate_events(run: Run) -> Counts:
    """Check every new batch, as of the time of the run."""
    from expectations.events import gate_events

    return gate_events(run.storage, run.key, run.as_of).counts()


@step(ENGINEERING, pool=SPARK_POOL)
def build_interactions(run: Run) -> Counts:
    """Weigh the accepted events, as of the time of the run."""
    from infra.spark.submit import submit
    from jobs import build_interactions

    submit(build_interactions, ["--run", run.key, "--as-of", run.as_of.isoformat()])
    return run.storage.lake.counts("interactions", run.key)


@step(SCIENCE, map_index_template="{{ candidate }}")
def train(run: Run, candidate: str) -> Counts:
    """Train one candidate."""
    from models.training.train import train

    return train(run.storage, run.key, candidate)


@step(SCIENCE, trigger_rule="all_done")
def track_candidates(run: Run) -> Counts:
    """Write the scores to MLflow, also those of a rejected run."""
    from models.tracking.registry import follow_pointer
    from models.tracking.runs import track_candidates

    follow_pointer(run.storage)  # an earlier run may have died before it could
    return track_candidates(run.storage, run.key, report_address(run.dag, run.id))


@step(PRODUCT)
def ask_person(run: Run) -> Counts:
    """Let `release_candidate` ask about a run that may not go live by itself."""
    from models.release.approve_release import needs_person

    if not needs_person(run.storage, run.key):
        raise AirflowSkipException("Nobody is needed.")
    trigger(RELEASE_DAG, {"run": run.key})


@dag(
    schedule=CronTriggerTimetable(SETTINGS.schedule, timezone="UTC", run_immediately=False),
    catchup=False,
    max_active_runs=1,
    default_args={**task_defaults(SETTINGS), "on_failure_callback": TOLD},
    tags=[Tag.INGESTION.value, Tag.TRAINING.value, Tag.RELEASE.value],
    doc_md=__doc__,
    params={
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="As of",
            description="A time in the past to replay; empty: now. A viewer may not send this.",
        )
    },
)
def retrain_recommender() -> None:
    """Wire one retraining: ingest, gate, train, judge, publish."""
    gates = [
        step_of(ENGINEERING, "expectations.items:gate_items")(),
        step_of(ENGINEERING, "expectations.interactions:gate_interactions")(),
        step_of(ENGINEERING, "expectations.steps:gate_steps")(),
    ]
    kept = step_of(SCIENCE, "models.release.keep_rules:keep_rules")()
    candidates = train.expand(candidate=kept)
    scores = step_of(SCIENCE, "models.evaluation.evaluate:evaluate", trigger_rule=ONE_IS_TRAINED)()
    verdict = step_of(PRODUCT, "models.release.judge_release:judge_release")()
    winner, served = bundle_of_winner()
    published = make_live(unless="models.release.approve_release:needs_person")
    chain(kept, ingest_events(), gate_events(), build_interactions(), gates, candidates)
    chain(candidates, scores, verdict)
    chain(verdict, track_candidates(), published, end_question())
    chain(verdict, winner)
    chain(served, [ask_person(), published])


retrain_recommender()
