"""The steps of a release that two DAGs share."""

from typing import Any

from airflow.sdk import chain
from airflow.sdk.exceptions import AirflowSkipException

from infra.airflow.defaults import Counts, Owner, Run, step, step_of
from infra.airflow.other_runs import begin_anew
from infra.airflow.report_links import DAG, RELEASE_DAG
from infra.airflow.spark_pool import SPARK_POOL
from infra.ledger.run_records import RunRecords

ENGINEERING, SCIENCE, PRODUCT = Owner.DATA_ENGINEERING, Owner.DATA_SCIENCE, Owner.PRODUCT


@step(ENGINEERING, pool=SPARK_POOL)
def recommend_users(run: Run, winner: Counts) -> Counts:
    """List the winner's recommendations for every user."""
    from infra.spark.submit import submit
    from jobs import recommend_users

    loader = "models.bundle.bundle:load_todays"
    model = ["--model", winner["candidate"], "--folder", winner["folder"], "--loader", loader]
    submit(recommend_users, ["--run", run.key, *model])
    return run.storage.lake.counts("recommendations", run.key)


def bundle_of_winner() -> tuple[Any, Any]:
    """Wire refit, lists, their gate, bundle and serving check; return the first and the last."""
    winner = step_of(SCIENCE, "models.bundle.refit_winner:refit_winner")()
    gated_lists = step_of(ENGINEERING, "expectations.recommendations:gate_recommendations")()
    bundle = step_of(SCIENCE, "models.bundle.build_bundle:build_bundle")()
    served = step_of(SCIENCE, "models.bundle.check_serving:check_serving")()
    chain(winner, recommend_users(winner), gated_lists, bundle, served)
    return winner, served


def end_question(**options: Any) -> Any:
    """Make the task that ends the question which waits, by a newer question or a release."""

    @step(PRODUCT, task_id="replace_question", **options)
    def end(run: Run) -> Counts:
        from models.release.replace_question import replace_question

        published = RunRecords(run.storage, run.key).load_published()
        since = published.at if published and run.dag == DAG else run.triggered
        ended = replace_question(run.storage, run.key, since, run.id)
        if ended is None:
            raise AirflowSkipException("No question waits.")
        begin_anew(RELEASE_DAG, ended.asked_in, {"run": ended.run})

    return end()


def make_live(**options: Any) -> Any:
    """Make the task that publishes, and those that follow when a version went live."""
    published = step_of(PRODUCT, "models.publishing.publish:publish", **options)()
    after = [
        step_of(PRODUCT, "models.tracking.registry:follow_pointer", of_run=False)(),
        step_of(PRODUCT, "models.publishing.retire:retire", of_run=False)(),
    ]
    chain(published, after)
    return published
