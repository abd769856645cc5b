"""Count what the lists did for the business: exposures, KPIs, customers, units of A/B tests.

Follows each time that `retrain_recommender` accepted events, and runs every night all the same, so
that the served log is read and days become final also where nothing else runs.

| task is red | what it means | what to do |
|---|---|---|
| `ingest_served` | Spark ended, or the landing folder cannot be read | its log says which |
| `build_marts` | Spark or the memory ended | its log says which |
| `gate_marts` | a mart broke a rule; **the build before still counts** | read the log |

Nothing here changes what customers see. A build writes new folders alone, and its gate lets them
count all at once, so readers never see half of it. **Every task is safe to rerun** at any time.
Tasks that start Spark share the pool `spark` with those of `retrain_recommender`.
`anew` builds every day again from the clean tables, to the same bytes: for a mart that was damaged,
or after a change of `CATWALK_ATTRIBUTION_HOURS` or `CATWALK_MOST_EVENTS_PER_DAY`. A build does so
by itself where a batch that the build before counted is gone.
Owner: data-engineering.
"""

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, chain, dag

from infra.airflow.assets import EVENTS_ACCEPTED
from infra.airflow.defaults import Counts, Owner, Run, Tag, form, step, step_of, task_defaults
from infra.airflow.notify import ReportNotifier
from infra.airflow.spark_pool import SPARK_POOL
from infra.settings import load_settings

SETTINGS = load_settings()
ENGINEERING = Owner.DATA_ENGINEERING
NIGHTLY = CronTriggerTimetable("15 1 * * *", timezone="UTC", run_immediately=False)


@step(ENGINEERING, pool=SPARK_POOL)
def ingest_served(run: Run) -> Counts:
    """Read what servers answered."""
    from infra.ledger.served import counts
    from infra.spark.submit import submit
    from jobs import ingest_served

    submit(ingest_served, ["--run", run.key])
    return counts(run.storage, run.key)


@step(ENGINEERING, pool=SPARK_POOL)
def build_marts(run: Run) -> Counts:
    """Build the days that are new or touched."""
    from infra.ledger.marts import built_by
    from infra.spark.submit import submit
    from jobs import build_marts

    anew = ["--all"] if form().get("anew") else []
    submit(build_marts, ["--run", run.key, "--as-of", run.as_of.isoformat(), *anew])
    return built_by(run.storage, run.key).counts()


@dag(
    schedule=AssetOrTimeSchedule(timetable=NIGHTLY, assets=[EVENTS_ACCEPTED]),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={**task_defaults(SETTINGS), "on_failure_callback": [ReportNotifier()]},
    tags=[Tag.BUSINESS.value],
    doc_md=__doc__,
    params={
        "anew": Param(
            False,
            type="boolean",
            title="Build all days anew",
            description="Also those that nothing new touches; it takes as long as they are many.",
        )
    },
)
def measure_business() -> None:
    """Wire one measurement: the log, the marts, their gate."""
    gated = step_of(ENGINEERING, "expectations.marts:gate_marts")()
    chain(ingest_served(), build_marts(), gated)


measure_business()
